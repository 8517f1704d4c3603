package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
	"github.com/galafarm/gala/timeline"
)

// farm is a whole farm without a clock, a store or a wire: records by id, the
// fleet view, and agents that do what they are told. Whatever happens is
// written to trace.
type farm struct {
	now     time.Time
	settled time.Time
	view    *fleet.View
	used    reconcile.Used
	jobs    map[string]job.Job
	agents  map[string]*host
	wakes   map[string]time.Time
	blocked map[string]bool
	session fleet.Session
	stale   bool // the next write finds that somebody was faster
	trace   []string
	// granted is every (assignment, epoch) that ever left, with its agent.
	granted map[string]string
	broken  []string // invariants that did not hold
}

// host is an agent with its workers.
type host struct {
	name      string
	instance  int
	pixels    int64
	session   fleet.Session
	connected bool
	beating   bool
	workers   map[string]*worker // by assignment
	inbox     []fleet.Event      // probes to answer
}

// worker runs one assignment.
type worker struct {
	job     string
	epoch   uint64
	segment int64
	rs      []ladders.Rendition
}

func newFarm() *farm {
	start := time.Date(2026, 7, 19, 20, 0, 0, 0, time.UTC)
	return &farm{
		now: start, settled: start, view: fleet.New(fleet.DefaultTiming()), used: reconcile.Used{}, jobs: map[string]job.Job{},
		agents: map[string]*host{}, wakes: map[string]time.Time{}, blocked: map[string]bool{}, granted: map[string]string{},
	}
}

func (f *farm) say(format string, args ...any) {
	f.trace = append(f.trace, fmt.Sprintf(format, args...))
}

func (f *farm) attach(name string, pixels int64, anew bool) {
	h := f.agents[name]
	if h == nil {
		h = &host{name: name, pixels: pixels, workers: map[string]*worker{}}
		f.agents[name] = h
	}
	if anew {
		if h.connected { // the process that ends takes its stream with it
			f.detach(name)
		}
		h.instance++
		h.workers = map[string]*worker{}
	}
	f.session++
	h.session, h.connected, h.beating = f.session, true, true
	hello := fleet.Attached{Session: h.session, Name: name, Instance: fmt.Sprintf("%s#%d", name, h.instance), Devices: []fleet.Device{
		{ID: "cpu", Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: h.pixels}}}
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		w := h.workers[id]
		hello.Held = append(hello.Held, fleet.Held{Assignment: id, Job: w.job, Device: "cpu", Epoch: w.epoch})
	}
	f.tell(hello)
}

func (f *farm) detach(name string) {
	h := f.agents[name]
	h.connected, h.inbox = false, nil
	f.tell(fleet.Detached{Agent: name, Session: h.session, Cause: "the test"})
}

func (f *farm) submit(kind job.Kind, id string, priority int32, input string) {
	f.jobs[id] = job.Job{Spec: job.Spec{ID: id, Kind: kind, Input: input, Ladder: "one", Priority: priority},
		State: job.Accepted, Created: f.now, Updated: f.now, Revision: 1, Seq: uint64(len(f.jobs) + 1)}
	f.reconcile(id)
}

func (f *farm) stop(id string) {
	j := f.jobs[id].Clone()
	j.Stop = &job.Stop{At: f.now}
	j.Revision++
	f.jobs[id] = j
	f.reconcile(id)
}

// beat for every agent that beats.
func (f *farm) beat() {
	for _, name := range slices.Sorted(maps.Keys(f.agents)) {
		if h := f.agents[name]; h.connected && h.beating {
			f.tell(fleet.Beat{Agent: name, Session: h.session, Assignments: slices.Sorted(maps.Keys(h.workers))})
		}
	}
}

// sleep lets time pass as a running scheduler sees it.
func (f *farm) sleep(d time.Duration) {
	const step = 100 * time.Millisecond
	for end := f.now.Add(d); f.now.Before(end); {
		f.now = f.now.Add(step)
		f.beat()
		f.tell(fleet.Tick{})
		var due []string
		for id, at := range f.wakes {
			if !f.now.Before(at) {
				due = append(due, id)
			}
		}
		slices.Sort(due)
		for _, id := range due {
			delete(f.wakes, id)
		}
		f.reconcile(due...)
	}
}

