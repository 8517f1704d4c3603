package publish_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/media/publish"
)

// receiver is one of CMAF ingest. It wants a header first; forget makes it a
// new one.
type receiver struct {
	mu     sync.Mutex
	known  map[string]bool
	got    []string
	answer int // to the next request, 0: as it should
	forbid int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	path := req.URL.Path
	switch {
	case r.forbid > 0:
		r.forbid--
		w.WriteHeader(http.StatusForbidden)
		return
	case r.answer > 0:
		w.WriteHeader(r.answer)
		r.answer = 0
		return
	case strings.HasPrefix(string(body), "header"):
		r.known[path] = true
	case !r.known[path]:
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	r.got = append(r.got, req.Method+" "+path+" "+req.Header.Get("Content-Type")+" "+string(body))
	w.WriteHeader(http.StatusOK)
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = map[string]bool{}
}

func (r *receiver) said(answer, forbid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.forbid = answer, forbid
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func point(t *testing.T) (*receiver, *publish.Ingest) {
	t.Helper()
	r := &receiver{known: map[string]bool{}}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL + "/live/derby?ingest=cmaf&key=7")
	must(t, err)
	sink := publish.NewIngest(u, 1, impatient(), func(rendition string) string {
		return map[string]string{"720p": "cmfv", "stereo": "cmfa"}[rendition]
	})
	t.Cleanup(func() { _ = sink.Close() })
	return r, sink
}

func TestIngest(t *testing.T) {
	r, sink := point(t)
	for _, o := range []struct{ path, body string }{
		{"720p/init-1.mp4", "header v"}, {"stereo/init-2.mp4", "header a"}, {"720p/7.m4s", "v7"}, {"720p/iframes.m3u8", "no"}, {"720p/media.m3u8", "no"},
		{"stereo/7.m4s", "a7"}, {"text-eng/7.vtt", "no"}, {"master.m3u8", "no"}, {"manifest.mpd", "no"}, {"720p/8.m4s", "v8"},
	} {
		must(t, sink.Put(t.Context(), o.path, []byte(o.body)))
	}
	must(t, sink.Delete(t.Context(), "720p/7.m4s"))
	want := []string{
		"PUT /live/derby/Streams(720p.cmfv) video/mp4 header v",
		"PUT /live/derby/Streams(stereo.cmfa) audio/mp4 header a",
		"PUT /live/derby/Streams(720p.cmfv) video/mp4 v7",
		"PUT /live/derby/Streams(stereo.cmfa) audio/mp4 a7",
		"PUT /live/derby/Streams(720p.cmfv) video/mp4 v8",
	}
	if got := r.taken(); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// "Failure Behaviors": whatever goes wrong, the header goes before the segment
// again.
func TestIngestSendsTheHeaderAgainOnDoubt(t *testing.T) {
	again := []string{"PUT /live/derby/Streams(720p.cmfv) video/mp4 header v", "PUT /live/derby/Streams(720p.cmfv) video/mp4 v8"}
	for name, trouble := range map[string]func(*receiver){
		"a new receiver":    (*receiver).forget,
		"a server error":    func(r *receiver) { r.said(http.StatusServiceUnavailable, 0) },
		"no such point yet": func(r *receiver) { r.said(http.StatusNotFound, 0) },
		"bad request":       func(r *receiver) { r.said(http.StatusBadRequest, 0) },
		"forbidden once":    func(r *receiver) { r.said(0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			r, sink := point(t)
			must(t, sink.Put(t.Context(), "720p/init-1.mp4", []byte("header v")))
			must(t, sink.Put(t.Context(), "720p/7.m4s", []byte("v7")))
			r.taken()
			trouble(r)
			must(t, sink.Put(t.Context(), "720p/8.m4s", []byte("v8")))
			if got := r.taken(); !slices.Equal(got, again) {
				t.Errorf("got\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// One that refuses for good is told at once; the next segment tries again.
func TestIngestThatForbids(t *testing.T) {
	r, sink := point(t)
	r.said(0, 2)
	began := time.Now()
	err := sink.Put(t.Context(), "720p/init-1.mp4", []byte("header v"))
	if err == nil || !strings.Contains(err.Error(), "403") || time.Since(began) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	must(t, sink.Put(t.Context(), "720p/7.m4s", []byte("v7")))
	if got := r.taken(); len(got) != 2 {
		t.Errorf("got %v", got)
	}
}
