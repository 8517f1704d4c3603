package supervisor

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// reports remembers what a supervisor told, and lets a test wait for it.
type reports struct {
	mu        sync.Mutex
	news      chan struct{}
	status    map[string]*galav1.WorkerStatus
	outcomes  map[key][]*galav1.Outcome
	proposals []*galav1.AnchorProposal
	probes    map[string]*galav1.ProbeResult
}

func newReports() *reports {
	return &reports{
		news: make(chan struct{}), status: map[string]*galav1.WorkerStatus{},
		outcomes: map[key][]*galav1.Outcome{}, probes: map[string]*galav1.ProbeResult{},
	}
}

func (r *reports) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.news)
	r.news = make(chan struct{})
}

func (r *reports) Report(a *galav1.AssignmentReport) {
	r.change(func() {
		if a.GetStatus() != nil {
			r.status[a.GetAssignment()] = a.GetStatus()
		}
		if a.GetOutcome() != nil {
			k := key{a.GetAssignment(), a.GetEpoch()}
			r.outcomes[k] = append(r.outcomes[k], a.GetOutcome())
		}
	})
}

func (r *reports) Propose(p *galav1.AnchorProposal) {
	r.change(func() { r.proposals = append(r.proposals, p) })
}
func (r *reports) Probed(p *galav1.ProbeResult) { r.change(func() { r.probes[p.GetId()] = p }) }

// await returns when cond holds; cond runs under the lock.
func (r *reports) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late, again := time.After(60*time.Second), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		r.mu.Lock()
		done, news := cond(), r.news
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-again.C: // what cond looks at may change without a report
		case <-late:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func (r *reports) awaitOutcome(t *testing.T, assignment string, epoch uint64) *galav1.Outcome {
	t.Helper()
	k := key{assignment, epoch}
	r.await(t, "the outcome of "+assignment, func() bool { return len(r.outcomes[k]) > 0 })
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.outcomes[k]); n != 1 {
		t.Errorf("%s has %d outcomes, want exactly one", assignment, n)
	}
	return r.outcomes[k][0]
}

func (r *reports) awaitFrames(t *testing.T, assignment string, n int64) {
	t.Helper()
	r.await(t, "frames of "+assignment, func() bool { return framesOf(r.status[assignment]) >= n })
}

// bench is a supervisor that runs for one test.
type bench struct {
	*Supervisor
	*reports
	dir string
	// heard are the outcomes that Config.Ended was told, by device.
	heard map[string]string
	stop  func()
}

// quick are limits for workers that need no time to do anything, on a machine
// that may be busy with other tests.
func quick() Limits {
	return Limits{
		Ready: 20 * time.Second, FinishMargin: 1500 * time.Millisecond, FinishVOD: 1500 * time.Millisecond,
		Now: 1500 * time.Millisecond, Superseded: 1500 * time.Millisecond, Term: 1500 * time.Millisecond,
		Kill: 3 * time.Second, Stacks: 200 * time.Millisecond, Linger: 2 * time.Second, LiveStall: 2 * time.Second,
		SourceSilence: 3 * time.Second, VODStall: 2 * time.Second, FirstFrame: 20 * time.Second,
		Probe: 4 * time.Second, Version: 20 * time.Second, LogBytes: 64 << 10, LogKeep: 4 << 10,
	}
}

func newBench(t *testing.T, dir string, l Limits) *bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{reports: newReports(), dir: dir, heard: map[string]string{}}
	heard := func(a *galav1.Assignment, o *galav1.Outcome) {
		b.change(func() { b.heard[a.GetDevice()] = codeName(o) })
	}
	b.Supervisor, err = New(Config{Dir: dir, Worker: self, Cache: "/compute-cache", Reports: b.reports, Log: slog.New(slog.DiscardHandler), Limits: l, Ended: heard})
	if err != nil {
		t.Fatal(err)
	}
	b.run()
	t.Cleanup(func() { b.stop(); buryAll(t, dir) })
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
}

// buryAll ends what a test left running on purpose.
func buryAll(t *testing.T, dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var id identity
		if runDir(filepath.Join(dir, e.Name())).readJSON(fileProcess, &id) != nil {
			continue
		}
		if p, err := id.find(); err == nil {
			_ = p.signal(syscall.SIGKILL)
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			if p.wait(ctx) != nil {
				t.Errorf("worker %d does not die", id.PID)
			}
			cancel()
			p.leave()
		}
	}
}

func live(id string, s fakeworker.Script) *galav1.Assignment {
	return &galav1.Assignment{
		Id: id, Job: "job-" + id, Kind: galav1.JobKind_JOB_KIND_LIVE, Epoch: 1, Input: s.Input(), Device: "cpu",
		Grid: &galav1.Grid{Fps: &galav1.Rational{Num: 100, Den: 1}, FramesPerGop: 10, GopsPerSegment: 1, Timescale: 100},
	}
}

func vod(id string, s fakeworker.Script) *galav1.Assignment {
	a := live(id, s)
	a.Kind = galav1.JobKind_JOB_KIND_VOD
	return a
}

func framesOf(s *galav1.WorkerStatus) (n int64) {
	for _, r := range s.GetRenditions() {
		n += r.GetFrames()
	}
	return n
}
