package keys_test

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/media/keys"
)

// Whatever a file holds, it is read or refused, and a refusal quotes no more of
// it than the name of a kind.
func FuzzKeyFile(f *testing.F) {
	f.Add(twoKeys)
	f.Add(twoKeys + "systems:\n- {name: widevine, pssh: CAESEA==, for: video}\n- {name: clearkey}\n")
	f.Add("{\"keys\": [{\"id\": \"" + videoID + "\", \"key\": \"" + videoKey + "\"}]}")
	f.Add("keys: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := keys.Parse([]byte(text))
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("the error quotes the file: %q", err)
		}
		for _, k := range set {
			for _, s := range k.Systems {
				keys.IDsIn(s.PSSH)
			}
		}
	})
}

func FuzzPSSH(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x34pssh\x01\x00\x00\x000123456789abcdef\x00\x00\x00\x010123456789abcdef\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x24pssh\x01\x00\x00\x000123456789abcdef\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) { keys.IDsIn(b) })
}
