package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/keys/keyserver"
)

const fileKeyID = "4a3d1e88-0b5c-4c4e-9d55-7e8f9a0b1c2d"

// keyFile has one key, which players get from the license server.
func keyFile(t *testing.T, license string) (path, key string) {
	t.Helper()
	id, err := keys.ParseID(fileKeyID)
	if err != nil {
		t.Fatal(err)
	}
	value := keyserver.Key(id)
	key = hex.EncodeToString(value[:])
	path = filepath.Join(t.TempDir(), "keys.yaml")
	text := fmt.Sprintf("keys:\n- {id: %s, key: %q}\nsystems:\n- {name: clearkey, license: %s}\n", fileKeyID, key, license)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, key
}

// The same clip in the clear, encrypted by cbcs with keys from a file, and by
// cenc with keys from a key server: players get the keys and show it, the frames
// inside are the same, and the keys are nowhere to be read.
func TestEncryptedClips(t *testing.T) {
	server := httptest.NewServer(keyserver.New())
	t.Cleanup(server.Close)
	license := server.URL + "/license"
	file, key := keyFile(t, license)
	data := t.TempDir()
	f := farm.StartIn(t, data)
	clip := []string{"--ladder", "mini", "testcard:?size=640x360&duration=8s", "--wait"}
	f.Must(append([]string{"vod", "queue", "--id", "clear"}, clip...)...)
	f.Must(append([]string{"vod", "queue", "--id", "cbcs", "--encrypt", "cbcs", "--keys", file}, clip...)...)
	f.Must(append([]string{"vod", "queue", "--id", "cenc", "--encrypt", "cenc", "--keys", server.URL + "/speke#clearkey"}, clip...)...)
	for _, id := range []string{"cbcs", "cenc"} {
		t.Run(id, func(t *testing.T) {
			sameFrames(t, f, "clear", id)
			playsWithKeys(t, f, id, license)
		})
	}
	t.Run("page without keys", func(t *testing.T) {
		p := watchJob(t, f, "cbcs")
		s := see(t, p, "the reason why it does not play", func(s browser.State) bool { return s.Status == "failed" })
		if !strings.Contains(s.Detail, "encrypted") {
			t.Errorf("the page says %q", s.Detail)
		}
		shoot(t, p, "encrypted")
	})
	t.Run("verify", func(t *testing.T) {
		out := f.Must("verify", f.Origin("cbcs"), "--keys", file)
		if !strings.Contains(out, "decode") {
			t.Errorf("verify says\n%s", out)
		}
		if out := f.Must("verify", f.Origin("cenc")); !strings.Contains(out, "it was not decoded") {
			t.Errorf("verify without keys says\n%s", out)
		}
	})
	said := f.Must("vod", "show", "cbcs", "-o", "json") + f.Must("vod", "explain", "cbcs") + f.Log()
	if strings.Contains(said, key) {
		t.Error("the farm tells the key")
	}
	f.Stop()
	noKeyIn(t, data, key)
}

// playsWithKeys: each player shows pictures and sound of the encrypted clip.
func playsWithKeys(t *testing.T, f *farm.Farm, id, license string) {
	players := browser.ServePlayers(t, f.Page)
	pages := map[string]string{}
	if id == "cbcs" { // hls.js gets one key by Clear Key, not a second one for sound
		pages["hls.js"] = players.HLSPage(id, license)
	}
	for _, player := range browser.Foreign {
		pages[player] = players.Page(player, id)
	}
	for player, page := range pages {
		t.Run(player, func(t *testing.T) {
			p := watchPage(t, page, player+" on "+id)
			see(t, p, "pictures", func(s browser.State) bool {
				return s.Status == "failed" || s.Status == "playing" && s.CurrentTime > 1 && s.Decoded > 10
			})
			hears(t, p)
			still(t, p, "encrypted-"+id+"-"+player)
			s := see(t, p, "the next segment", func(s browser.State) bool { return s.Status == "failed" || s.CurrentTime > 6.4 })
			smooth(t, s)
			if encrypted, err := browser.Eval[bool](p, `document.querySelector("video").mediaKeys !== null`); err != nil || !encrypted {
				t.Errorf("it played without keys (%v)", err)
			}
		})
	}
}

// sameFrames: what decrypts is what was encoded in the clear.
func sameFrames(t *testing.T, f *farm.Farm, clear, id string) {
	t.Helper()
	for _, r := range f.Job(f.Client(), id).GetRenditions() {
		name := r.GetRendition().GetName()
		want, _, _ := frames(t, f, clear, name)
		got, track, bodies := frames(t, f, id, name)
		if track.Scheme != id || bytes.Equal(want, got) {
			t.Errorf("%s is not encrypted by %s", name, id)
		}
		var open []byte
		for _, b := range bodies {
			body, err := track.Decrypt(b, keyserver.Key(track.KeyID))
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, samples(t, track, body)...)
		}
		if !bytes.Equal(open, want) {
			t.Errorf("%s: the decrypted frames (%d bytes) are not those of the clear job (%d)", name, len(open), len(want))
		}
	}
}

// frames are all samples of a rendition, with its track and its segments.
func frames(t *testing.T, f *farm.Farm, id, rendition string) (all []byte, track *cmaf.Track, bodies [][]byte) {
	t.Helper()
	folder := id + "/" + rendition + "/"
	list, err := hls.ParseMedia(get(t, f.Origin(folder+"media.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	if track, err = cmaf.ParseInit(get(t, f.Origin(folder+list.Segments[0].Map))); err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Segments {
		body := get(t, f.Origin(folder+s.URI))
		bodies = append(bodies, body)
		all = append(all, samples(t, track, body)...)
	}
	return all, track, bodies
}

func samples(t *testing.T, track *cmaf.Track, segment []byte) (all []byte) {
	t.Helper()
	p, err := cmaf.Parse(track, segment)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Samples() {
		all = append(all, s.Data...)
	}
	return all
}

// noKeyIn looks through everything that a farm leaves.
func noKeyIn(t *testing.T, dir, key string) {
	t.Helper()
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	forms := [][]byte{raw, []byte(key), []byte(strings.ToUpper(key)), []byte(base64.StdEncoding.EncodeToString(raw))}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		for _, form := range forms {
			if bytes.Contains(b, form) {
				t.Errorf("%s holds the key", path.Base(name))
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A key server that cannot answer is asked again, and a job says what it waits for.
func TestKeyServerThatComesLate(t *testing.T) {
	var back atomic.Bool
	store := keyserver.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !back.Load() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f := farm.Start(t)
	f.Must("vod", "queue", "--id", "late", "--encrypt", "cbcs", "--keys", server.URL+"/speke", "--ladder", "mini", "testcard:?size=426x240&duration=4s")
	farm.Until(t, 30*time.Second, "what it waits for", func() bool {
		return strings.Contains(f.Must("vod", "show", "late"), "keys: read source "+server.URL)
	})
	back.Store(true)
	farm.Until(t, 60*time.Second, "the job to be done", func() bool { return strings.Contains(f.Must("vod", "show", "late"), "done") })
}
