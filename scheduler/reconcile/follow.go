package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// follow looks how a placement is doing.
func (r run) follow(pl job.Placement) {
	agent, l := r.Fleet.Agent(pl.Agent), r.lease(pl)
	switch {
	case l != nil && l.Outcome != nil:
		r.outcome(pl, l)
	case r.job.Stop != nil:
		r.finish(pl, agent, l)
	case agent == nil && !r.Settled:
		r.wake(r.SettleAt)
	case agent == nil:
		r.lost(pl, fmt.Sprintf("agent %s has not attached", pl.Agent))
	case agent.Lost:
		r.lost(pl, fmt.Sprintf("agent %s is lost", pl.Agent))
	case !agent.Connected && l == nil: // the view knows of no reason to come back
		r.wake(r.Now.Add(r.Settings.MissingGrace))
	case !agent.Connected: // its next beat, or its loss, brings us back
	case l == nil:
		r.gone(pl, fmt.Sprintf("agent %s runs it no more", pl.Agent))
	case !l.Missing.IsZero():
		r.missing(pl, l)
	case r.deviceLost(pl, agent):
	default:
		r.runs(pl, fleet.HeldLease{Agent: agent, Lease: l})
	}
}

// runs is the good case.
func (r run) runs(pl job.Placement, h fleet.HeldLease) {
	if r.r.Retry.Lost {
		r.r.Retry.Lost = false
		r.record("agent_back", fmt.Sprintf("agent %s is heard again", pl.Agent), "its worker has run on; nothing is placed anew")
	}
	stays := r.move(pl, h)
	if !h.Told {
		return // nothing is known yet: what the record says stands
	}
	if !h.Status.FirstSegment {
		r.enter(r.restarting(), fmt.Sprintf("starting on %s/%s", pl.Agent, pl.Device))
		return
	}
	if !r.r.OnAir {
		r.r.OnAir = true
		r.keep(h.Status)
		r.record("first_segment", "every rendition has published a segment", "the ladder plays")
	}
	reason := fmt.Sprintf("runs on %s/%s", pl.Agent, pl.Device)
	if stays != "" {
		r.restate(job.Running, reason+", "+stays)
		return
	}
	r.enter(job.Running, reason)
}

func (r run) missing(pl job.Placement, l *fleet.Lease) {
	if due := l.Missing.Add(r.Settings.MissingGrace); r.Now.Before(due) {
		r.wake(due)
		return
	}
	r.gone(pl, fmt.Sprintf("agent %s no longer names it", pl.Agent))
}

// lost: the agent cannot be heard, and may well go on publishing. The replica moves
// when another device has room; until then it stays where it is.
func (r run) lost(pl job.Placement, cause string) {
	d := r.decide(nil)
	if d.Chosen == nil {
		r.plan.Blocked = true
		if !r.r.Retry.Lost {
			r.r.Retry.Lost = true
			r.record("agent_lost", cause, "no other device has room; it may still be publishing there")
		}
		r.restate(r.without(), fmt.Sprintf("%s, and may still be publishing; %s%s", cause, r.makeRoom(d), d.Why()))
		return
	}
	r.collectLast(pl)
	r.r.Retry.Lost = false
	if !slices.Contains(r.r.Away, pl.Agent) {
		r.r.Away = append(r.r.Away, pl.Agent)
	}
	r.record("agent_lost", cause, "failover: a higher epoch takes over")
	r.trace("failover from %s/%s: %s", pl.Agent, pl.Device, cause)
	r.grant(*d.Chosen, cause)
}

// deviceLost: the agent says that the device is gone. Its worker may need long to
// find out, or hang in the driver: the replica moves at once where another device has
// room, and says whether it does. Else its worker's outcome is waited for.
func (r run) deviceLost(pl job.Placement, agent *fleet.Agent) (moves bool) {
	dev := agent.Device(pl.Device)
	if dev == nil || !dev.Lost {
		return false
	}
	d := r.decide(nil)
	if d.Chosen == nil {
		r.plan.Blocked = true
		r.makeRoom(d)
		return false
	}
	cause := fmt.Sprintf("device %s/%s is lost: %s", pl.Agent, pl.Device, dev.RoleReason)
	r.collectLast(pl)
	r.record("device_lost", cause, "failover: a higher epoch takes over")
	r.trace("failover from %s/%s: %s", pl.Agent, pl.Device, cause)
	r.grant(*d.Chosen, cause)
	return true
}

