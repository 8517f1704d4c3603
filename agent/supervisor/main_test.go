package supervisor

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
)

// The test program is its own worker program.
func TestMain(m *testing.M) {
	if !fakeworker.Main() {
		goleak.VerifyTestMain(m)
	}
}
