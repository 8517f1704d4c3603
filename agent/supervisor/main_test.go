package supervisor

import (
	"testing"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	"go.uber.org/goleak"
)

// The test program is its own worker program.
func TestMain(m *testing.M) {
	if !fakeworker.Main() {
		goleak.VerifyTestMain(m)
	}
}
