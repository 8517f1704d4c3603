package keys_test

import (
	"os"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/keys"
)

// The key file that the documentation shows is one.
func TestDocumentedKeyFile(t *testing.T) {
	text, err := os.ReadFile("../../docs/encryption.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no YAML block")
	}
	set, err := keys.Parse([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	if len(set) != 2 || len(set[keys.Video].Systems) != 4 || len(set[keys.Audio].Systems) != 3 {
		t.Errorf("%d keys, %d systems for video, %d for audio", len(set), len(set[keys.Video].Systems), len(set[keys.Audio].Systems))
	}
}
