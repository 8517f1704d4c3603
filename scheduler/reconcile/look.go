package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
)

// Input is what a pass sees.
type Input struct {
	Now time.Time
	// Jobs to look at. Every job that holds a placement counts in Used.
	Jobs  []job.Job
	Fleet *fleet.View
	Used  Used
	// Settled: agents that a restarted scheduler has not heard of by now are
	// lost. Before, they get time to attach; SettleAt is when it ends.
	Settled  bool
	SettleAt time.Time
	Resolve  Resolver
	Settings Settings
	// Clips are the VOD jobs that hold placements and whose record may be written now:
	// those that live jobs may take encoder sessions from. Nil for none.
	Clips func() []job.Job
}

// Device names a device of an agent.
type Device struct{ Agent, ID string }

// Used is what is placed on each device.
type Used map[Device]placement.Usage

// Count adds (sign 1) or takes away (sign -1) what a job's placements use, and
// what is kept free for its moves.
func (u Used) Count(j job.Job, sign int64) {
	for _, r := range j.Replicas {
		if p := r.Placement; p != nil {
			u.add(Device{p.Agent, p.Device}, sign, usage(j, p.Cost, p.Sessions, r.Handover != nil))
			u.add(Device{p.Agent, fleet.CPU}, sign, ofHost(j, p.Host))
		}
		if h := r.Handover; h != nil && h.Agent != "" {
			u.add(Device{h.Agent, h.Device}, sign, usage(j, h.Cost, h.Sessions, false))
			host := h.Host
			if p := r.Placement; p != nil && p.Agent == h.Agent { // one of the two at a time
				host = max(0, h.Host-p.Host)
			}
			u.add(Device{h.Agent, fleet.CPU}, sign, ofHost(j, host))
		}
		if c := r.Claim; c != nil {
			u.add(Device{c.Agent, c.Device}, sign, placement.Usage{Claimed: c.Sessions})
		}
	}
}

// usage is what one placement takes; leaving: it has been told to leave.
func usage(j job.Job, cost int64, sessions int, leaving bool) placement.Usage {
	use := placement.Usage{Placed: 1, Sessions: sessions}
	if j.Live() {
		use.Live = cost
		return use
	}
	use.VOD, use.Clips = cost, sessions
	if leaving {
		use.Leaving = sessions
	}
	return use
}

// ofHost is what a GPU's job takes of its host's processor.
func ofHost(j job.Job, cost int64) placement.Usage {
	if j.Live() {
		return placement.Usage{Live: cost}
	}
	return placement.Usage{VOD: cost, Shares: cost}
}

func (u Used) add(at Device, sign int64, more placement.Usage) {
	use, n := u[at], int(sign)
	use.Live, use.VOD, use.Shares = use.Live+sign*more.Live, use.VOD+sign*more.VOD, use.Shares+sign*more.Shares
	use.Placed, use.Sessions = use.Placed+n*more.Placed, use.Sessions+n*more.Sessions
	use.Clips, use.Leaving, use.Claimed = use.Clips+n*more.Clips, use.Leaving+n*more.Leaving, use.Claimed+n*more.Claimed
	if use == (placement.Usage{}) {
		delete(u, at)
		return
	}
	u[at] = use
}

// Shared is what is used of a limit on sessions that devices of an agent share, on all
// of them together.
func (u Used) Shared(a *fleet.Agent) (all placement.Usage) {
	for _, d := range a.Devices {
		if d.SessionsShared {
			use := u[Device{a.Name, d.ID}]
			all.Sessions, all.Clips, all.Leaving, all.Claimed = all.Sessions+use.Sessions, all.Clips+use.Clips, all.Leaving+use.Leaving, all.Claimed+use.Claimed
		}
	}
	return all
}