// answer the probes that an agent was asked.
func (f *farm) answer(name string, err *media.Error) {
	h := f.agents[name]
	asked := h.inbox
	h.inbox = nil
	for _, e := range asked {
		p := e.(fleet.Probed)
		p.Session, p.Err = h.session, err
		if err == nil {
			p.Source = &job.Source{Ladder: ladders.Source{Video: &ladders.SourceVideo{Width: 1280, Height: 720, Rate: timeline.Rate{Num: 25, Den: 1}}}}
		}
		f.tell(p)
	}
}

// publish reports that every rendition has segment n now.
func (f *farm) publish(name, assignment string, n int64) {
	h := f.agents[name]
	w := h.workers[assignment]
	w.segment = n
	status := &fleet.Status{FirstSegment: n >= 0}
	for _, r := range w.rs {
		status.Renditions = append(status.Renditions, fleet.Progress{Name: r.Name, LastSegment: n})
	}
	f.tell(fleet.Report{Agent: name, Session: h.session, Assignment: assignment, Job: w.job, Epoch: w.epoch, Status: status})
}

// end a worker with an outcome.
func (f *farm) end(name, assignment string, o media.Error) {
	h := f.agents[name]
	w := h.workers[assignment]
	delete(h.workers, assignment)
	f.tell(fleet.Report{Agent: name, Session: h.session, Assignment: assignment, Job: w.job, Epoch: w.epoch, Outcome: &o})
}

// tell the view what happened and do what follows.
func (f *farm) tell(e fleet.Event) {
	var touched []string
	for _, effect := range f.view.Apply(f.now, e) {
		switch effect := effect.(type) {
		case fleet.Touch:
			touched = append(touched, effect.Job)
		case fleet.Room:
			touched = append(touched, slices.Sorted(maps.Keys(f.blocked))...)
			clear(f.blocked)
		case fleet.Changed:
			if effect.What != "" {
				f.say("agent %s %s", effect.Agent, effect.What)
			}
		case fleet.Drop:
			if !effect.Replaced {
				f.say("session %d refused: %s", effect.Session, effect.Reason)
			}
		}
	}
	f.reconcile(touched...)
}

func (f *farm) reconcile(ids ...string) {
	slices.Sort(ids)
	var look []job.Job
	for _, id := range slices.Compact(ids) {
		if j, ok := f.jobs[id]; ok {
			look = append(look, j)
		}
	}
	if len(look) == 0 {
		return
	}
	var again []string // once all are carried out: the plans of one look know of each other
	for _, p := range reconcile.Look(reconcile.Input{
		Now: f.now, Jobs: look, Fleet: f.view, Used: f.used, Resolve: oneRendition, Settings: reconcile.DefaultSettings(),
		Settled: !f.now.Before(f.settled), SettleAt: f.settled,
	}) {
		if f.carryOut(p) {
			again = append(again, p.Job.Spec.ID)
		}
	}
	f.reconcile(again...)
}

// oneRendition takes 720 x 480 x 25 = 8.6 million pixels per second.
func oneRendition(job.Spec, job.Source) (*ladders.Resolved, error) {
	return &ladders.Resolved{
		Grid:       timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25},
		Renditions: []ladders.Rendition{{Name: "480p", Video: &ladders.Video{Width: 720, Height: 480, Divisor: 1, Codec: "h264", Preset: "fast"}}},
		Thumbnails: &ladders.Thumbnails{From: "480p", Width: 160, Height: 90, Every: 250, Columns: 5, Rows: 5},
	}, nil
}

// carryOut a plan as the store and the wire would, and tell whether its job is to
// be looked at again.
func (f *farm) carryOut(p reconcile.Plan) bool {
	id := p.Job.Spec.ID
	read := f.jobs[id]
	delete(f.wakes, id)
	if !p.Wake.IsZero() {
		f.wakes[id] = p.Wake
	}
	if p.Blocked {
		f.blocked[id] = true
	}
	if p.Write {
		f.check(read, p.Job)
		if f.stale {
			f.stale = false
			f.say("%s: the plan is stale and does nothing", id)
			f.used.Count(p.Job, -1)
			f.used.Count(read, 1)
			return true
		}
		p.Job.Revision++
		f.jobs[id] = p.Job
	}
	f.trace = append(f.trace, p.Trace...)
	for _, s := range p.Sends {
		f.deliver(p.Job, s)
	}
	return p.Write
}

