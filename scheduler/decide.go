package scheduler

import (
	"time"

	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
)

// reconcile looks at every job that something happened to, unless a write of
// it is under way: that write's end brings it back.
func (l *loop) reconcile(now time.Time) {
	if !l.synced || len(l.dirty) == 0 {
		return
	}
	var look []job.Job
	for id := range l.dirty {
		e := l.jobs[id]
		switch {
		case e == nil:
			l.recover(now, id)
		case e.writing:
			continue
		default:
			look = append(look, e.job)
		}
		delete(l.dirty, id)
	}
	if len(look) == 0 {
		return
	}
	for _, p := range reconcile.Look(l.input(now, look)) {
		l.carryOut(now, p)
	}
}

func (l *loop) input(now time.Time, jobs []job.Job) reconcile.Input {
	return reconcile.Input{
		Now: now, Jobs: jobs, Fleet: l.view, Used: l.used, Resolve: api.Resolve, Settings: l.cfg.Settings,
		Settled: !now.Before(l.settleAt), SettleAt: l.settleAt, Clips: l.clips,
	}
}

// clips are the VOD jobs that are placed, and of which no write is under way.
func (l *loop) clips() (all []job.Job) {
	for _, e := range l.jobs {
		if !e.writing && !e.job.Live() && e.job.Placed() {
			all = append(all, e.job)
		}
	}
	return all
}

// carryOut a plan: at once if it writes nothing, else when it is written.
func (l *loop) carryOut(now time.Time, p reconcile.Plan) {
	id := p.Job.Spec.ID
	for _, line := range p.Trace {
		l.log.Debug("plan", "job", id, "step", line)
	}
	if !p.Wake.IsZero() {
		l.wakes[id] = p.Wake
	} else {
		delete(l.wakes, id)
	}
	if p.Blocked {
		l.blocked[id] = struct{}{}
	}
	if !p.Write {
		l.dispatch(now, p)
		return
	}
	e := l.jobs[id]
	e.writing, e.counted = true, p.Job
	l.writes.plan(p)
}

// dispatch sends a plan's directives and tells the view what was sent. An
// agent that went away meanwhile shows as one that does not hold the lease.
func (l *loop) dispatch(now time.Time, p reconcile.Plan) {
	if p.Freed {
		l.roomy()
	}
	for _, s := range p.Sends {
		if m := api.Directive(p.Job, s, l.cfg.AllowSources); m != nil {
			if session := l.session(s.Agent); session != nil {
				session.Send(m)
			}
		}
		if e := sent(p.Job, s); e != nil {
			l.apply(now, e)
		}
	}
}

// sent is a directive as the view learns of it.
func sent(j job.Job, s reconcile.Send) fleet.Event {
	switch {
	case s.Start != nil:
		pl := s.Start.Placement
		return fleet.Granted{Agent: s.Agent, Assignment: pl.Assignment, Job: j.Spec.ID, Device: pl.Device, Epoch: pl.Epoch, Sessions: pl.Sessions}
	case s.Stop != nil:
		return fleet.StopSent{Agent: s.Agent, Assignment: s.Stop.Assignment, Epoch: s.Stop.Epoch, Mode: s.Stop.Mode}
	case s.Probe != nil:
		return fleet.ProbeSent{Agent: s.Agent, ID: s.Probe.ID, Job: j.Spec.ID, Input: s.Probe.Number, Try: s.Probe.Try, Hopeless: s.Probe.Hopeless}
	case s.Anchor != nil:
		return fleet.Decided{Agent: s.Agent, Assignment: s.Anchor.Assignment, Input: s.Anchor.Input, Generation: s.Anchor.Generation}
	case s.Hold != nil:
		return fleet.HoldSent{Agent: s.Agent, Job: j.Spec.ID, Release: s.Hold.Release}
	case s.Switch != nil:
		return fleet.SwitchSent{Agent: s.Agent, Assignment: s.Switch.Assignment, Number: s.Switch.Order.Number}
	case s.Forget != nil:
		return *s.Forget
	}
	return nil
}
