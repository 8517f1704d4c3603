package reconcile

import (
	"cmp"
	"fmt"
	"slices"
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
}

// Device names a device of an agent.
type Device struct{ Agent, ID string }

// Used is what is placed on each device.
type Used map[Device]placement.Usage

// Count adds (sign 1) or takes away (sign -1) what a job's placements use.
func (u Used) Count(j job.Job, sign int64) {
	for _, p := range j.Placements {
		at := Device{p.Agent, p.Device}
		use := u[at]
		use.Sessions += int(sign) * p.Sessions
		if j.Live() {
			use.Live += sign * p.Cost
		} else {
			use.VOD += sign * p.Cost
		}
		if use == (placement.Usage{}) {
			delete(u, at)
			continue
		}
		u[at] = use
	}
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
	shared := &shared{Input: in}
	plans := make([]Plan, 0, len(jobs))
	for _, j := range jobs {
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
}

// pass is the look at one job.
type pass struct {
	*shared
	job  job.Job
	plan Plan
}

func (s *shared) look(read job.Job) Plan {
	// What the job itself takes is free for it: it may start again where it was.
	s.recount(read, -1)
	p := &pass{shared: s, job: read.Clone()}
	p.strays()
	if !p.job.State.Ended() {
		p.collect()
		p.advance()
	}
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
	if j.Placed() {
		s.Used.Count(j, sign)
		s.devices = nil
	}
}

// advance takes the job as far as it gets now.
func (p *pass) advance() {
	switch {
	case p.job.Placed():
		p.follow(p.job.Placements[0])
	case p.job.Stop != nil:
		p.endStopped("")
	case p.job.Source == nil:
		p.probe()
	}
	if p.job.State.Ended() || p.job.Stop != nil || p.job.Placed() || p.job.Source == nil {
		return
	}
	if p.job.Grid == nil && !p.resolve() {
		return
	}
	p.place()
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

func (p *pass) send(s Send) { p.plan.Sends = append(p.plan.Sends, s) }

// wake asks for another look at t.
func (p *pass) wake(t time.Time) {
	if p.plan.Wake.IsZero() || t.Before(p.plan.Wake) {
		p.plan.Wake = t
	}
}

func (p *pass) fail(e job.Error) {
	p.job.Placements = nil
	p.job.Error = &e
	p.record("failed", e.Message, e.Advice)
	p.enter(job.Failed, e.Message)
}
