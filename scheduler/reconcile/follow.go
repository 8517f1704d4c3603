package reconcile

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// follow looks how a placement is doing.
func (p *pass) follow(pl job.Placement) {
	agent, l := p.Fleet.Agent(pl.Agent), p.lease(pl)
	switch {
	case l != nil && l.Outcome != nil:
		p.outcome(pl, l)
	case p.job.Stop != nil:
		p.finish(pl, agent, l)
	case agent == nil && !p.Settled:
		p.wake(p.SettleAt)
	case agent == nil:
		p.lost(pl, fmt.Sprintf("agent %s has not attached", pl.Agent))
	case agent.Lost:
		p.lost(pl, fmt.Sprintf("agent %s is lost", pl.Agent))
	case !agent.Connected && l == nil: // the view knows of no reason to come back
		p.wake(p.Now.Add(p.Settings.MissingGrace))
	case !agent.Connected: // its next beat, or its loss, brings us back
	case l == nil:
		p.gone(pl, fmt.Sprintf("agent %s runs it no more", pl.Agent))
	case !l.Missing.IsZero():
		p.missing(pl, l)
	default:
		p.runs(pl, l)
	}
}

// runs is the good case.
func (p *pass) runs(pl job.Placement, l *fleet.Lease) {
	p.job.Retry.Lost = false
	if !l.Told {
		return // nothing is known yet: what the record says stands
	}
	if !l.Status.FirstSegment {
		p.enter(p.restarting(), fmt.Sprintf("starting on %s/%s", pl.Agent, pl.Device))
		return
	}
	if !p.job.OnAir {
		p.job.OnAir = true
		p.keep(l.Status)
		p.record("first_segment", "every rendition has published a segment", "the ladder plays")
	}
	p.enter(job.Running, fmt.Sprintf("runs on %s/%s", pl.Agent, pl.Device))
}

func (p *pass) missing(pl job.Placement, l *fleet.Lease) {
	if due := l.Missing.Add(p.Settings.MissingGrace); p.Now.Before(due) {
		p.wake(due)
		return
	}
	p.gone(pl, fmt.Sprintf("agent %s no longer names it", pl.Agent))
}

// lost: the agent cannot be heard, and may well go on publishing. The job moves
// when another device has room; until then it stays where it is.
func (p *pass) lost(pl job.Placement, cause string) {
	d := p.decide()
	if d.Chosen == nil {
		p.plan.Blocked = true
		if !p.job.Retry.Lost {
			p.job.Retry.Lost = true
			p.record("agent_lost", cause, "no other device has room; it may still be publishing there")
		}
		p.restate(p.without(), fmt.Sprintf("%s, and may still be publishing; %s", cause, d.Why()))
		return
	}
	p.keepPublished(pl)
	p.job.Retry.Lost = false
	p.record("agent_lost", cause, "failover: a higher epoch takes over")
	p.trace("failover from %s/%s: %s", pl.Agent, pl.Device, cause)
	p.grant(*d.Chosen, cause)
}

// gone: the agent is well and the worker is not there.
func (p *pass) gone(pl job.Placement, cause string) {
	p.retry(pl, &media.Error{Code: media.Crashed, Message: cause, Retryable: true,
		Advice: "see the log of the agent and of its worker"})
}

func (p *pass) keepPublished(pl job.Placement) {
	if l := p.lease(pl); l != nil {
		p.keep(l.Status)
	}
}

// finish brings a job to its end that the client asked for.
func (p *pass) finish(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	if !p.job.Live() {
		p.cancel(pl, agent, l)
		return
	}
	switch {
	case agent == nil && !p.Settled:
		p.wake(p.SettleAt)
	case agent == nil || agent.Lost || agent.Connected && l == nil:
		p.endStopped("its worker could not be asked to finish; the playlists may lack their end")
	case !agent.Connected:
		p.wake(p.Now.Add(p.Settings.MissingGrace))
	default:
		p.finishLive(pl, agent, l)
	}
}

func (p *pass) finishLive(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	patience := p.Settings.FinishPatience
	h := fleet.HeldLease{Agent: agent, Lease: l}
	switch {
	case l.Stop == fleet.KeepRunning:
		p.stop(h, pl.Epoch, fleet.Finish, p.stopReason())
		p.wake(p.Now.Add(patience))
	case p.Now.Before(l.StopAt.Add(patience)):
		p.wake(l.StopAt.Add(patience))
	case l.Stop == fleet.Finish:
		p.stop(h, pl.Epoch, fleet.Now, "it took too long to finish its segment")
		p.wake(p.Now.Add(patience))
	default:
		p.endStopped("its worker did not stop when asked; the playlists may lack their end")
		return
	}
	p.enter(job.Finishing, "stopped by the client; the open segment is being finished")
}