// Look plans for each job of the input, live before VOD, then by priority,
// then by age. What one plan takes is not free for the next.
func Look(in Input) []Plan {
	jobs := slices.Clone(in.Jobs)
	slices.SortStableFunc(jobs, func(a, b job.Job) int {
		return cmp.Or(
			cmp.Compare(liveFirst(a), liveFirst(b)),
			cmp.Compare(b.Spec.Priority, a.Spec.Priority),
			cmp.Compare(a.Seq, b.Seq))
	})
	shared := &shared{Input: in, yields: map[string]string{}}
	plans := make([]Plan, 0, len(jobs))
	for _, j := range jobs {
		plans = append(plans, shared.look(j))
		delete(shared.yields, j.Spec.ID)
	}
	for _, j := range shared.others() { // that are asked to make room
		plans = append(plans, shared.look(j))
	}
	return plans
}

func liveFirst(j job.Job) int {
	if j.Live() {
		return 0
	}
	return 1
}

// shared is one pass over many jobs.
type shared struct {
	Input
	devices []placement.Device // built at the first placement
	asked   map[string]int     // probes sent in this pass, by agent
	clips   []job.Job          // read at the first that is to make room
	yields  map[string]string  // clips that are to make room, and for which live job, by id
}

// pass is the look at one job.
type pass struct {
	*shared
	job  job.Job
	plan Plan
	back map[int]string // where replicas begin again, "agent/device", by number
}

// run is the look at one replica of it.
type run struct {
	*pass
	r *job.Replica
}

// replicas are the job's, to be looked at.
func (p *pass) replicas() []run {
	all := make([]run, len(p.job.Replicas))
	for i := range all {
		all[i] = run{p, &p.job.Replicas[i]}
	}
	return all
}

// runOf is the replica that an assignment runs, false for none.
func (p *pass) runOf(assignment string) (run, bool) {
	for _, r := range p.replicas() {
		if AssignmentID(p.job.Spec.ID, r.r.Number) == assignment {
			return r, true
		}
	}
	return run{}, false
}

func (s *shared) look(read job.Job) Plan {
	// What the job itself takes is free for it: it may start again where it was.
	s.recount(read, -1)
	p := &pass{shared: s, job: read.Clone(), back: map[int]string{}}
	p.job.Replicate()
	p.unclaim()
	p.strays()
	if !p.job.State.Ended() {
		p.collect()
		p.advance()
	}
	p.warm()
	p.claimed(read)
	if p.plan.Write {
		p.job.Updated = p.Now
		s.recount(p.job, 1)
	} else {
		s.recount(read, 1)
	}
	p.plan.Job = p.job
	return p.plan
}

// recount keeps what placement sees true.
func (s *shared) recount(j job.Job, sign int64) {
	if j.Takes() {
		s.Used.Count(j, sign)
		s.devices = nil
	}
}

// advance takes the job as far as it gets now.
func (p *pass) advance() {
	for _, r := range p.replicas() {
		r.heardAgain()
		if r.r.Placement != nil && !p.job.State.Ended() {
			r.follow(*r.r.Placement)
		}
	}
	switch {
	case p.job.State.Ended() || p.job.Stop != nil && p.job.Placed():
		return
	case p.job.Stop != nil:
		p.endStopped()
		return
	case p.job.Source == nil:
		p.probe()
	}
	if p.job.State.Ended() || p.job.Source == nil {
		return
	}
	if p.job.Grid == nil && !p.resolve() {
		return
	}
	for _, r := range p.replicas() {
		if r.r.Placement == nil && !r.r.Over {
			r.place()
		}
	}
	p.combine()
}

