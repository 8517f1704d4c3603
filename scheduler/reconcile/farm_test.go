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
	zones   map[string]string // of agents to come
	cordons map[string]bool   // as the store has them; true: draining
	stale   bool              // the next write finds that somebody was faster
	writing string            // a job whose record others write
	ladder  string            // of jobs to come: one rendition, or a pair
	alone   bool              // one job is looked at: no other counts on what its plan frees
	sending bool
	touched []string // meanwhile
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
	zone      string
	cards     map[string]int64         // pixels per second of GPUs, while they were well
	workers   map[string]*worker       // by assignment
	sources   map[string]time.Duration // held without a worker, by job
	inbox     []fleet.Event            // probes to answer
}

// worker runs one assignment.
type worker struct {
	job     string
	epoch   uint64
	segment int64
	leaving bool // after its segment
	rs      []ladders.Rendition
}

func newFarm() *farm {
	start := time.Date(2026, 7, 19, 20, 0, 0, 0, time.UTC)
	return &farm{
		now: start, settled: start, view: fleet.New(fleet.DefaultTiming()), used: reconcile.Used{}, jobs: map[string]job.Job{},
		agents: map[string]*host{}, wakes: map[string]time.Time{}, blocked: map[string]bool{}, granted: map[string]string{},
		cordons: map[string]bool{}, zones: map[string]string{}, ladder: "one",
	}
}

func (f *farm) say(format string, args ...any) {
	f.trace = append(f.trace, fmt.Sprintf(format, args...))
}