// cancel ends a VOD job at once; the worker is told, not waited for.
func (p *pass) cancel(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	if agent != nil && l != nil {
		p.stop(fleet.HeldLease{Agent: agent, Lease: l}, pl.Epoch, fleet.Now, p.stopReason())
	}
	p.endStopped("")
}

func (p *pass) stopReason() string {
	if r := p.job.Stop.Reason; r != "" {
		return "stopped by the client: " + r
	}
	return "stopped by the client"
}

// endStopped: a live job that was on air is done, as its client wanted; one
// that never was, and any VOD job, is cancelled.
func (p *pass) endStopped(note string) {
	p.job.Note(note)
	p.job.Placements = nil
	state := job.Cancelled
	if p.job.Live() && p.job.OnAir {
		state = job.Done
	}
	p.record("stopped_by_client", p.stopReason(), string(state))
	p.enter(state, p.stopReason())
}

// outcome: the worker has ended.
func (p *pass) outcome(pl job.Placement, l *fleet.Lease) {
	p.keep(l.Status)
	p.total(l.Status)
	o := l.Outcome
	p.send(Send{Agent: pl.Agent, Forget: &fleet.Forget{Agent: pl.Agent, Assignment: pl.Assignment, Epoch: pl.Epoch}})
	switch {
	case p.job.Stop != nil:
		p.endStopped("")
	case o.Code == media.Finished, o.Code == media.SourceEnded && !o.Retryable:
		p.done(o)
	case o.Code == media.HandedOver:
		p.handedOver(pl, o)
	case retryable(o):
		p.retry(pl, o)
	default:
		p.record("worker_"+string(o.Code), o.Message, "the job fails: trying again would not help")
		p.fail(jobError(o))
	}
}

func (p *pass) done(o *media.Error) {
	p.job.Placements = nil
	cause := "the worker finished"
	if o.Code == media.SourceEnded {
		cause = "the source ended"
	}
	p.record("finished", cause, "done")
	p.enter(job.Done, cause)
}

// handedOver: the agent ends and has left the playlists open. That is nobody's
// failure; the job goes on elsewhere at once, or where the agent comes back.
func (p *pass) handedOver(pl job.Placement, o *media.Error) {
	p.job.Placements = nil
	p.job.Retry.Left, p.job.Retry.LeftUntil = pl.Instance, p.Now.Add(p.Settings.LeaveGrace)
	p.record("handed_over", "agent "+pl.Agent+" ends its work", o.Message)
	p.trace("handed over by %s", pl.Agent)
	p.enter(p.without(), "agent "+pl.Agent+" handed it over")
}

// retryable: what says nothing about the source or the ladder may go better
// elsewhere or later, whatever its reporter thought.
func retryable(o *media.Error) bool {
	switch o.Code {
	case media.Crashed, media.Stalled, media.StartTimeout, media.DeviceLost, media.SessionLimit,
		media.OutOfMemory, media.Superseded, media.Stopped:
		return true
	}
	return o.Retryable
}

// retry frees the placement and lets the job be placed again: at once when the
// last attempt got something published, else after a growing pause.
func (p *pass) retry(pl job.Placement, o *media.Error) {
	newest, have := p.published()
	p.keepPublished(pl)
	p.job.Placements = nil
	p.job.Retry.Avoid = pl.Agent + "/" + pl.Device
	if progressed := have && newest > pl.ResumedAt; progressed {
		p.job.Retry.Failures = 0
	} else {
		p.job.Retry.Failures++
	}
	if p.job.Retry.Failures >= p.Settings.MaxFailures {
		p.record("worker_"+string(o.Code), o.Message, fmt.Sprintf("given up after %d attempts without a new segment", p.job.Retry.Failures))
		p.fail(jobError(o))
		return
	}
	pause := p.Settings.pause(p.job.Retry.Failures)
	p.job.Retry.NotBefore = p.Now.Add(pause)
	p.record("worker_"+string(o.Code), o.Message, "it will be started again"+after(pause))
	p.trace("retry after %s%s", o.Code, after(pause))
	p.enter(p.without(), fmt.Sprintf("worker %s: %s; starting again%s", o.Code, o.Message, after(pause)))
}

func after(pause time.Duration) string {
	if pause == 0 {
		return " at once"
	}
	return " in " + pause.String()
}
