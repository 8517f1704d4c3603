package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// blackHole takes connections and never says a word.
func blackHole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	var mu sync.Mutex
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			held = append(held, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range held {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String() + "/in"
}

// deadHost is an address where nothing listens.
func deadHost(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/in"
}

// sick answers 503 until it is cured, then it is a plain store.
type sick struct {
	cured   atomic.Bool
	objects sync.Map
}

func (s *sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case !s.cured.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method == http.MethodPut:
		s.objects.Store(r.URL.Path, body)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete:
		s.objects.Delete(r.URL.Path)
	default:
		if b, ok := s.objects.Load(r.URL.Path); ok {
			if strings.HasSuffix(r.URL.Path, ".m3u8") {
				w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
			}
			_, _ = w.Write(b.([]byte))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

// slow reads a few kilobytes a second, less than any rendition has.
func slow(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for buf := make([]byte, 512); ; {
		if _, err := r.Body.Read(buf); err != nil {
			break
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
	w.WriteHeader(http.StatusCreated)
}

func outputAt(job *galav1.Job, url string) *galav1.OutputStatus {
	for _, o := range job.GetOutputStates() {
		if strings.HasPrefix(o.GetUrl(), url) {
			return o
		}
	}
	return nil
}

// told counts a job's events of a kind that name an address.
func told(job *galav1.Job, kind, url string) (n int) {
	for _, e := range job.GetEvents() {
		if e.GetKind() == kind && strings.Contains(e.GetCause(), url) {
			n++
		}
	}
	return n
}

// One programme goes to many takers, and half of them are sick in their own
// way: the others get every segment on time, each trouble is told once, one
// that gets well gets what comes then, and the end waits for nobody.
func TestManyOutputs(t *testing.T) {
	t.Parallel()
	o := startOrigin(t)
	s := &sick{}
	ill := httptest.NewServer(s)
	t.Cleanup(ill.Close)
	lame := httptest.NewServer(http.HandlerFunc(slow))
	t.Cleanup(lame.CloseClientConnections)
	dir := filepath.Join(t.TempDir(), "www")
	f := farm.Start(t)
	c := f.Client()
	well := []string{f.Origin(""), o.url(""), dir}
	bad := []string{deadHost(t), blackHole(t), ill.URL + "/in", lame.URL + "/in"}
	args := []string{"live", "submit", "--id", "gala", "--input", card, "--ladder", "mini"}
	for _, to := range append(append([]string{}, bad...), well...) {
		args = append(args, "--to", to)
	}
	f.Must(args...)
	before := segments(t, f, c, "gala", 3)
	farm.Until(t, 120*time.Second, "the four troubles are told", func() bool {
		job := f.Job(c, "gala")
		for _, to := range bad {
			if told(job, "output_trouble", to) == 0 {
				return false
			}
		}
		return true
	})
	s.cured.Store(true)
	farm.Until(t, 90*time.Second, "the sick one is well", func() bool {
		return told(f.Job(c, "gala"), "output_recovered", ill.URL) == 1
	})
	job := goesOn(t, f, c, "gala", newest(before), 10)
	if job.GetState() != galav1.JobState_JOB_STATE_RUNNING || job.GetAttempts() != 1 {
		t.Errorf("%v after %d attempts", job.GetState(), job.GetAttempts())
	}
	for _, to := range bad {
		if n := told(job, "output_trouble", to); n != 1 {
			t.Errorf("the trouble of %s is told %d times", to, n)
		}
		if st := outputAt(job, to); st == nil || st.GetLost() == 0 {
			t.Errorf("%s: %v, want some lost", to, st)
		}
	}
	for _, to := range well {
		st := outputAt(job, strings.TrimPrefix(to, dir))
		if to == dir {
			st = outputAt(job, "file://"+dir)
		}
		if st == nil || st.GetState() != galav1.OutputState_OUTPUT_STATE_WELL || st.GetLost() > 0 || st.GetBehind() > 1 {
			t.Errorf("%s: %v, want it well", to, st)
		}
	}
	show := f.Must("live", "show", "gala")
	for _, words := range []string{"OUTPUT", "in trouble for", "well", deadHostOf(bad[0])} {
		if !strings.Contains(show, words) {
			t.Errorf("gala live show lacks %q:\n%s", words, show)
		}
	}
	t.Logf("\n%s", show)
	began := time.Now()
	stopped(t, f, c, "gala")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the end took %v", took)
	}
	verify(t, f, "gala")
	verifyAt(t, f, o.url("gala"))
	verifyAt(t, f, filepath.Join(dir, "gala"))
}

func deadHostOf(url string) string { return strings.TrimPrefix(url, "http://") }
