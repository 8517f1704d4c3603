package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// followed reads a source that grows at a test's pace: on is called instead of
// each pause.
func followed(t *testing.T, source string, on func()) (Reader, error) {
	t.Helper()
	r, err := Open(t.Context(), source, Rules{Patterns: Local, Pause: func(ctx context.Context, _ time.Duration) error {
		on()
		return ctx.Err()
	}})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = r.Close() })
	if w, ok := r.(*headReader).Reader.(*growing).Reader.(*web); ok {
		w.pauses = make([]time.Duration, len(pauses()))
	}
	if r.Size() != -1 || r.Seekable() {
		t.Errorf("%s: size %d, seekable %v; want neither", source, r.Size(), r.Seekable())
	}
	return r, nil
}

func mustFollow(t *testing.T, source string, on func()) Reader {
	t.Helper()
	r, err := followed(t, source, on)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGrowingFile(t *testing.T) {
	body := serve(t, 4*headSize).body
	name := filepath.Join(t.TempDir(), "clip #1.ts")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pauses := 0
	r := mustFollow(t, "file://"+filepath.Dir(name)+"/clip%20%231.ts#growing", func() {
		pauses++
		if at := (pauses - 4) * headSize; at >= 0 && at < len(body) { // empty until then
			if _, err := f.Write(body[at : at+headSize]); err != nil {
				t.Error(err)
			}
		}
	})
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(body))
	}
	// The end is remembered: nothing waits for it again.
	ended := pauses
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) || pauses != ended {
		t.Errorf("after the end: %d bytes, %v, %d pauses more", n, err, pauses-ended)
	}
}

// A server in trouble is no end: it is asked again.
func TestGrowingOnTheWeb(t *testing.T) {
	s := serve(t, 4*headSize)
	body := s.body
	s.body = body[:2*headSize]
	grow := func() {
		s.set(func(s *served) {
			if len(s.body) < len(body) {
				s.body, s.etag, s.troubled, s.status = body, `"2"`, 4, 503
			}
		})
	}
	r := mustFollow(t, s.URL+"/clip.ts#growing", grow)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(body))
	}
	s.noRange = true
	_, err := Open(t.Context(), s.URL+"/clip.ts#growing", Rules{Patterns: Local})
	wantRefused(t, err, "no Range support", "when it is whole")
}

// What keeps a source from being read further is no end of it either.
func TestGrowingSourceIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose  func(*served)
		words string
		final bool
	}{
		"gone":      {func(s *served) { s.status = 404 }, "answered 404", true},
		"forbidden": {func(s *served) { s.status = 401 }, "answered 401", true},
		"in order":  {func(s *served) { s.noRange = true }, "stopped answering Range", true},
		"trouble":   {func(s *served) { s.status = 503 }, "answered 503", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, 2*headSize)
			r := mustFollow(t, s.URL+"/clip.ts#growing", func() { s.set(c.lose) })
			got, err := io.ReadAll(r)
			if len(got) != 2*headSize {
				t.Errorf("%d bytes", len(got))
			}
			if c.final {
				wantRefused(t, err, c.words)
				return
			}
			wantRetryable(t, err, c.words)
		})
	}
	s := serve(t, 2*headSize)
	r := mustFollow(t, s.URL+"/clip.ts#growing", s.Close)
	_, err := io.ReadAll(r)
	wantRetryable(t, err, "read source")
}

func TestGrowingWithoutATotal(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 0-99/*")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = fmt.Fprintf(w, "%100d", 0)
	}))
	defer s.Close()
	_, err := Open(t.Context(), s.URL+"/clip.ts#growing", Rules{Patterns: Local})
	wantRefused(t, err, "does not say how long it is", "when it is whole")
}

// Who only looks waits for a moment, whatever the address says.
func TestGlanceAtAGrowingSource(t *testing.T) {
	s := serve(t, 2*headSize)
	var waited time.Duration
	look := Rules{Patterns: Local, Glance: true, Pause: func(_ context.Context, d time.Duration) error { waited += d; return nil }}
	r, err := Open(t.Context(), s.URL+"/clip.ts#growing=45s", look)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if got, err := io.ReadAll(r); err != nil || len(got) != 2*headSize || waited != quietGlance {
		t.Errorf("%d bytes, %v, after %v", len(got), err, waited)
	}
	name := filepath.Join(t.TempDir(), "empty.ts")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.body = nil
	for _, source := range []string{"file://" + name, s.URL + "/clip.ts"} {
		waited = 0
		_, err = Open(t.Context(), source+"#growing", look)
		wantRetryable(t, err, "has no bytes yet")
		if waited > quietGlance {
			t.Errorf("%s: waited %v", source, waited)
		}
	}
	s.status = 416
	_, err = Open(t.Context(), s.URL+"/clip.ts#growing", look)
	wantRetryable(t, err, "has no bytes yet")
}

func TestGrowth(t *testing.T) {
	for source, want := range map[string]time.Duration{
		"file:///a.ts#growing": quietDefault, "https://h/a.ts?x=1#growing=5s": 5 * time.Second, "https://h/a.ts#t=10": 0, "/a#growing": 0, "https://h/a.ts#program=2&growing=1s": time.Second,
	} {
		u, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := growth(u); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
	for _, source := range []string{"file:///a.ts#growing=0s", "file:///a.ts#growing=999ms", "http://h/a.ts#growing=1h", "file:///a.ts#growing=soon"} {
		_, err := Parse(source)
		wantRefused(t, err, "#growing=30s", "at least 1s and at most 45s")
	}
	_, err := Parse("s3://b/k#growing")
	wantRefused(t, err, "cannot be followed", "upload is complete")
}

// A wait for more ends with the job.
func TestGrowingIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := follow(ctx, ended{}, time.Hour, Rules{})
	cancel()
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// ended is a reader at its end.
type ended struct{ Reader }

func (ended) Read([]byte) (int, error) { return 0, io.EOF }
