package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/media"
)

// served is an http server of one object, with faults to order.
type served struct {
	*httptest.Server
	body []byte

	mu       sync.Mutex
	etag     string
	noRange  bool
	status   int    // answer this instead
	location string // with status: redirect
	troubled int    // so many answers more are status, then all is well
	modified string
	cut      int // bytes after which every connection breaks
	shift    int // answer a range that begins this much later
	ranges   []string
	// of the last request
	path, authorization string
}

func serve(t *testing.T, size int) *served {
	t.Helper()
	s := &served{body: make([]byte, size), etag: `"1"`}
	rand.New(rand.NewSource(1)).Read(s.body)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *served) set(f func(*served)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	s.path, s.authorization = r.URL.EscapedPath(), r.Header.Get("Authorization")
	if s.status != 0 {
		if s.troubled--; s.troubled == 0 {
			defer func() { s.status = 0 }()
		}
		w.Header().Set("Location", s.location)
		w.WriteHeader(s.status)
		return
	}
	if m := r.Header.Get("If-Match"); m != "" && m != s.etag {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	if s.modified != "" {
		w.Header().Set("Last-Modified", s.modified)
	}
	from, status := 0, http.StatusOK
	if !s.noRange {
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		from, status = from+s.shift, http.StatusPartialContent
		if from >= len(s.body) && len(s.body) > 0 {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.body)-1, len(s.body)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(s.body)-from))
	w.WriteHeader(status)
	send := s.body[from:]
	if s.cut > 0 && s.cut < len(send) {
		_, _ = w.Write(send[:s.cut])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(send)
}

func (s *served) open(ctx context.Context) (Reader, error) {
	return Open(ctx, s.URL+"/clip.ts", Rules{Patterns: Local})
}

func mustOpen(t *testing.T, s *served) Reader {
	t.Helper()
	r, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// hurried makes a reader of the web try again at once, as often as ever.
func hurried(r Reader) Reader {
	r.(*headReader).Reader.(*web).pauses = make([]time.Duration, len(pauses()))
	return r
}

func wantRetryable(t *testing.T, err error, words string) {
	t.Helper()
	me, ok := errors.AsType[*media.Error](err)
	if !ok || me.Code != media.SourceError || !me.Retryable || me.Advice == "" || !strings.Contains(me.Error(), words) {
		t.Errorf("error %#v, want a source_error that may pass, with advice and %q", err, words)
	}
}

func TestHTTPReadsAndSeeks(t *testing.T) {
	s := serve(t, 3*headSize)
	rapid.Check(t, func(t *rapid.T) {
		r, err := s.open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		want := bytes.NewReader(s.body)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			at := rapid.Int64Range(0, int64(len(s.body))+1).Draw(t, "at")
			n := rapid.IntRange(1, headSize).Draw(t, "n")
			_, _ = want.Seek(at, io.SeekStart)
			if _, err := r.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			a, b := make([]byte, n), make([]byte, n)
			na, ea := io.ReadFull(r, a)
			nb, eb := io.ReadFull(want, b)
			if na != nb || ea != eb || !bytes.Equal(a, b) {
				t.Fatalf("at %d: read %d, %v; want %d, %v", at, na, ea, nb, eb)
			}
		}
	})
}

func TestHTTPKnowsItsObject(t *testing.T) {
	s := serve(t, 10_000)
	r := mustOpen(t, s)
	if r.Size() != 10_000 || !r.Seekable() {
		t.Errorf("size %d, seekable %v", r.Size(), r.Seekable())
	}
	if at, err := r.Seek(-100, io.SeekEnd); at != 9_900 || err != nil {
		t.Errorf("seek from the end: %d, %v", at, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body[9_900:]) {
		t.Errorf("the last bytes: %d of them, %v", len(got), err)
	}
}

func TestHTTPWithoutRanges(t *testing.T) {
	s := serve(t, 3*headSize)
	s.noRange = true
	r := mustOpen(t, s)
	if r.Size() != int64(len(s.body)) || r.Seekable() {
		t.Errorf("size %d, seekable %v; want known and not seekable", r.Size(), r.Seekable())
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := r.Seek(10, io.SeekStart); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("seek: %v", err)
	}
}

// A connection that breaks is opened again where it broke; where no connection
// brings a byte, it is an error that may pass.
func TestHTTPResumes(t *testing.T) {
	s := serve(t, 5*headSize)
	s.cut = headSize + 100
	r := mustOpen(t, s)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(s.body))
	}
	if len(s.ranges) < 4 || s.ranges[1] != fmt.Sprintf("bytes=%d-", s.cut) {
		t.Errorf("ranges asked: %v", s.ranges)
	}
}