// check what must never be written.
func (f *farm) check(was, is job.Job) {
	if was.State.Ended() && (is.State != was.State || is.Placed()) {
		f.broken = append(f.broken, fmt.Sprintf("%s ended as %s and is %s with %v", is.Spec.ID, was.State, is.State, is.Placements))
	}
	if is.Epoch < was.Epoch {
		f.broken = append(f.broken, fmt.Sprintf("%s: epoch went back from %d to %d", is.Spec.ID, was.Epoch, is.Epoch))
	}
	carries := map[string]int64{}
	for id, j := range f.jobs {
		if id == is.Spec.ID {
			j = is
		}
		for _, pl := range j.Placements {
			if j.Live() {
				carries[pl.Agent] += pl.Cost
			}
		}
	}
	for name, live := range carries {
		if h := f.agents[name]; live > h.pixels {
			f.broken = append(f.broken, fmt.Sprintf("%s carries %d of %d pixels per second", name, live, h.pixels))
		}
	}
}

func (f *farm) deliver(j job.Job, s reconcile.Send) {
	h := f.agents[s.Agent]
	switch {
	case s.Start != nil:
		f.start(h, j, *s.Start)
	case s.Stop != nil:
		f.tell(fleet.StopSent{Agent: s.Agent, Assignment: s.Stop.Assignment, Epoch: s.Stop.Epoch, Mode: s.Stop.Mode})
		f.obeyStop(h, *s.Stop)
	case s.Probe != nil:
		f.tell(fleet.ProbeSent{Agent: s.Agent, ID: s.Probe.ID, Job: j.Spec.ID, Try: s.Probe.Try})
		if h.connected {
			h.inbox = append(h.inbox, fleet.Probed{Agent: s.Agent, ID: s.Probe.ID})
		}
	case s.Anchor != nil:
		f.say("anchor generation %d frame %d -> %s", s.Anchor.Anchor.Generation, s.Anchor.Anchor.Frame, s.Agent)
		f.tell(fleet.Decided{Agent: s.Agent, Assignment: s.Anchor.Assignment, Generation: s.Anchor.Generation})
	case s.Forget != nil:
		f.tell(*s.Forget)
	}
}

func (f *farm) start(h *host, j job.Job, s reconcile.Start) {
	pl := s.Placement
	key := fmt.Sprintf("%s epoch %d", pl.Assignment, pl.Epoch)
	if to, twice := f.granted[key]; twice {
		f.broken = append(f.broken, fmt.Sprintf("%s was granted to %s and again to %s", key, to, h.name))
	}
	f.granted[key] = h.name
	f.tell(fleet.Granted{Agent: h.name, Assignment: pl.Assignment, Job: j.Spec.ID, Device: pl.Device, Epoch: pl.Epoch})
	if h.connected {
		h.workers[pl.Assignment] = &worker{job: j.Spec.ID, epoch: pl.Epoch, segment: -1, rs: s.Renditions}
	}
}

// obeyStop as an agent does: only an epoch that is not older counts. Finishing
// takes until the script says so.
func (f *farm) obeyStop(h *host, s reconcile.Stop) {
	w := h.workers[s.Assignment]
	if !h.connected || w == nil || s.Epoch < w.epoch || s.Mode == fleet.Finish {
		return
	}
	code := media.Stopped
	if s.Mode == fleet.Supersede {
		code = media.Superseded
	}
	f.end(h.name, s.Assignment, media.Error{Code: code})
}

// states in one line per job, by id.
func (f *farm) states() {
	for _, id := range slices.Sorted(maps.Keys(f.jobs)) {
		j := f.jobs[id]
		var on []string
		for _, pl := range j.Placements {
			on = append(on, fmt.Sprintf(" on %s/%s epoch %d", pl.Agent, pl.Device, pl.Epoch))
		}
		f.say("%s %s%s attempts %d: %s", id, j.State, strings.Join(on, ","), j.Attempts, j.Reason)
	}
}