// combine makes the state of a redundant job of its replicas'. One that comes on
// air for the first time takes nothing from the others.
func (p *pass) combine() {
	if !p.job.Redundant() || p.job.State.Ended() || p.job.Stop != nil {
		return
	}
	var run, over int
	var lacks *job.Replica
	var on []string
	for i := range p.job.Replicas {
		r := &p.job.Replicas[i]
		switch {
		case r.Over:
			over++
		case r.State == job.Running && r.Placement != nil:
			run++
			on = append(on, r.Placement.Agent+"/"+r.Placement.Device)
		case lacks == nil || lacks.State == job.Starting && r.State != job.Starting:
			lacks = r
		}
	}
	switch reason := ""; {
	case over == len(p.job.Replicas):
		p.record("finished", "the source ended", "done")
		p.enter(job.Done, "the source ended")
	case lacks == nil && run > 0:
		p.enter(job.Running, "runs on "+strings.Join(on, " and "))
	case lacks == nil:
	default:
		reason = fmt.Sprintf("replica %d: %s", lacks.Number, lacks.Reason)
		state := lacks.State
		switch {
		case run > 0 && lacks.State == job.Starting:
			state = job.Running
		case run > 0 || p.job.OnAir():
			state = job.Degraded
		}
		if run > 0 {
			reason = "runs on " + strings.Join(on, " and ") + "; " + reason
		}
		p.restate(state, reason)
	}
}

func (p *pass) trace(format string, args ...any) {
	p.plan.Trace = append(p.plan.Trace, p.job.Spec.ID+": "+fmt.Sprintf(format, args...))
}

// changed marks the record for writing.
func (p *pass) changed() { p.plan.Write = true }

func (p *pass) record(kind, cause, effect string) {
	p.job.Record(p.Now, kind, cause, effect)
	p.changed()
}

func (p *pass) enter(s job.State, reason string) {
	was := p.job.State
	if !p.job.Enter(p.Now, s, reason) {
		return
	}
	p.changed()
	if was != s {
		p.trace("%s -> %s: %s", was, s, reason)
	}
}

// restateEvery bounds how often a mere change of the numbers in a reason is
// written: a hundred waiting jobs must not be rewritten whenever one ends.
const restateEvery = 5 * time.Second

func (p *pass) restate(s job.State, reason string) {
	if p.job.State == s && p.job.Reason != reason && !p.mayRestate(p.job.Entered) {
		return
	}
	p.enter(s, reason)
}

func (p *pass) mayRestate(last time.Time) bool {
	due := last.Add(restateEvery)
	if p.Now.Before(due) {
		p.wake(due)
		return false
	}
	return true
}

// enter says how the replica stands: the job's only one stands for the job.
func (r run) enter(s job.State, reason string) {
	if r.r.Number == 0 {
		r.pass.enter(s, reason)
		return
	}
	was := r.r.State
	if was == s && r.r.Reason == reason {
		return
	}
	r.r.State, r.r.Reason, r.r.Entered = s, reason, r.Now
	r.changed()
	if was != s {
		r.trace("%s -> %s: %s", was, s, reason)
	}
}

func (r run) restate(s job.State, reason string) {
	if r.r.Number == 0 {
		r.pass.restate(s, reason)
		return
	}
	if r.r.State == s && r.r.Reason != reason && !r.mayRestate(r.r.Entered) {
		return
	}
	r.enter(s, reason)
}

// record says of a redundant job's event which replica it is about.
func (r run) record(kind, cause, effect string) { r.recordAt(r.Now, kind, cause, effect) }

func (r run) recordAt(at time.Time, kind, cause, effect string) {
	if r.r.Number > 0 {
		cause = fmt.Sprintf("replica %d: %s", r.r.Number, cause)
	}
	r.job.Record(at, kind, cause, effect)
	r.changed()
}

func (r run) trace(format string, args ...any) {
	if r.r.Number > 0 {
		format = fmt.Sprintf("replica %d: ", r.r.Number) + format
	}
	r.pass.trace(format, args...)
}

func (p *pass) send(s Send) { p.plan.Sends = append(p.plan.Sends, s) }

// wake asks for another look at t.
func (p *pass) wake(t time.Time) {
	if p.plan.Wake.IsZero() || t.Before(p.plan.Wake) {
		p.plan.Wake = t
	}
}

func (p *pass) fail(e job.Error) {
	for _, r := range p.replicas() {
		r.free()
	}
	p.job.Error = &e
	p.record("failed", e.Message, e.Advice)
	p.enter(job.Failed, e.Message)
}
