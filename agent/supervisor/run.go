package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// run is one assignment under one epoch: from the directive to the outcome.
type run struct {
	spec    *galav1.Assignment
	dir     runDir
	env     *environment
	log     *slog.Logger
	ended   chan struct{} // closed when the outcome is reported
	stops   chan struct{} // poked when stop changes
	anchors chan *galav1.AnchorDecision
	orders  chan *galav1.InputOrder
	release []func() // of the ingests; of live

	mu       sync.Mutex
	proc     *process // nil before the spawn
	ready    bool
	stop     *stopRecord
	status   *galav1.WorkerStatus
	proposal *galav1.Anchor  // not answered yet
	of       uint32          // the input that it is of
	word     *galav1.Outcome // what Watch ended with
	undying  *Undying        // set when it was killed and lives on
}

// environment is what all runs of a supervisor share.
type environment struct {
	worker  string
	cache   ComputeCache
	limits  Limits
	reports Reports
	ingests *ingests
	oom     oomCounter
	signal  func(*process, syscall.Signal) error // (*process).signal
	ended   func(*galav1.Assignment, *galav1.Outcome)
}

func newRun(env *environment, dir runDir, spec *galav1.Assignment, log *slog.Logger) *run {
	return &run{
		spec: spec, dir: dir, env: env,
		log:     log.With("worker", spec.GetId(), "lease", spec.GetEpoch(), "job", spec.GetJob()),
		ended:   make(chan struct{}),
		stops:   make(chan struct{}, 1),
		anchors: make(chan *galav1.AnchorDecision, 1),
		orders:  make(chan *galav1.InputOrder, 1),
	}
}

// live carries the run to its outcome, or leaves the worker running when ctx
// ends first. It says which.
func (r *run) live(ctx context.Context) (over bool) {
	kills := r.env.oom.read()
	if r.adopted() {
		if _, err := r.withIngest(); err != nil {
			r.log.Warn("hold the source of an adopted worker", "error", err)
		}
	} else if o := r.start(); o != nil {
		r.conclude(o)
		return true
	}
	switch err := r.attend(ctx); {
	case errors.Is(err, errUndying):
		r.giveUp()
		return true
	case err != nil:
		r.proc.leave()
		return false
	}
	e := r.evidence(r.proc.reap())
	e.oomKill = r.env.oom.read() > kills
	r.conclude(judge(e))
	return true
}

func (r *run) adopted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc != nil
}

// start spawns the worker. The outcome says why there is none.
func (r *run) start() *galav1.Outcome {
	if stop := r.stopping(); stop != nil {
		o := judge(evidence{stop: stop})
		o.Message = "stopped before it was started: " + stop.Reason
		return o
	}
	// An epoch runs once: whatever happened to it before is its outcome.
	if r.dir.has(fileAssignment) {
		return judge(r.evidence(exit{}))
	}
	spec, err := r.withIngest()
	if err != nil {
		return refusal(err)
	}
	if err := r.dir.create(spec); err != nil {
		return notStarted(err)
	}
	p, err := spawn(r.env.worker, r.env.cache, r.dir, r.spec)
	if err != nil {
		return notStarted(err)
	}
	r.mu.Lock()
	r.proc = p
	r.mu.Unlock()
	r.log.Info("worker started", "pid", p.pid, "dir", string(r.dir))
	return nil
}

// withIngest is the assignment with the directories of the ingests that hold its
// source and its backups here, until the run is over. A backup that cannot be held
// is left out.
func (r *run) withIngest() (*galav1.Assignment, error) {
	if !runsByItself(r.spec.GetKind(), r.spec.GetInput()) {
		return r.spec, nil
	}
	spec := proto.CloneOf(r.spec)
	dir, err := r.hold(0, r.spec.GetInput())
	if err != nil {
		return nil, err
	}
	spec.Ingest = dir
	for i, b := range spec.GetBackups() {
		if b.Ingest, err = r.hold(i+1, b.GetUrl()); err != nil {
			r.log.Warn("backup not held", "input", i+1, "error", err)
		}
	}
	return spec, nil
}

func (r *run) hold(input int, url string) (dir string, err error) {
	dir, release, err := r.env.ingests.hold(taskOf(r.spec.GetJob(), input, url, r.spec.GetAllowedSources()))
	if err == nil {
		r.release = append(r.release, release)
	}
	return dir, err
}

func notStarted(err error) *galav1.Outcome {
	return outcome(galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true, "the worker could not be started: "+err.Error(),
		"check gala-worker beside gala-agent, and the disk of the agent's data directory")
}

// attend returns nil when the process has ended, and errUndying when even a kill
// does not end it.
func (r *run) attend(ctx context.Context) error {
	conn, err := dialWorker(r.dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	during, cancel := context.WithCancel(ctx)
	waiting, end := context.WithCancelCause(ctx)
	defer end(nil)
	var duties sync.WaitGroup
	for _, duty := range []func(context.Context, *grpc.ClientConn){r.watch, r.guard, r.answer} {
		duties.Go(func() { duty(during, conn) })
	}
	duties.Go(func() { r.climb(during, conn, func() { end(errUndying) }) })
	err = r.proc.wait(waiting)
	cancel()
	duties.Wait()
	switch {
	case err == nil || r.proc.ended():
		return nil
	case errors.Is(context.Cause(waiting), errUndying):
		return errUndying
	}
	return err
}

func (r *run) evidence(x exit) evidence {
	written, err := r.dir.outcome()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.word != nil {
		written = r.word
	}
	return evidence{written: written, writeErr: err, exit: x, stop: r.stop, log: r.dir.quote()}
}

// conclude completes the record on disk and reports the outcome.
func (r *run) conclude(o *galav1.Outcome) {
	o = proto.CloneOf(o)
	r.mu.Lock()
	if o.Status == nil {
		o.Status = r.status
	}
	status := o.Status
	r.mu.Unlock()
	if o.EndedAt == nil {
		o.EndedAt = timestamppb.New(time.Now())
	}
	if _, err := r.dir.outcome(); err != nil && r.dir.has(fileAssignment) {
		if err := r.dir.writeOutcome(o); err != nil {
			r.log.Warn("outcome not on disk", "error", err)
		}
	}
	r.log.Info("worker ended", "outcome", codeName(o), "message", o.GetMessage())
	for _, release := range r.release {
		release()
	}
	r.env.reports.Report(r.newReport(status, o))
	if r.env.ended != nil {
		r.env.ended(r.spec, o)
	}
	close(r.ended)
}

func (r *run) newReport(s *galav1.WorkerStatus, o *galav1.Outcome) *galav1.AssignmentReport {
	return &galav1.AssignmentReport{
		Assignment: r.spec.GetId(), Job: r.spec.GetJob(), Epoch: r.spec.GetEpoch(), Status: s, Outcome: o,
	}
}

func (r *run) stopping() *stopRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop
}

// request asks for a stop; the stop ladder does the rest.
func (r *run) request(rec stopRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !rec.overrides(r.stop) {
		return
	}
	r.stop = &rec
	r.poke()
}

func (r *run) poke() {
	select {
	case r.stops <- struct{}{}:
	default:
	}
}
