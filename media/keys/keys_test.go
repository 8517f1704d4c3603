package keys_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/keys/keyserver"
)

const (
	videoID, videoKey = "11111111-1111-1111-1111-111111111111", "00112233445566778899aabbccddeeff"
	audioID, audioKey = "22222222222222222222222222222222", "ffeeddccbbaa99887766554433221100"
)

func keyFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoKeys = "keys:\n- {for: video, id: " + videoID + ", key: " + videoKey + "}\n- {for: audio, id: \"" + audioID + "\", key: " + audioKey + "}\n"

func rendition(lines int) ladders.Rendition {
	if lines == 0 {
		return ladders.Rendition{Name: "stereo", Audio: &ladders.Audio{Codec: "aac"}}
	}
	return ladders.Rendition{Name: fmt.Sprint(lines), Video: &ladders.Video{Width: lines * 16 / 9, Height: lines}}
}

// Every source of keys does this.
func TestSources(t *testing.T) {
	server := httptest.NewServer(keyserver.New())
	t.Cleanup(server.Close)
	for name, ref := range map[string]string{"file": keyFile(t, twoKeys), "key server": server.URL + "/speke#clearkey,widevine,playready"} {
		t.Run(name, func(t *testing.T) {
			source, err := keys.Open(ref, input.Rules{Patterns: input.Local})
			if err != nil {
				t.Fatal(err)
			}
			content := keys.Content{Job: "gala", Scheme: keys.CBCS}
			set, err := source.Keys(t.Context(), content)
			if err != nil {
				t.Fatal(err)
			}
			again, err := source.Keys(t.Context(), content)
			if err != nil {
				t.Fatal(err)
			}
			for _, lines := range []int{0, 240, 1080, 2160} {
				k, err := set.For(rendition(lines))
				if err != nil {
					t.Fatal(err)
				}
				l, err := again.For(rendition(lines))
				if err != nil || l.ID != k.ID || l.Value != k.Value || string(l.IV) != string(k.IV) {
					t.Errorf("%d lines: asked again, the keys are others (%v)", lines, err)
				}
				conforms(t, k)
			}
			if k, err := set.For(ladders.Rendition{Name: "en", Text: &ladders.Text{}}); k != nil || err != nil {
				t.Errorf("subtitles have key %v, %v", k, err)
			}
		})
	}
}

// conforms: there is a key, players can find it, and it does not print.
func conforms(t *testing.T, k *keys.Key) {
	t.Helper()
	if k.ID == (keys.ID{}) || k.Value == (keys.Secret{}) {
		t.Error("no key")
	}
	if len(k.Systems) == 0 {
		t.Error("no DRM system")
	}
	for _, s := range k.Systems {
		if s.URI == "" || s.Format == "" || len(s.PSSH) == 0 {
			t.Errorf("system %s: URI %q, format %q, PSSH of %d bytes", s.ID, s.URI, s.Format, len(s.PSSH))
		}
	}
	b, _ := json.Marshal(k)
	printed := fmt.Sprintf("%v %+v %#v %s %x %d %q %s", k, k, k, k.Value, k.Value, k.Value, k.Value, b)
	for _, secret := range []string{string(k.Value[:]), fmt.Sprintf("%x", [16]byte(k.Value)), fmt.Sprint([16]byte(k.Value)), base64.StdEncoding.EncodeToString(k.Value[:])} {
		if strings.Contains(printed, strings.Trim(secret, "[]")) {
			t.Errorf("the key prints: %s", printed)
		}
	}
}

func TestKeyForSize(t *testing.T) {
	set := keys.Set{keys.SD: {IV: []byte("sd")}, keys.UHD: {IV: []byte("uhd")}, keys.All: {IV: []byte("all")}}
	for lines, want := range map[int]string{0: "all", 240: "sd", 576: "sd", 720: "all", 1080: "all", 2160: "uhd"} {
		if k, err := set.For(rendition(lines)); err != nil || string(k.IV) != want {
			t.Errorf("%d lines have key %v, want %s", lines, k, want)
		}
	}
	if _, err := (keys.Set{keys.Video: {}}).For(rendition(0)); err == nil || !strings.Contains(err.Error(), "stereo") {
		t.Errorf("sound without a key: %v", err)
	}
}

