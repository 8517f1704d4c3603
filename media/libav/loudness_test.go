package libav

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
)

// slow serves one file without Range support. It stops in the middle of each
// answer and asks whether to go on.
type slow struct {
	body []byte
	goOn func(r *http.Request) bool
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	half := len(s.body) / 2
	_, _ = w.Write(s.body[:half])
	_ = http.NewResponseController(w).Flush()
	if !s.goOn(r) {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(s.body[half:])
}

// loudClip is a pipeline of one rendition with a loudness, over a source on s.
func loudClip(t *testing.T, s *slow) (*Pipeline, *collector) {
	t.Helper()
	file := smallClip(t, "clip.mkv", "-b:v", "2M")
	var err error
	if s.body, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	spec := clipSpec(t, server.URL+"/clip.mkv", facts)
	spec.Renditions = []ladders.Rendition{aac("a", func(a *ladders.Audio) { a.Loudness = &ladders.Loudness{Target: -2300, TruePeak: -100} })}
	out := newCollector()
	return open(t, Options{Spec: spec, Output: out}), out
}

// A server drops a connection that nobody reads from while another is busy:
// none is open while the loudness is measured but the one that measures.
func TestNoConnectionWaitsForTheLoudness(t *testing.T) {
	var mu sync.Mutex
	newest, next := 0, make(chan struct{})
	p, out := loudClip(t, &slow{goOn: func(r *http.Request) bool {
		mu.Lock()
		newest++
		mine := newest
		close(next)
		next = make(chan struct{})
		another := next
		mu.Unlock()
		select {
		case <-another:
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond):
		}
		mu.Lock()
		defer mu.Unlock()
		return mine == newest
	}})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(out.packets["a"]); n < 180 {
		t.Errorf("%d frames", n)
	}
}

// A stop that is asked for while the loudness is measured ends the measuring.
func TestStopWhileTheLoudnessIsMeasured(t *testing.T) {
	var requests atomic.Int64
	listening := make(chan struct{})
	p, out := loudClip(t, &slow{goOn: func(r *http.Request) bool {
		switch requests.Add(1) {
		case 1:
			return true // the probe
		case 2:
			close(listening)
		}
		<-r.Context().Done()
		return false
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-listening
	p.Stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || len(out.packets["a"]) > 0 {
		t.Errorf("context: %v; %d frames came out", ctx.Err(), len(out.packets["a"]))
	}
	// One that is asked for before is heeded as well.
	if err := p.measureLoudness(t.Context()); err != errFinished { //nolint:errorlint // a sentinel of this package
		t.Errorf("measured after the stop: %v", err)
	}
}
