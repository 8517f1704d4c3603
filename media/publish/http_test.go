package publish_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/publish"
)

func cut(t *testing.T, dir string, open func(uint64) media.Sink) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(1).Put(ctx, dir+"/1.m4s", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
	if _, err := open(1).Get(t.Context(), dir+"/1.m4s"); !errors.Is(err, media.ErrNotFound) {
		t.Errorf("%v: a put that was cut left something", err)
	}
}

// script answers the n-th request with its n-th handler, the last one for ever.
type script struct {
	mu    sync.Mutex
	steps []http.HandlerFunc
	n     int
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	step := s.steps[min(s.n, len(s.steps)-1)]
	s.n++
	s.mu.Unlock()
	step(w, r)
}

func (s *script) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}
}

func serve(t *testing.T, steps ...http.HandlerFunc) (*publish.HTTP, *script) {
	t.Helper()
	return serveWith(t, impatient(), steps...)
}

func serveWith(t *testing.T, p publish.Patience, steps ...http.HandlerFunc) (*publish.HTTP, *script) {
	t.Helper()
	s := &script{steps: steps}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return sinkWith(t, srv.URL+"/tree", 7, p), s
}

// hang holds the request until its client lets go.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// reset breaks the connection without an answer.
func reset(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func TestPutSurvives(t *testing.T) {
	for name, steps := range map[string][]http.HandlerFunc{
		"burst of 503":    {status(503), status(503), status(502), status(200)},
		"500 then 201":    {status(500), status(201)},
		"too many":        {status(429), status(204)},
		"hang":            {hang, status(200)},
		"reset":           {reset, reset, status(200)},
		"request timeout": {status(408), status(200)},
	} {
		t.Run(name, func(t *testing.T) {
			patience := impatient()
			if name == "hang" {
				patience.Attempt = 100 * time.Millisecond
			}
			s, served := serveWith(t, patience, steps...)
			if err := s.Put(t.Context(), "v/1.m4s", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if n := served.requests(); n < len(steps) {
				t.Errorf("%d requests, want %d", n, len(steps))
			}
		})
	}
}

func TestPutGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		step     http.HandlerFunc
		want     error
		requests int
	}{
		"forbidden":        {status(403), publish.Status{Code: 403}, 1},
		"not found":        {status(404), publish.Status{Code: 404}, 3}, // two folders are asked for
		"not allowed":      {status(405), publish.Status{Code: 405}, 1},
		"not implemented":  {status(501), publish.Status{Code: 501}, 1},
		"conflict, no one": {status(409), publish.Status{Code: 409}, 3},
		"length":           {status(411), publish.Status{Code: 411}, 1},
	} {
		s, served := serve(t, c.step)
		err := s.Put(t.Context(), "v/1.m4s", []byte("x"))
		if !errors.Is(err, c.want) || served.requests() != c.requests {
			t.Errorf("%s: %v after %d requests, want %v at once", name, err, served.requests(), c.want)
		}
		if !strings.Contains(err.Error(), "PUT http://") || !strings.Contains(err.Error(), "/tree/v/1.m4s") {
			t.Errorf("%s: %q does not say what was put where", name, err)
		}
	}
}

// Only a higher epoch in the answer means that a successor has taken over.
func TestSuperseded(t *testing.T) {
	for code, want := range map[int]bool{http.StatusConflict: true, http.StatusPreconditionFailed: true, http.StatusForbidden: false} {
		for owner, higher := range map[string]bool{"8": true, "7": false, "6": false, "x": false} {
			s, served := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(publish.EpochHeader, owner)
				w.WriteHeader(code)
			})
			err := s.Put(t.Context(), "v/media.m3u8", []byte("x"))
			if errors.Is(err, media.ErrSuperseded) != (want && higher) || served.requests() != 1 {
				t.Errorf("%d with epoch %s: %v after %d requests", code, owner, err, served.requests())
			}
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	patience := impatient()
	patience.Total = 300 * time.Millisecond
	s, served := serveWith(t, patience, status(503))
	if err := s.Put(t.Context(), "v/1.m4s", nil); !errors.Is(err, publish.Status{Code: 503}) {
		t.Errorf("%v", err)
	}
	if served.requests() < 2 {
		t.Errorf("gave up after %d requests", served.requests())
	}
}

// The caller's deadline is stricter than the sink's patience, and the error
// still tells what was wrong.
func TestDeadline(t *testing.T) {
	s, _ := serve(t, status(503))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := s.Put(ctx, "v/1.m4s", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v", err)
	}
}

func TestRequestHeaders(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	var body atomic.Value
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body.Store(string(b))
		seen.Store(r)
	})
	for name, kind := range map[string]string{
		"v/media.m3u8": "application/vnd.apple.mpegurl", "v/1.m4s": "video/mp4", "v/init-0.mp4": "video/mp4",
		"manifest.mpd": "application/dash+xml", "x.json": "application/json", "y": "application/octet-stream",
	} {
		must(t, s.Put(t.Context(), name, []byte(name)))
		r := seen.Load()
		if r.Method != "PUT" || r.URL.Path != "/tree/"+name || r.Header.Get("Content-Type") != kind || r.Header.Get("Gala-Epoch") != "7" ||
			r.ContentLength != int64(len(name)) || body.Load() != name {
			t.Errorf("%s: %s %s %v, %d bytes", name, r.Method, r.URL, r.Header, r.ContentLength)
		}
	}
}

// One connection carries many objects.
func TestKeepAlive(t *testing.T) {
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(status(201))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s := httpSink(t, srv.URL, 1)
	for range 20 {
		must(t, s.Put(t.Context(), "v/1.m4s", make([]byte, 10_000)))
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 20 objects", n)
	}
}

// A file is read again from its beginning when the origin was in trouble, and
// its length is told before it comes.
func TestPutFileIsTriedAgain(t *testing.T) {
	var got []byte
	var length int64
	sink, steps := serve(t, status(http.StatusServiceUnavailable), func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		length = r.ContentLength
		w.WriteHeader(http.StatusCreated)
	})
	file := media.Content{Size: 12, Open: func() io.Reader { return io.MultiReader(strings.NewReader("head, "), strings.NewReader("sample")) }}
	if err := sink.PutFile(t.Context(), "v.mp4", file); err != nil {
		t.Fatal(err)
	}
	if string(got) != "head, sample" || length != 12 || steps.requests() != 2 {
		t.Errorf("%q of %d bytes in %d requests", got, length, steps.requests())
	}
}

// In a directory a newer file replaces an older one, unlike a segment.
func TestPutFileReplaces(t *testing.T) {
	dir, err := publish.OpenDir(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"old", "newer"} {
		if err := dir.PutFile(t.Context(), "v.mp4", media.Content{Size: int64(len(text)), Open: func() io.Reader { return strings.NewReader(text) }}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := dir.Get(t.Context(), "v.mp4"); err != nil || string(b) != "newer" {
		t.Errorf("%q %v", b, err)
	}
}
