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
	Dir        string // runtime directories, one per run
	Worker     string // path of the worker program, never looked up
	Reports    Reports
	Log        *slog.Logger
	Limits     Limits
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
	launch func(*run) // nil before Run, and after it
	closed bool
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
		env:      environment{worker: cfg.Worker, limits: limits, reports: cfg.Reports, oom: newOOMCounter()},
		declared: make(chan runDir, 1024),
		probes:   make(chan *galav1.ProbeRequest, limits.ProbeQueue),
		runs:     map[key]*run{},
	}
	return s, s.adopt()
}

// Run carries all runs until ctx ends; then it leaves the workers running, or
// finishes them.
func (s *Supervisor) Run(ctx context.Context) error {
	during, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var duties sync.WaitGroup
	s.open(func(r *run) { duties.Go(func() { s.carry(during, r) }) })
	duties.Go(func() { s.tidy(during) })
	for range s.env.limits.Probes {
		duties.Go(func() { s.probe(during) })
	}
	<-ctx.Done()
	s.close()
	if s.stopOnExit {
		s.finishAll()
	}
	cancel()
	duties.Wait()
	return nil
}

func (s *Supervisor) open(launch func(*run)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch = launch
	for _, r := range s.runs {
		launch(r)
	}
}

// close refuses what comes from now on.
func (s *Supervisor) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *Supervisor) finishAll() {
	for _, r := range s.held() {
		r.request(newStop(causeFinish, "the agent of this farm ends"))
	}
	for _, r := range s.held() {
		<-r.ended
	}
}

func (s *Supervisor) carry(ctx context.Context, r *run) {
	if !r.live(ctx) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, keyOf(r.spec))
}

// Start runs an assignment. The same one again changes nothing; a higher epoch
// supersedes what is held here, a lower one is refused.
func (s *Supervisor) Start(a *galav1.Assignment) {
	dir, err := runDirOf(s.dir, a)
	r := newRun(&s.env, dir, a, s.log)
	if err == nil {
		err = s.hold(r)
	}
	if err != nil {
		s.env.reports.Report(r.newReport(nil, refusal(err)))
	}
}

// hold enters a run; an error is why it cannot.
func (s *Supervisor) hold(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[keyOf(r.spec)] != nil {
		return nil
	}
	if s.closed {
		return fmt.Errorf("agent: %w", errClosing)
	}
	if len(s.runs) >= s.env.limits.Runs {
		return fmt.Errorf("%w: %d", errFull, len(s.runs))
	}
	for _, other := range s.epochsOf(r.spec.GetId()) {
		if other.spec.GetEpoch() > r.spec.GetEpoch() {
			return fmt.Errorf("%w: epoch %d", errSuperseded, other.spec.GetEpoch())
		}
		other.request(newStop(causeSuperseded, fmt.Sprintf("epoch %d was placed on this agent", r.spec.GetEpoch())))
	}
	s.runs[keyOf(r.spec)] = r
	if s.launch != nil {
		s.launch(r)
	}
	return nil
}

// epochsOf are the runs of one assignment; mu is held.
func (s *Supervisor) epochsOf(assignment string) (found []*run) {
	for k, r := range s.runs {
		if k.assignment == assignment {
			found = append(found, r)
		}
	}
	return found
}

// Stop obeys a directive whose epoch is not below the lease's.
func (s *Supervisor) Stop(d *galav1.StopAssignment) {
	s.mu.Lock()
	found := s.epochsOf(d.GetAssignment())
	s.mu.Unlock()
	for _, r := range found {
		if r.spec.GetEpoch() <= d.GetEpoch() {
			r.request(newStop(causeOf(d.GetMode()), d.GetReason()))
		}
	}
	if len(found) == 0 {
		s.recall(d)
	}
}

// recall answers a stop of something that is not held: with its outcome if it
// is known, so that the asker need not wait for one.
func (s *Supervisor) recall(d *galav1.StopAssignment) {
	a := &galav1.Assignment{Id: d.GetAssignment(), Epoch: d.GetEpoch()}
	o := outcome(galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false, "this agent does not hold the assignment", "")
	if dir, err := runDirOf(s.dir, a); err == nil {
		if spec, err := dir.assignment(); err == nil {
			a = spec
		}
		if known, err := dir.outcome(); err == nil {
			o = known
		}
	}
	s.env.reports.Report(newRun(&s.env, "", a, s.log).newReport(o.GetStatus(), o))
}

// SetAnchor passes a decision to the newest run of its assignment.
func (s *Supervisor) SetAnchor(d *galav1.AnchorDecision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.epochsOf(d.GetAssignment())
	if len(runs) == 0 {
		return
	}
	slices.MaxFunc(runs, func(a, b *run) int { return cmp.Compare(a.spec.GetEpoch(), b.spec.GetEpoch()) }).offer(d.GetAnchor())
}

// Delivered remembers that a scheduler has taken the outcome of a run.
func (s *Supervisor) Delivered(assignment string, epoch uint64) {
	dir, err := runDirOf(s.dir, &galav1.Assignment{Id: assignment, Epoch: epoch})
	if err != nil {
		return
	}
	select {
	case s.declared <- dir:
	default: // reported once more by the next agent
	}
}

// tidy keeps disk work out of the callers' way.
func (s *Supervisor) tidy(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	s.sweep()
	for {
		select {
		case <-ctx.Done():
			return
		case dir := <-s.declared:
			s.declare(dir)
		case <-tick.C:
			s.sweep()
		}
	}
}

func (s *Supervisor) declare(dir runDir) {
	if !dir.has(fileAssignment) {
		return
	}
	if err := dir.write(fileDeclared, nil); err != nil {
		s.log.Warn("mark outcome as delivered", "error", err)
	}
	s.sweep()
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

// Processes are the process ids of the workers, by assignment.
func (s *Supervisor) Processes() map[string]int {
	pids := map[string]int{}
	for _, r := range s.held() {
		r.mu.Lock()
		if r.proc != nil {
			pids[r.spec.GetId()] = r.proc.pid
		}
		r.mu.Unlock()
	}
	return pids
}
