package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Reports takes what workers tell. Its methods never block.
type Reports interface {
	Report(*galav1.AssignmentReport)
	Propose(*galav1.AnchorProposal)
	Probed(*galav1.ProbeResult)
}

// Config of a supervisor.
type Config struct {
	Dir     string // runtime directories, one per run
	Worker  string // path of the worker program, never looked up
	Cache   ComputeCache
	Reports Reports
	Log     *slog.Logger
	Limits  Limits
	// Ended hears of the outcome of each run, if it is not nil. It must not block.
	Ended      func(*galav1.Assignment, *galav1.Outcome)
	StopOnExit bool // finish every worker when Run ends, instead of leaving them to the next agent
}

// Supervisor holds this host's runs.
type Supervisor struct {
	dir        string
	env        environment
	log        *slog.Logger
	stopOnExit bool
	declared   chan runDir
	probes     chan *galav1.ProbeRequest

	mu     sync.Mutex
	runs   map[key]*run
	warm   map[string]warm // by job
	launch func(*run)      // nil before Run, and after it
	closed bool
	undead map[runDir]undead
}

type key struct {
	assignment string
	epoch      uint64
}

func keyOf(a *galav1.Assignment) key { return key{a.GetId(), a.GetEpoch()} }

// New adopts what an earlier agent left running: it is held from here on, so
// that the first Hello names it.
func New(cfg Config) (*Supervisor, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("runtime directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create runtime directory: %w", err)
	}
	limits := cfg.Limits.orDefaults()
	s := &Supervisor{
		dir: dir, log: cfg.Log, stopOnExit: cfg.StopOnExit,
		env:      environment{worker: cfg.Worker, cache: cfg.Cache, limits: limits, reports: cfg.Reports, oom: newOOMCounter(), signal: (*process).signal, ended: cfg.Ended},
		declared: make(chan runDir, 1024),
		probes:   make(chan *galav1.ProbeRequest, limits.ProbeQueue),
		runs:     map[key]*run{}, warm: map[string]warm{}, undead: map[runDir]undead{},
	}
	if s.env.ingests, err = newIngests(filepath.Join(filepath.Dir(dir), "ingests"), cfg.Worker, limits, cfg.Log); err != nil {
		return nil, err
	}
	s.env.ingests.last = cfg.StopOnExit
	return s, s.adopt()
}

// Run carries all runs until ctx ends; then it leaves the workers running, or
// finishes them.
func (s *Supervisor) Run(ctx context.Context) error {
	during, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var duties sync.WaitGroup
	s.open(func(r *run) { duties.Go(func() { s.carry(during, r) }) }, func(d runDir) { duties.Go(func() { s.outlive(during, d) }) })
	s.env.ingests.run(func(n *ingest) { duties.Go(func() { s.env.ingests.carry(during, n) }) })
	duties.Go(func() { s.tidy(during) })
	for range s.env.limits.Probes {
		duties.Go(func() { s.probe(during) })
	}
	<-ctx.Done()
	s.close()
	if s.stopOnExit {
		s.finishAll()
	}
	s.env.ingests.run(nil)
	cancel()
	duties.Wait()
	return nil
}

func (s *Supervisor) open(launch func(*run), outlive func(runDir)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch = launch
	for _, r := range s.runs {
		launch(r)
	}
	for dir := range s.undead {
		outlive(dir)
	}
}

// close refuses what comes from now on.
func (s *Supervisor) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// finishAll ends every worker within a bound that whoever stops the agent can
// count on. A VOD worker's open segment is dropped: it costs a few seconds of
// encoding when the job goes on, and finishing it may take long.
func (s *Supervisor) finishAll() {
	runs := s.held()
	for _, r := range runs {
		r.request(newStop(farewell(r.spec), "the agent of this farm ends"))
	}
	late := time.AfterFunc(s.env.limits.Exit, func() {
		for _, r := range runs {
			r.request(newStop(causeNow, "the agent of this farm ends and cannot wait"))
		}
	})
	defer late.Stop()
	for _, r := range runs {
		<-r.ended
	}
}

func farewell(a *galav1.Assignment) cause {
	if a.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		return causeNow
	}
	return causeLeave
}

func (s *Supervisor) carry(ctx context.Context, r *run) {
	if !r.live(ctx) {
		return
	}
	s.mu.Lock()
	delete(s.runs, keyOf(r.spec))
	if r.undying != nil {
		s.undead[r.dir] = undead{Undying: *r.undying, proc: r.proc}
	}
	s.mu.Unlock()
	if r.undying != nil {
		s.outlive(ctx, r.dir)
	}
}

// Held is every lease that this host holds, adopted ones included.
func (s *Supervisor) Held() (leases []*galav1.HeldLease) {
	for _, r := range s.held() {
		leases = append(leases, &galav1.HeldLease{
			Assignment: r.spec.GetId(), Job: r.spec.GetJob(), Epoch: r.spec.GetEpoch(), Spec: r.spec,
		})
	}
	return leases
}

// held are the runs by assignment, the newest epoch of each last: it is the
// one that counts where only one can be told.
func (s *Supervisor) held() []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.runs), func(a, b *run) int {
		return cmp.Or(cmp.Compare(a.spec.GetId(), b.spec.GetId()), cmp.Compare(a.spec.GetEpoch(), b.spec.GetEpoch()))
	})
}

// Running is one assignment as it runs on this host.
type Running struct {
	Spec   *galav1.Assignment
	PID    int                  // of its worker
	Status *galav1.WorkerStatus // the newest, nil before the first
}

// Running are the assignments that have a worker, by name; one that two epochs
// hold at once is the newer.
func (s *Supervisor) Running() (all []Running) {
	for _, r := range s.held() {
		r.mu.Lock()
		if r.proc != nil {
			if n := len(all); n > 0 && all[n-1].Spec.GetId() == r.spec.GetId() {
				all = all[:n-1]
			}
			all = append(all, Running{Spec: r.spec, PID: r.proc.pid, Status: r.status})
		}
		r.mu.Unlock()
	}
	return all
}
