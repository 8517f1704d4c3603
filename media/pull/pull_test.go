package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// patience is far above what any test takes.
const patience = 20 * time.Second

var anything = input.Rules{Patterns: []string{"*"}}

// site is a web server whose objects tests change.
type site struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]string
	asked   map[string]int
}

func newSite(t *testing.T, objects map[string]string) *site {
	s := &site{objects: objects, asked: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body, ok := s.objects[r.URL.Path]
	s.asked[r.URL.Path]++
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
}

func (s *site) put(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = body
}

// window is a live playlist of segments from to to.
func window(from, to int, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%d\n", from)
	for _, line := range extra {
		b.WriteString(line + "\n")
	}
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:15:%02d.000Z\n#EXTINF:1.0,\n%d.ts\n", n, n)
	}
	return b.String()
}

func segments(from, to int) map[string]string {
	all := map[string]string{}
	for n := from; n <= to; n++ {
		all[fmt.Sprintf("/%d.ts", n)] = fmt.Sprintf("<%d>", n)
	}
	return all
}

func open(t *testing.T, url string, rules input.Rules) []*Track {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	tracks, err := Open(ctx, url, rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, k := range tracks {
			_ = k.Close()
		}
	})
	return tracks
}

// expect reads exactly what is wanted.
func expect(t *testing.T, k *Track, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(k, buf); err != nil || string(buf) != want {
		t.Fatalf("read %q (%v), want %q", buf, err, want)
	}
}