// heardAgain records that agents which the replica was moved from are back.
func (r run) heardAgain() {
	for _, name := range slices.Clone(r.r.Away) {
		if !r.Fleet.Agent(name).Alive() {
			r.plan.Blocked = true // an agent that comes is room, too
			continue
		}
		r.r.Away = slices.DeleteFunc(r.r.Away, func(n string) bool { return n == name })
		r.record("agent_back", fmt.Sprintf("agent %s is heard again", name), "what it still runs of an older epoch is told to stop")
	}
}

// gone: the agent is well and the worker is not there.
func (r run) gone(pl job.Placement, cause string) {
	r.collectLast(pl)
	r.retry(pl, &media.Error{Code: media.Crashed, Message: cause, Retryable: true,
		Advice: "see the log of the agent and of its worker"})
}

// collectLast takes down what a worker that left no outcome has told last.
func (r run) collectLast(pl job.Placement) {
	if l := r.lease(pl); l != nil {
		r.keep(l.Status)
		r.total(l.Status)
	}
}

// finish brings a replica to its end that the client asked for.
func (r run) finish(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	if !r.job.Live() {
		r.cancel(pl, agent, l)
		return
	}
	switch {
	case agent == nil && !r.Settled:
		r.wake(r.SettleAt)
	case agent == nil || agent.Lost || agent.Connected && l == nil:
		r.collectLast(pl)
		r.job.Note("its worker could not be asked to finish; the playlists may lack their end")
		r.leave()
	case !agent.Connected:
		r.wake(r.Now.Add(r.Settings.MissingGrace))
	default:
		r.finishLive(pl, agent, l)
	}
}

func (r run) finishLive(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	patience := r.Settings.FinishPatience
	h := fleet.HeldLease{Agent: agent, Lease: l}
	switch {
	case l.Stop < fleet.Finish:
		r.stop(h, pl.Epoch, fleet.Finish, r.stopReason())
		r.wake(r.Now.Add(patience))
	case r.Now.Before(l.StopAt.Add(patience)):
		r.wake(l.StopAt.Add(patience))
	case l.Stop == fleet.Finish:
		r.stop(h, pl.Epoch, fleet.Now, "it took too long to finish its segment")
		r.wake(r.Now.Add(patience))
	default:
		r.collectLast(pl)
		r.job.Note("its worker did not stop when asked; the playlists may lack their end")
		r.leave()
		return
	}
	r.pass.enter(job.Finishing, "stopped by the client; the open segment is being finished")
}

// leave gives up a placement for good; the job ends when all replicas have.
func (r run) leave() {
	r.free()
	r.changed()
}

// cancel ends a VOD job at once; the worker is told, not waited for.
func (r run) cancel(pl job.Placement, agent *fleet.Agent, l *fleet.Lease) {
	r.collectLast(pl)
	if agent != nil && l != nil {
		r.stop(fleet.HeldLease{Agent: agent, Lease: l}, pl.Epoch, fleet.Now, r.stopReason())
	}
	r.leave()
}

func (p *pass) stopReason() string {
	if r := p.job.Stop.Reason; r != "" {
		return "stopped by the client: " + r
	}
	return "stopped by the client"
}

// endStopped: a live job that was on air is done, as its client wanted; one
// that never was, and any VOD job, is cancelled.
func (p *pass) endStopped() {
	state := job.Cancelled
	if p.job.Live() && p.job.OnAir() {
		state = job.Done
	}
	p.record("stopped_by_client", p.stopReason(), string(state))
	p.enter(state, p.stopReason())
}

// outcome: the worker has ended.
func (r run) outcome(pl job.Placement, l *fleet.Lease) {
	r.keep(l.Status)
	r.total(l.Status)
	o := l.Outcome
	r.send(Send{Agent: pl.Agent, Forget: &fleet.Forget{Agent: pl.Agent, Assignment: pl.Assignment, Epoch: pl.Epoch}})
	switch {
	case r.job.Stop != nil:
		r.leave()
	case o.Code == media.Finished, o.Code == media.SourceEnded && !o.Retryable:
		r.done(o)
	case o.Code == media.HandedOver, o.Code == media.Stopped && r.r.Handover != nil && r.r.Handover.For != "":
		r.handedOver(pl, o)
	case retryable(o):
		r.retry(pl, o)
	case r.othersRun():
		r.retryLater(pl, o)
	default:
		r.record("worker_"+string(o.Code), o.Message, "the job fails: trying again would not help")
		r.fail(jobError(o))
	}
}