func (f *farm) attach(name string, pixels int64, anew bool) {
	h := f.agents[name]
	if h == nil {
		h = &host{name: name, zone: f.zones[name], pixels: pixels, cards: map[string]int64{}, workers: map[string]*worker{}, sources: map[string]time.Duration{}}
		f.agents[name] = h
	}
	if anew {
		if h.connected { // the process that ends takes its stream with it
			f.detach(name)
		}
		h.instance++
		h.workers, h.sources = map[string]*worker{}, map[string]time.Duration{}
	}
	f.session++
	h.session, h.connected, h.beating = f.session, true, true
	hello := fleet.Attached{Session: h.session, Name: name, Instance: fmt.Sprintf("%s#%d", name, h.instance), Devices: []fleet.Device{
		{ID: "cpu", Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: h.pixels}}}
	if h.zone != "" {
		hello.Labels = map[string]string{"zone": h.zone}
	}
	hello.Sources = slices.Sorted(maps.Keys(h.sources))
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

func (f *farm) submit(kind job.Kind, id string, priority int32, input string, redundancy uint32) {
	inputs := strings.Split(input, ",")
	f.jobs[id] = job.Job{Spec: job.Spec{ID: id, Kind: kind, Input: inputs[0], Backups: inputs[1:], Ladder: f.ladder, Priority: priority, Redundancy: redundancy},
		Outputs: []job.Output{{URL: "http://gala:token@origin/in/" + id}},
		State:   job.Accepted, Created: f.now, Updated: f.now, Revision: 1, Seq: uint64(len(f.jobs) + 1)}
	f.reconcile(id)
}

// cordon as the scheduler's service does.
func (f *farm) cordon(place string, drain bool) {
	agent, device, _ := strings.Cut(place, "/")
	f.tell(fleet.Cordoned{Cordon: fleet.Cordon{Agent: agent, Device: device, Drain: drain, Since: f.now}})
	f.cordons[place] = drain
}

func (f *farm) uncordon(place string) {
	agent, device, _ := strings.Cut(place, "/")
	delete(f.cordons, place)
	f.tell(fleet.Uncordoned{Agent: agent, Device: device})
}

func (f *farm) stop(id string) {
	j := f.jobs[id].Clone()
	j.Stop = &job.Stop{At: f.now}
	j.Revision++
	f.jobs[id] = j
	f.reconcile(id)
}

// beat for every agent that beats, and tell what it holds.
func (f *farm) beat() {
	for _, name := range slices.Sorted(maps.Keys(f.agents)) {
		if h := f.agents[name]; h.connected && h.beating {
			f.tell(fleet.Beat{Agent: name, Session: h.session, Assignments: slices.Sorted(maps.Keys(h.workers))})
			if len(h.sources) == 0 && len(f.view.Agent(name).Sources) == 0 {
				continue // nothing that anybody decides on
			}
			f.tell(fleet.Heard{Agent: name, Session: h.session, Telemetry: fleet.Telemetry{Sources: maps.Clone(h.sources)}})
		}
	}
}

// sleep lets time pass as a running scheduler sees it.
func (f *farm) sleep(d time.Duration) {
	const step = 100 * time.Millisecond
	for end := f.now.Add(d); f.now.Before(end); {
		f.now = f.now.Add(step)
		for _, h := range f.agents {
			for id := range h.sources {
				h.sources[id] = min(h.sources[id]+step, 45*time.Second)
			}
		}
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
func (f *farm) publish(name, assignment string, n int64, outputs ...fleet.Output) {
	h := f.agents[name]
	w := h.workers[assignment]
	w.segment = n
	status := &fleet.Status{FirstSegment: n >= 0, Outputs: outputs}
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
	if f.sending { // looked at when everything is sent
		f.touched = append(f.touched, touched...)
		return
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
	plans := reconcile.Look(reconcile.Input{
		Now: f.now, Jobs: look, Fleet: f.view, Used: f.used, Resolve: oneRendition, Settings: reconcile.DefaultSettings(),
		Settled: !f.now.Before(f.settled), SettleAt: f.settled, Clips: f.clips,
	})
	f.alone = len(plans) == 1
	var again []string // once all are carried out: the plans of one look know of each other
	for _, p := range plans {
		if f.carryOut(p) {
			again = append(again, p.Job.Spec.ID)
		}
	}
	again, f.touched = append(again, f.touched...), nil
	f.reconcile(again...)
}

// clips are the VOD jobs that are placed and not being written.
func (f *farm) clips() (all []job.Job) {
	for _, id := range slices.Sorted(maps.Keys(f.jobs)) {
		if j := f.jobs[id]; !j.Live() && j.Placed() && id != f.writing {
			all = append(all, j)
		}
	}
	return all
}

// oneRendition takes 720 x 480 x 25 = 8.6 million pixels per second; a pair has another of
// a quarter of that.
func oneRendition(s job.Spec, _ job.Source) (*ladders.Resolved, error) {
	all := &ladders.Resolved{
		Grid:       timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25},
		Renditions: []ladders.Rendition{{Name: "480p", Video: &ladders.Video{Width: 720, Height: 480, Divisor: 1, Codec: "h264", Preset: "fast"}}},
		Thumbnails: &ladders.Thumbnails{From: "480p", Width: 160, Height: 90, Every: 250, Columns: 5, Rows: 5},
	}
	if s.Ladder == "pair" {
		all.Renditions = append(all.Renditions, ladders.Rendition{Name: "240p", Video: &ladders.Video{Width: 360, Height: 240, Divisor: 1, Codec: "h264", Preset: "fast"}})
	}
	return all, nil
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
		if f.stale && f.alone {
			f.stale = false
			f.say("%s: the plan is stale and does nothing", id)
			f.used.Count(p.Job, -1)
			f.used.Count(read, 1)
			return true
		}
		p.Job.Revision++
		f.jobs[id] = p.Job
		if p.Freed {
			f.touched = append(f.touched, slices.Sorted(maps.Keys(f.blocked))...)
			clear(f.blocked)
		}
	}
	f.trace = append(f.trace, p.Trace...)
	f.sending = true
	for _, s := range p.Sends {
		f.deliver(p.Job, s)
	}
	f.sending = false
	return p.Write
}

// check what must never be written.
func (f *farm) check(was, is job.Job) {
	if was.State.Ended() && (is.State != was.State || is.Placed()) {
		f.broken = append(f.broken, fmt.Sprintf("%s ended as %s and is %s with %v", is.Spec.ID, was.State, is.State, is.Placements()))
	}
	for i, r := range was.Replicas {
		if now := is.Replicas[i].Epoch; now < r.Epoch {
			f.broken = append(f.broken, fmt.Sprintf("%s: epoch of replica %d went back from %d to %d", is.Spec.ID, r.Number, r.Epoch, now))
		}
	}
	f.checkApart(is)
	carries, processor := map[string]int64{}, map[string]int64{}
	for id, j := range f.jobs {
		if id == is.Spec.ID {
			j = is
		}
		for _, r := range j.Replicas {
			if r.Placement != nil && j.Live() {
				carries[r.Placement.Agent] += r.Placement.Cost
				processor[r.Placement.Agent] += onProcessor(r.Placement.Device, r.Placement.Cost, r.Placement.Host)
			}
			if r.Handover != nil && r.Handover.Agent != "" {
				carries[r.Handover.Agent] += r.Handover.Cost
				more := onProcessor(r.Handover.Device, r.Handover.Cost, r.Handover.Host)
				if p := r.Placement; p != nil && p.Agent == r.Handover.Agent { // one after the other
					more = max(0, more-onProcessor(p.Device, p.Cost, p.Host))
				}
				processor[r.Handover.Agent] += more
			}
		}
	}
	for name, live := range carries {
		h := f.agents[name]
		most := h.pixels
		for _, pixels := range h.cards {
			most += pixels
		}
		if live > most {
			f.broken = append(f.broken, fmt.Sprintf("%s carries %d of %d pixels per second", name, live, most))
		}
		if h.pixels > 0 && processor[name] > h.pixels {
			f.broken = append(f.broken, fmt.Sprintf("the processor of %s carries %d of %d pixels per second", name, processor[name], h.pixels))
		}
	}
}

// onProcessor is what a placement takes of its host's processor.
func onProcessor(device string, cost, host int64) int64 {
	if device == fleet.CPU {
		return cost
	}
	return host
}

// checkApart: no host runs two replicas, or is to, and no rack or zone where both
// hosts tell theirs.
func (f *farm) checkApart(j job.Job) {
	on := map[string]int{}
	for _, r := range j.Replicas {
		places := map[string]bool{}
		if r.Placement != nil {
			places[r.Placement.Agent] = true
		}
		if r.Handover != nil && r.Handover.Agent != "" {
			places[r.Handover.Agent] = true
		}
		for name := range places {
			for _, domain := range []string{"host " + name, "zone " + f.agents[name].zone} {
				if other, taken := on[domain]; taken && domain != "zone " {
					f.broken = append(f.broken, fmt.Sprintf("%s: replicas %d and %d on %s", j.Spec.ID, other, r.Number, domain))
				}
			}
		}
		for name := range places {
			on["host "+name], on["zone "+f.agents[name].zone] = r.Number, r.Number
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
		f.tell(fleet.ProbeSent{Agent: s.Agent, ID: s.Probe.ID, Job: j.Spec.ID, Input: s.Probe.Number, Try: s.Probe.Try, Hopeless: s.Probe.Hopeless})
		if h.connected {
			h.inbox = append(h.inbox, fleet.Probed{Agent: s.Agent, ID: s.Probe.ID})
		}
	case s.Anchor != nil:
		f.say("anchor generation %d frame %d -> %s", s.Anchor.Anchor.Generation, s.Anchor.Anchor.Frame, s.Agent)
		f.tell(fleet.Decided{Agent: s.Agent, Assignment: s.Anchor.Assignment, Input: s.Anchor.Input, Generation: s.Anchor.Generation})
	case s.Hold != nil:
		f.tell(fleet.HoldSent{Agent: s.Agent, Job: j.Spec.ID, Release: s.Hold.Release})
		if !h.connected {
			break
		}
		if s.Hold.Release {
			f.say("%s lets go of the source of %s", h.name, j.Spec.ID)
			delete(h.sources, j.Spec.ID)
		} else {
			f.say("%s holds the source of %s", h.name, j.Spec.ID)
			h.sources[j.Spec.ID] = 0
		}
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
	f.tell(fleet.Granted{Agent: h.name, Assignment: pl.Assignment, Job: j.Spec.ID, Device: pl.Device, Epoch: pl.Epoch, Sessions: pl.Sessions})
	if h.connected {
		h.workers[pl.Assignment] = &worker{job: j.Spec.ID, epoch: pl.Epoch, segment: -1, rs: s.Renditions}
	}
}

// obeyStop as an agent does: only an epoch that is not older counts. Finishing
// takes until the script says so.
func (f *farm) obeyStop(h *host, s reconcile.Stop) {
	w := h.workers[s.Assignment]
	if !h.connected || w == nil || s.Epoch < w.epoch {
		return
	}
	switch s.Mode {
	case fleet.Leave:
		w.leaving = true
		return
	case fleet.Finish:
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
		for _, pl := range j.Placements() {
			on = append(on, fmt.Sprintf(" on %s/%s epoch %d", pl.Agent, pl.Device, pl.Epoch))
		}
		f.say("%s %s%s attempts %d: %s", id, j.State, strings.Join(on, ","), j.Attempts, j.Reason)
	}
}