func TestFollowsALivePlaylist(t *testing.T) {
	s := newSite(t, segments(1, 12))
	s.put("/live.m3u8", window(1, 6))
	k := open(t, s.URL+"/live.m3u8", anything)[0]
	expect(t, k, "<4><5><6>") // three from the end
	if at, ok := k.Began(); !ok || !at.Equal(time.Date(2026, 11, 22, 20, 15, 4, 0, time.UTC)) {
		t.Errorf("it began at %v", at)
	}
	s.put("/live.m3u8", window(3, 8))
	expect(t, k, "<7><8>")
	s.put("/live.m3u8", window(2, 7)) // a cache that is behind
	s.put("/live.m3u8", window(11, 12))
	expect(t, k, "<11><12>")
	if k.missed != 2 {
		t.Errorf("%d segments were missed, want 2", k.missed)
	}
	s.put("/live.m3u8", window(11, 12)+"#EXT-X-ENDLIST\n")
	if _, err := k.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestSegmentsThatAreNotThere(t *testing.T) {
	s := newSite(t, segments(1, 6))
	delete(s.objects, "/5.ts")
	s.put("/live.m3u8", strings.Replace(window(1, 6), "#EXTINF:1.0,\n4.ts", "#EXT-X-GAP\n#EXTINF:1.0,\n4.ts", 1))
	k := open(t, s.URL+"/live.m3u8", anything)[0]
	expect(t, k, "<6>")
	if k.missed != 2 {
		t.Errorf("%d were missed, want 2", k.missed)
	}
}

func TestInitSegmentsAndRanges(t *testing.T) {
	s := newSite(t, map[string]string{"/init.mp4": "{init}", "/all.mp4": "aaabbbccc"})
	s.put("/live.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"init.mp4\"\n"+
		"#EXTINF:1,\n#EXT-X-BYTERANGE:3@0\nall.mp4\n#EXTINF:1,\n#EXT-X-BYTERANGE:3@3\nall.mp4\n#EXTINF:1,\n#EXT-X-BYTERANGE:3@6\nall.mp4\n")
	k := open(t, s.URL+"/live.m3u8", anything)[0]
	expect(t, k, "{init}aaabbbccc")
}

func TestRichestVariantWithItsSound(t *testing.T) {
	s := newSite(t, segments(1, 3))
	s.put("/master.m3u8", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"fr\",URI=\"fr.m3u8\"\n"+
		"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",DEFAULT=YES,URI=\"en.m3u8\"\n"+
		"#EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO=\"a\"\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900,AUDIO=\"a\"\nhigh.m3u8\n"+
		"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000,URI=\"trick.m3u8\"\n")
	s.put("/high.m3u8", window(1, 3))
	s.put("/en.m3u8", strings.ReplaceAll(window(1, 3), ".ts", ".aac"))
	for n := range 4 {
		s.put(fmt.Sprintf("/%d.aac", n), fmt.Sprintf("[%d]", n))
	}
	tracks := open(t, s.URL+"/master.m3u8", anything)
	if len(tracks) != 2 {
		t.Fatalf("%d tracks", len(tracks))
	}
	expect(t, tracks[0], "<1><2><3>")
	expect(t, tracks[1], "[1][2][3]")
}

// A playlist is no way to what its address would be refused for.
func TestReachingOut(t *testing.T) {
	canary := newSite(t, map[string]string{"/secret.ts": "secret", "/1.ts": "secret"})
	s := newSite(t, nil)
	s.objects = map[string]string{}
	only := input.Rules{Patterns: []string{s.URL + "/*"}}
	for name, list := range map[string]string{
		"a file":          "#EXTINF:1,\nfile:///etc/passwd\n",
		"another server":  "#EXTINF:1,\n" + canary.URL + "/secret.ts\n",
		"metadata":        "#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data/\n",
		"an init segment": "#EXT-X-MAP:URI=\"" + canary.URL + "/secret.ts\"\n#EXTINF:1,\n1.ts\n",
		"a key":           "#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"\n#EXTINF:1,\n1.ts\n",
		"a protocol":      "#EXTINF:1,\nconcat:/etc/passwd\n",
	} {
		s.put("/live.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"+list)
		s.put("/1.ts", "fine")
		tracks, err := Open(t.Context(), s.URL+"/live.m3u8", only)
		if err == nil {
			var got []byte
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			buf := make([]byte, 64)
			for err == nil && ctx.Err() == nil {
				var n int
				n, err = tracks[0].Read(buf)
				got = append(got, buf[:n]...)
			}
			cancel()
			if bytes.Contains(got, []byte("secret")) || bytes.Contains(got, []byte("root:")) {
				t.Errorf("%s was read: %q", name, got)
			}
		}
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Advice == "" || me.Retryable {
			t.Errorf("%s: %v, want a refusal with advice", name, err)
		}
		for _, k := range tracks {
			_ = k.Close()
		}
	}
	if len(canary.asked) > 0 {
		t.Errorf("the other server was asked for %v", canary.asked)
	}
}

func TestNotALivePlaylist(t *testing.T) {
	s := newSite(t, map[string]string{"/page.m3u8": "<html>", "/ended.m3u8": window(1, 3) + "#EXT-X-ENDLIST\n", "/empty.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"})
	for path, retry := range map[string]bool{"/page.m3u8": false, "/ended.m3u8": true, "/none.m3u8": true} {
		_, err := Open(t.Context(), s.URL+path, anything)
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Advice == "" || me.Retryable != retry {
			t.Errorf("%s: %+v", path, err)
		}
	}
}

// The address of a playlist that is signed keeps its signature, and so do those
// that it names.
func TestErrorsKeepSignatures(t *testing.T) {
	s := newSite(t, map[string]string{"/none.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=", "/none.mpd": "<MPD",
		"/odd.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na%zz?sig=SECRET\n"})
	for _, name := range []string{"/none.m3u8", "/none.mpd", "/odd.m3u8", "/gone.m3u8"} {
		for _, query := range []string{"?sv=2021-12-02&sig=SECRET", "?Expires=1&Signature=SECRET"} {
			_, err := Open(t.Context(), s.URL+name+query, anything)
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%s%s: %v", name, query, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(window(1, 3))
	f.Add("#EXTM3U\n#EXT-X-MAP:URI=\"x\"\n#EXT-X-KEY:METHOD=NONE\nx\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = parse(&url.URL{Scheme: "http", Host: "a", Path: "/b.m3u8"}, []byte(text))
	})
}