func TestHTTPGivesUp(t *testing.T) {
	s := serve(t, 5*headSize)
	s.cut = headSize + 100
	r := hurried(mustOpen(t, s))
	_, err := io.CopyN(io.Discard, r, int64(s.cut))
	if err != nil {
		t.Fatal(err)
	}
	s.CloseClientConnections()
	s.Close()
	_, err = io.ReadAll(r)
	wantRetryable(t, err, "read source "+s.URL)
}

// A server in trouble for a while is waited for; one that then has another
// answer is taken at its word.
func TestHTTPTroubleForAWhile(t *testing.T) {
	for _, status := range []int{500, 503, 429} {
		s := serve(t, 5*headSize)
		s.cut = headSize + 100
		r := hurried(mustOpen(t, s))
		s.set(func(s *served) { s.status, s.troubled = status, len(pauses())-1 })
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body) {
			t.Errorf("%d for a while: read %d bytes, %v", status, len(got), err)
		}
		r = hurried(mustOpen(t, s))
		s.set(func(s *served) { s.status, s.troubled = status, -1 })
		_, err := io.ReadAll(r)
		wantRetryable(t, err, fmt.Sprint("answered ", status))
	}
	s := serve(t, 5*headSize)
	s.cut = headSize + 100
	r := hurried(mustOpen(t, s))
	s.set(func(s *served) { s.status, s.location = 302, "http://169.254.169.254/latest" })
	_, err := io.ReadAll(r)
	wantRefused(t, err, "169.254.169.254")
}

// A short way ahead is read, not asked for: demuxers hop over what they do not want.
func TestHTTPReadsOn(t *testing.T) {
	s := serve(t, 4*readOn)
	r := mustOpen(t, s)
	for at := int64(headSize); at < 3*readOn; at += readOn / 2 {
		b := make([]byte, 10)
		_, _ = r.Seek(at, io.SeekStart)
		if _, err := io.ReadFull(r, b); err != nil || !bytes.Equal(b, s.body[at:at+10]) {
			t.Fatalf("at %d: %v, %v", at, b, err)
		}
	}
	if len(s.ranges) != 1 {
		t.Errorf("%d requests, want one: %v", len(s.ranges), s.ranges)
	}
}

func TestHTTPCutWithoutRanges(t *testing.T) {
	s := serve(t, 5*headSize)
	s.noRange, s.cut = true, 2*headSize
	_, err := io.ReadAll(mustOpen(t, s))
	wantRetryable(t, err, "unexpected EOF")
}

func TestHTTPChangedObject(t *testing.T) {
	for name, change := range map[string]func(*served){
		"412": func(s *served) { s.etag = `"2"` },
		"another length, no tag": func(s *served) {
			s.etag, s.body = "", append(s.body, 1)
		},
		"another date, no tag": func(s *served) { s.modified = "Thu, 26 Nov 2026 11:00:00 GMT" },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, 2*readOn)
			if strings.Contains(name, "no tag") {
				s.etag, s.modified = "", "Thu, 26 Nov 2026 10:00:00 GMT"
			}
			r := mustOpen(t, s)
			s.set(change)
			_, _ = r.Seek(2*readOn-10, io.SeekStart)
			_, err := r.Read(make([]byte, 10))
			wantRefused(t, err, "changed while it was read", "submit the job again")
		})
	}
}

