package input

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// hostile are playlists by what they reach for; the words must be in the refusal.
var hostile = map[string][]string{
	"ssrf_canary_file.m3u8":   {"an HLS playlist", "a local file (/tmp/ssrf_canary.ts)"},
	"ssrf_canary_http.m3u8":   {"an HLS playlist", "an internal address (127.0.0.1:18099)"},
	"ssrf_concat.ffconcat":    {"a concat script", "a local file (/etc/passwd)", "a path outside its folder (../../../../etc/hostname)"},
	"ssrf_dotdot.m3u8":        {"an HLS playlist", "a path outside its folder (../"},
	"ssrf_file_abs.m3u8":      {"an HLS playlist", "a local file (/etc/passwd)"},
	"ssrf_http_loopback.m3u8": {"an HLS playlist", "an internal address (127.0.0.1:9)", "an internal address ([::1]:9)"},
	"ssrf_key_file.m3u8":      {"an HLS playlist", "a local file (/etc/hostname)"},
	"ssrf_m3u8_named.mp4":     {"an HLS playlist", "a local file (/etc/passwd)"},
}

// TestHostilePlaylists opens every playlist of the media set, by path and over
// http, with the bait planted: none is read, no request arrives.
func TestHostilePlaylists(t *testing.T) {
	dir := filepath.Join(mediaDir(t), "ssrf")
	plantFile(t, "/tmp/ssrf_canary.ts")
	requests := plantServer(t, "127.0.0.1:18099")
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer web.Close()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(hostile) {
		t.Errorf("the set holds %d playlists, expectations are written for %d", len(entries), len(hostile))
	}
	for _, e := range entries {
		words := append(hostile[e.Name()], "refused", "give the media file itself")
		for _, input := range []string{filepath.Join(dir, e.Name()), web.URL + "/" + e.Name()} {
			t.Run(e.Name(), func(t *testing.T) {
				_, err := Open(t.Context(), input, Rules{Patterns: []string{"*"}})
				wantRefused(t, err, words...)
			})
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests reached the canary server", n)
	}
}

// plantFile makes the file that a default FFmpeg would play.
func plantFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if os.IsExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	if _, err := f.Write(bytes.Repeat(append([]byte{0x47, 0x1f, 0xff, 0x10}, make([]byte, 184)...), 100)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func plantServer(t *testing.T, addr string) *atomic.Int64 {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the canary server needs %s: %v", addr, err)
	}
	n := &atomic.Int64{}
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return n
}

func mediaDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("GALA_MEDIA"), "../../../shared/media/open"} {
		if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); dir != "" && err == nil {
			abs, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	t.Skip("NO REAL MEDIA: set GALA_MEDIA to the folder with MANIFEST.tsv to run this test")
	return ""
}

func TestInspectHead(t *testing.T) {
	for _, c := range []struct{ name, head, refusal string }{
		{"plain playlist", "#EXTM3U\n#EXTINF:4,\nseg1.ts\n", "is an HLS playlist, and playlists are not opened as sources"},
		{"byte order mark", "\xef\xbb\xbf#EXTM3U\nhttps://cdn.test/a.ts", "an HLS playlist, and"},
		{"blank lines first", "\r\n \t#EXTM3U\n/etc/passwd", "a local file (/etc/passwd)"},
		{"another protocol", "#EXTM3U\ngopher://x/1", "another protocol (gopher:)"},
		{"concat protocol", "#EXTM3U\nconcat:/etc/passwd", "another protocol (concat:)"},
		{"network path to metadata", "#EXTM3U\n//169.254.169.254/latest", "an internal address (169.254.169.254)"},
		{"private address", "#EXTM3U\nhttp://192.168.0.1/a.ts", "an internal address (192.168.0.1)"},
		{"localhost", "#EXTM3U\nhttps://LOCALHOST:1/a.ts", "an internal address (LOCALHOST:1)"},
		{"map", "#EXTM3U\n#EXT-X-MAP:URI=\"file:///etc/shadow\"", "a local file (/etc/shadow)"},
		{"unreadable", "#EXTM3U\nhttp://[bad/", "an unreadable address"},
		{"three reasons at most", "#EXTM3U\n/a\n/b\n/c\n/d\n", "(/a), a local file (/b), a local file (/c): refused"},
		{"DASH", "<?xml version=\"1.0\"?>\n<MPD xmlns=\"x\">", "a DASH manifest"},
		{"HTML", "<html><body>no</body></html>", "is an HTML page, not media"},
		{"MP4", "\x00\x00\x00\x18ftypisom", ""},
		{"TS", "\x47\x40\x00\x10", ""},
		{"media that spells <mpd>", "\x1a\x45\xdf\xa3 <mpd", ""},
		{"subtitles that mention EXTM3U", "1\n00:00\n#EXTM3U", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := inspectHead("x", []byte(c.head), func() []byte { return []byte(c.head) })
			if c.refusal == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantRefused(t, err, c.refusal)
		})
	}
}

func FuzzInspectHead(f *testing.F) {
	f.Add([]byte("#EXTM3U\nfile:///etc/passwd\n"))
	f.Add([]byte("ffconcat version 1.0\nfile '/x'\n"))
	f.Add([]byte("<?xml?><MPD>"))
	f.Add([]byte("<html><title>x</title>"))
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, head []byte) {
		err := inspectHead("x", head, func() []byte { return head })
		if err != nil {
			wantRefused(t, err)
		}
		if bytes.HasPrefix(head, []byte("#EXTM3U")) && (err == nil || !strings.Contains(err.Error(), "HLS playlist")) {
			t.Errorf("a playlist was let through: %v", err)
		}
	})
}