func (r run) done(o *media.Error) {
	r.free()
	cause := "the worker finished"
	if o.Code == media.SourceEnded {
		cause = "the source ended"
	}
	if r.r.Number > 0 { // the job is done when all replicas are
		r.r.Over = true
		r.record("replica_finished", cause, "its playlists are at their end")
		return
	}
	r.record("finished", cause, "done")
	r.enter(job.Done, cause)
}

// handedOver: the worker has left the playlists open, because it was told to
// make room or because its agent ends. That is nobody's failure; the job goes on
// elsewhere at once, or where the agent comes back.
func (r run) handedOver(pl job.Placement, o *media.Error) {
	cause := fmt.Sprintf("the worker on %s/%s has left after its segment", pl.Agent, pl.Device)
	reason := "agent " + pl.Agent + " handed it over"
	switch m, place := r.r.Handover, pl.Agent+"/"+pl.Device; {
	case m == nil:
		cause = "agent " + pl.Agent + " ends its work"
		r.r.Retry.Left, r.r.Retry.LeftUntil = pl.Instance, r.Now.Add(r.Settings.LeaveGrace)
	case m.Back:
		r.r.Retry.Last, r.r.Retry.Left = "", ""
		r.r.Retry.Forgive(place)
		r.back[r.r.Number] = place
	default:
		r.r.Retry.Last, r.r.Retry.Left = place, ""
		if m.For != "" {
			reason = "it made room for live job " + m.For
		}
	}
	r.free()
	r.record("handed_over", cause, o.Message)
	r.trace("handed over by %s", pl.Agent)
	r.enter(r.without(), reason)
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

// othersRun: another replica is on air or may still come there, so that the job does
// not fail by this one.
func (r run) othersRun() bool {
	return slices.ContainsFunc(r.job.Replicas, func(o job.Replica) bool {
		return o.Number != r.r.Number && (o.Over || o.Placement != nil || o.OnAir) && o.Retry.Failures < r.Settings.MaxFailures
	})
}

// retry frees the placement and lets the replica be placed again: at once when the
// last attempt got something published, else after a growing pause.
func (r run) retry(pl job.Placement, o *media.Error) {
	newest, have := r.published()
	r.failedAt(pl, o)
	pause := 0
	switch progressed := have && newest > pl.ResumedAt; {
	case progressed:
		r.r.Retry.Failures = 0
	case o.Code == media.SessionLimit: // nobody's failure: the device counts as full for a while
		pause = 1
	default:
		r.r.Retry.Failures++
	}
	if r.r.Retry.Failures >= r.Settings.MaxFailures {
		if r.othersRun() {
			r.retryLater(pl, o)
			return
		}
		r.record("worker_"+string(o.Code), o.Message, fmt.Sprintf("given up after %d attempts without a new segment", r.r.Retry.Failures))
		r.fail(jobError(o))
		return
	}
	r.pauseFor(o, r.Settings.pause(max(pause, r.r.Retry.Failures)))
}

// ofDevice are outcomes that a device may be the cause of.
var ofDevice = []media.Code{media.EncoderError, media.DeviceLost, media.OutOfMemory, media.Crashed, media.Stalled, media.StartTimeout}

// failedAt remembers where a worker failed. A device that had no encoder session
// counts as full, which is no failure of it.
func (r run) failedAt(pl job.Placement, o *media.Error) {
	r.r.Retry.Last = pl.Agent + "/" + pl.Device
	if o.Code != media.SessionLimit {
		r.r.Retry.FailedAt(r.r.Retry.Last, r.Now, slices.Contains(ofDevice, o.Code))
	}
}

// retryLater tries what looks hopeless again and again, at the longest pause: the
// job is on air by its other replicas.
func (r run) retryLater(pl job.Placement, o *media.Error) {
	r.failedAt(pl, o)
	r.pauseFor(o, r.Settings.LastBackoff)
}

func (r run) pauseFor(o *media.Error, pause time.Duration) {
	r.free()
	r.r.Retry.NotBefore = r.Now.Add(pause)
	r.record("worker_"+string(o.Code), o.Message, "it will be started again"+after(pause))
	r.trace("retry after %s%s", o.Code, after(pause))
	r.enter(r.without(), fmt.Sprintf("worker %s: %s; starting again%s", o.Code, o.Message, after(pause)))
}

func after(pause time.Duration) string {
	if pause == 0 {
		return " at once"
	}
	return " in " + pause.String()
}