func TestHTTPAnswers(t *testing.T) {
	for status, words := range map[int]string{
		404: "answered 404 Not Found", 403: "answered 403 Forbidden", 401: "answered 401 Unauthorized",
		204: "answered 204", 416: "is empty (0 bytes)",
	} {
		s := serve(t, 100)
		s.status = status
		_, err := s.open(t.Context())
		wantRefused(t, err, words)
	}
	for _, status := range []int{500, 502, 503, 429} {
		s := serve(t, 100)
		s.status = status
		_, err := s.open(t.Context())
		wantRetryable(t, err, fmt.Sprintf("answered %d", status))
	}
}

func TestHTTPEmptyBody(t *testing.T) {
	s := serve(t, 0)
	s.noRange = true
	_, err := s.open(t.Context())
	wantRefused(t, err, "is empty (0 bytes)")
}

func TestHTTPBrokenRanges(t *testing.T) {
	s := serve(t, 2*readOn)
	r := mustOpen(t, s)
	s.set(func(s *served) { s.shift = 1 })
	_, _ = r.Seek(2*readOn-10, io.SeekStart)
	_, err := r.Read(make([]byte, 1))
	wantRefused(t, err, "another range than asked")
	s.set(func(s *served) { s.shift, s.noRange = 0, true })
	_, err = r.Read(make([]byte, 1))
	wantRefused(t, err, "stopped answering Range")
}

func TestHTTPRedirects(t *testing.T) {
	target := serve(t, 3*headSize)
	for _, c := range []struct {
		to       string
		patterns []string
		words    string // of the refusal; "" followed
	}{
		{target.URL + "/clip.ts", Local, ""},
		{"http://169.254.169.254/latest/meta-data/", Local, "never a source"},
		{"http://169.254.169.254/latest/meta-data/", []string{"*"}, "never a source"},
		{"http://[fe80::1]/x", []string{"*"}, "never a source"},
		{"http://0.0.0.0:1/x", []string{"*"}, "never a source"},
		{"file:///etc/passwd", []string{"*"}, "redirects to another protocol (file:)"},
		{"testcard:", []string{"*"}, "redirects to another protocol (testcard:)"},
		{"https://elsewhere.test/x", Local, "elsewhere.test/x is not on this farm's list"},
	} {
		t.Run(c.to+" "+c.patterns[0], func(t *testing.T) {
			s := serve(t, 1)
			s.status, s.location = http.StatusFound, c.to
			r, err := Open(t.Context(), s.URL, Rules{Patterns: c.patterns})
			if c.words != "" {
				wantRefused(t, err, c.words)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
		})
	}
}

func TestHTTPRedirectLoop(t *testing.T) {
	s := serve(t, 1)
	s.status, s.location = http.StatusFound, s.URL
	_, err := s.open(t.Context())
	wantRefused(t, err, "more than 5 times")
}

func TestHTTPNobodyThere(t *testing.T) {
	s := serve(t, 1)
	s.Close()
	_, err := s.open(t.Context())
	wantRetryable(t, err, "connection refused")
	if strings.Count(err.Error(), s.URL) != 1 {
		t.Errorf("%q says the address twice", err)
	}
}

// A server that stops in mid-body is told from one that is slow.
func TestHTTPSilence(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 10))
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	u, _ := Parse(s.URL)
	w, err := openHTTP(t.Context(), u, Rules{Patterns: Local})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	w.patience = 20 * time.Millisecond
	_, err = io.ReadAll(w)
	wantRetryable(t, err, "gone silent")
}

// Closing with a transfer under way, and after every kind of failed open,
// leaves no goroutine and no connection.
func TestHTTPCloseLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := serve(t, 64<<20)
	defer s.Close()
	r, err := s.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, status := range []int{404, 503} {
		s.set(func(s *served) { s.status = status })
		if _, err := s.open(context.Background()); err == nil {
			t.Error("opened")
		}
	}
	s.set(func(s *served) { s.status, s.body = 0, []byte("#EXTM3U\n") })
	if _, err := s.open(context.Background()); err == nil {
		t.Error("opened")
	}
}

func TestHTTPCancelled(t *testing.T) {
	s := serve(t, 64<<20)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	cancel()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("read on after the job was cancelled")
	}
}