func TestKeyFilesWithMistakes(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, c := range []struct{ name, text, want string }{
		{"not YAML", "root:" + secret + ":0\n\t- x", "line"},
		{"some other file", "user: " + secret + "\n", "line 1"},
		{"empty", "keys: []\n", "no keys"},
		{"short id", "keys:\n- {id: abcd, key: " + videoKey + "}", "keys[0]: id"},
		{"short key", "keys:\n- {id: " + videoID + ", key: " + secret + "}", "keys[0]: key"},
		{"odd kind", "keys:\n- {for: " + secret + ", id: " + videoID + ", key: " + videoKey + "}", "for: want one of"},
		{"two for one", "keys:\n- {id: " + videoID + ", key: " + videoKey + "}\n- {id: " + videoID + ", key: " + videoKey + "}", "keys[1]: a second key for all"},
		{"odd iv", "keys:\n- {id: " + videoID + ", key: " + videoKey + ", iv: " + secret + "}", "iv"},
		{"odd system", twoKeys + "systems:\n- {name: " + secret + "}", "systems[0]: name"},
		{"system of no key", twoKeys + "systems:\n- {name: clearkey, for: uhd}", "systems[0]: for"},
		{"pssh of another system", twoKeys + "systems:\n- {name: widevine, pssh: AAAANHBzc2gBAAAAmgTweZhAQoarkuZb4IhflQAAAAERERERERERERERERERERERAAAAAA==}", "systems[0]: pssh"},
		{"pssh not base64", twoKeys + "systems:\n- {name: widevine, pssh: '" + secret + "!'}", "systems[0]: pssh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := keys.Parse([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), videoKey) {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

// What a farm does not allow is refused before anything is read or asked.
func TestReferencesAreHeldAgainstTheRules(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	rules := input.Rules{Patterns: []string{"file:" + dir + "/*", "https://keys.example.com/*"}}
	for _, ref := range []string{
		"/etc/passwd", "file:///etc/passwd", server.URL + "/keys", "http://169.254.169.254/keys", "testcard:", "srt://127.0.0.1:99",
		"keys.yaml", "https://user:secret@keys.example.com/speke", "https://keys.example.com/speke#netflix", "https://keys.example.com/speke?token=secret#widevine", filepath.Join(dir, "link"),
	} {
		source, err := keys.Open(ref, rules)
		if err == nil {
			_, err = source.Keys(t.Context(), keys.Content{Job: "gala", Scheme: keys.CBCS})
		}
		me, ok := errors.AsType[*media.Error](err)
		if !ok || me.Retryable || me.Advice == "" || !strings.HasPrefix(me.Message, "keys: ") {
			t.Errorf("%s: %v, want a refusal with advice", ref, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
	if asked.Load() > 0 {
		t.Error("a server that is not allowed was asked")
	}
}

// A key server in trouble is asked again later; one that refuses is not.
func TestKeyServersThatDoNotAnswer(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		retry  bool
		want   string
	}{
		{"in trouble", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusBadGateway) }, true, "502"},
		{"busy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusTooManyRequests) }, true, "429"},
		{"refuses", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) }, false, "403"},
		{"another page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hunter2</html>") }, false, "no CPIX document"},
		{"no keys", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}, false, "not 16 bytes"},
		{"away", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, "keys: read source"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			source, err := keys.Open(server.URL, input.Rules{Patterns: input.Local})
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Keys(t.Context(), keys.Content{Job: "gala", Scheme: keys.CBCS})
			me, ok := errors.AsType[*media.Error](err)
			if !ok || me.Retryable != c.retry || !strings.Contains(me.Error(), c.want) || strings.Contains(me.Error(), "hunter2") {
				t.Errorf("%+v, want %q, to be tried again: %v", err, c.want, c.retry)
			}
		})
	}
}
