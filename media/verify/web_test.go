package verify

import (
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// server serves a tree as a good origin does; tests spoil one header.
type server struct {
	files    map[string][]byte
	plain    bool
	modified time.Time
	redirect string
	gone     map[string]bool
	asked    []string
	instead  map[string][]byte // from the second request on
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/origin/job/")
	body, ok := s.files[name]
	if later := s.instead[name]; later != nil && slices.Contains(s.asked, name) {
		body = later
	}
	s.asked = append(s.asked, name)
	switch {
	case name == s.redirect:
		s.redirect = ""
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	case !ok || s.gone[name]:
		http.NotFound(w, r)
	case strings.HasSuffix(name, ".m3u8"):
		if !s.modified.IsZero() {
			w.Header().Set("Last-Modified", s.modified.UTC().Format(http.TimeFormat))
		}
		s.playlist(w, body)
	default:
		_, _ = w.Write(body)
	}
}

func (s *server) playlist(w http.ResponseWriter, body []byte) {
	if s.plain {
		_, _ = w.Write(body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

func judgeWeb(t *testing.T, s *server, path string) Report {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return judge(t, Options{Target: web.URL + path, Decoder: paper{}, Parallel: 1})
}

var liveShort = []string{"apple-7.5", "apple-7.6", "apple-8.12"}

func TestLiveOverHTTP(t *testing.T) {
	for _, path := range []string{"/origin/job", "/origin/job/", "/origin/job/master.m3u8"} {
		r := judgeWeb(t, &server{files: onAir().files(t), modified: time.Now()}, path)
		wantOnly(t, r, liveShort...)
		for _, id := range []string{"apple-10.1", "apple-8.18", "apple-8.24"} {
			if res, _ := r.Result(id); res.Status != Pass {
				t.Errorf("%s is %s (%s)", id, res.Status, res.Reason)
			}
		}
	}
}

func TestDeliveryRulesAreSeenFailing(t *testing.T) {
	files := onAir().files(t)
	wantBroken(t, judgeWeb(t, &server{files: files, plain: true}, "/origin/job"), "apple-10.1")
	wantBroken(t, judgeWeb(t, &server{files: files, redirect: "hi/media.m3u8"}, "/origin/job"), "apple-8.18")
	wantBroken(t, judgeWeb(t, &server{files: files, modified: time.Now().Add(-time.Minute)}, "/origin/job"), "apple-8.24")
}

// A segment that leaves the window between the playlist and us is no fault; one
// that is still listed is.
func TestSegmentThatSlidOut(t *testing.T) {
	f := onAir()
	files := f.files(t)
	list := string(files["hi/media.m3u8"])
	from := strings.Index(list, "#EXT-X-PROGRAM-DATE-TIME")
	to := from + 1 + strings.Index(list[from+1:], "#EXT-X-PROGRAM-DATE-TIME")
	slid := strings.Replace(list[:from]+list[to:], "SEQUENCE:900000000", "SEQUENCE:900000001", 1)
	gone := map[string]bool{"hi/900000000.m4s": true}
	r := judgeWeb(t, &server{files: files, gone: gone, instead: map[string][]byte{"hi/media.m3u8": []byte(slid)}}, "/origin/job")
	wantOnly(t, r, liveShort...)
	wantBroken(t, judgeWeb(t, &server{files: files, gone: gone}, "/origin/job"), "files")
}

func TestServerErrorIsNoVerdict(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }))
	defer web.Close()
	r, err := Run(t.Context(), Options{Target: web.URL})
	if ExitCode(r, err) != ExitCannotLook || !strings.Contains(err.Error(), "502") {
		t.Errorf("%v", err)
	}
}

// A live job that leaves a rung out writes its master playlist first and its manifest
// a moment later: who looks in between looks again.
func TestListsThatDisagreeAreReadAgain(t *testing.T) {
	files := onAir().files(t)
	before := strings.Replace(string(files[manifestName]), `<Representation id="lo"`, `<Representation id="left-out"`, 1)
	s := &server{files: maps.Clone(files), modified: time.Now(), instead: map[string][]byte{manifestName: files[manifestName]}}
	s.files[manifestName] = []byte(before)
	wantOnly(t, judgeWeb(t, s, "/origin/job"), liveShort...)
	n := 0
	for _, name := range s.asked {
		if name == manifestName {
			n++
		}
	}
	if n != 2 {
		t.Errorf("the manifest was read %d times, want twice", n)
	}
}
