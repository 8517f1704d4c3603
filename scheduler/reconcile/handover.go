package reconcile

import (
	"fmt"
	"slices"

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
)

// move brings a run off a device that is being drained, and says, where it
// stays, why. A live run is handed over at a segment boundary:
//
//  1. room is kept for it elsewhere, in the record;
//  2. where it moves to another host and its source runs by itself, that host
//     takes up the source, until it has the past that a successor begins with;
//  3. its worker is told to leave: it finishes its segment and leaves the
//     playlists open;
//  4. its outcome frees the placement, and the ordinary road places it again:
//     the next epoch resumes at the next segment.
//
// Whatever dies on the way is an ordinary failure: the placement is there until
// its worker has ended. Only one writer is ever on air, and the successor's start
// costs a part of the first segment's length, which it makes up for.
//
// A clip's worker is told to leave at once; the clip waits where there is no room.
func (r run) move(pl job.Placement, h fleet.HeldLease) (stays string) {
	c := r.Fleet.Cordon(pl.Agent, pl.Device)
	if c == nil || !c.Drain {
		if r.toYield() {
			return r.yield(pl, h)
		}
		return r.stay(pl, h)
	}
	if r.r.Handover != nil && r.r.Handover.Back {
		r.r.Handover.Back = false // drained again, before its worker had left
		r.changed()
	}
	if h.Stop != fleet.KeepRunning {
		return "leaving after this segment"
	}
	why := fmt.Sprintf("%s %s", c, c.Why())
	if !r.job.Live() {
		r.r.Handover = &job.Handover{Since: r.Now}
		r.record("handover", why, "its worker leaves after this segment")
		r.tell(h, pl, why)
		return "leaving after this segment"
	}
	d := r.decide(r.elsewhere(pl))
	if d.Chosen == nil {
		r.plan.Blocked = true
		if m := r.r.Handover; m != nil && m.Told { // it leaves all the same, and comes back
			if m.Agent != "" {
				r.r.Handover = &job.Handover{Since: m.Since, Told: true}
				r.changed()
			}
			return "which " + c.Why() + "; it leaves after this segment, as it was told, and begins again there: " + d.Why()
		}
		if r.r.Handover != nil {
			r.r.Handover = nil
			r.changed()
		}
		return "which " + c.Why() + "; it stays there: " + r.makeRoom(d) + d.Why()
	}
	r.keepRoom(*d.Chosen, why)
	if r.takesUp(*d.Chosen, pl) && !r.r.Handover.Told {
		return fmt.Sprintf("about to move to %s/%s, which takes up the source", d.Chosen.Agent, d.Chosen.Device)
	}
	r.tell(h, pl, why)
	return "leaving after this segment"
}

// tell the worker to leave: again when its agent has attached anew since.
func (r run) tell(h fleet.HeldLease, pl job.Placement, why string) {
	r.stop(h, pl.Epoch, fleet.Leave, why)
	if m := r.r.Handover; h.Agent.Connected && !m.Told {
		m.Told = true
		r.changed()
	}
}

// stay ends a move whose drain is over. A worker that was told to leave cannot be
// told otherwise: it leaves after its segment, and the next one begins in its place.
func (r run) stay(pl job.Placement, h fleet.HeldLease) (stays string) {
	why := fmt.Sprintf("%s/%s is no longer being drained", pl.Agent, pl.Device)
	m := r.r.Handover
	if m == nil {
		return ""
	}
	switch told := m.Told || h.Stop == fleet.Leave; {
	case !told:
		r.r.Handover = nil
		r.record("handover_cancelled", why, "it stays where it is")
		return ""
	case !m.Back:
		r.r.Handover = &job.Handover{Since: m.Since, Told: true, Back: true} // no room is kept elsewhere any more
		r.record("handover_cancelled", why, "its worker leaves after this segment, as it was told, and the next one begins in its place")
	}
	r.tell(h, pl, why)
	return "leaving after this segment, to begin again there"
}

// elsewhere closes the place where the run is, those that are cordoned - a move
// is no restart - and, where the source is pushed to its host, every other host.
func (r run) elsewhere(pl job.Placement) func(placement.Device) string {
	pushed := input.Pushed(r.job.Spec.InputAt(r.r.OnScreen.Input))
	return func(d placement.Device) string {
		switch {
		case d.Agent == pl.Agent && d.ID == pl.Device:
			return "is where it runs"
		case d.Cordoned != "":
			return d.Cordoned
		case pushed && d.Agent != pl.Agent:
			return "does not get the source, which is pushed to " + pl.Agent + ": point the sender elsewhere and submit it again"
		}
		return ""
	}
}

// keepRoom for the successor, unless it is kept already.
func (r run) keepRoom(c placement.Choice, why string) {
	if old := r.r.Handover; old != nil && old.Agent == c.Agent && old.Device == c.Device {
		return
	}
	told := r.r.Handover != nil && r.r.Handover.Told
	r.r.Handover = &job.Handover{Agent: c.Agent, Device: c.Device, Since: r.Now, Told: told, Cost: c.Cost.Pixels, Sessions: c.Cost.Sessions, Host: c.Cost.Host,
		Domain: Domain(r.Fleet.Agent(c.Agent))}
	r.record("handover", why, fmt.Sprintf("it moves to %s/%s at a segment boundary", c.Agent, c.Device))
	r.trace("move to %s/%s: %s", c.Agent, c.Device, c.Reason)
}

// othersMove: a replica before this one is about to move to another host.
func (r run) othersMove(to string) bool {
	return slices.ContainsFunc(r.job.Replicas, func(o job.Replica) bool {
		return o.Number < r.r.Number && o.Handover != nil && o.Handover.Agent != "" && o.Handover.Agent != to
	})
}

// takesUp has the new host hold a source that runs by itself, and tells whether
// that is still waited for.
func (r run) takesUp(c placement.Choice, pl job.Placement) bool {
	if c.Agent == pl.Agent || !r.warmable() {
		return false
	}
	due := r.r.Handover.Since.Add(r.Settings.WarmPatience)
	if r.othersMove(c.Agent) { // one after the other: one agent is held warm at a time
		r.wake(due)
		return r.Now.Before(due)
	}
	if r.job.Warm != c.Agent {
		r.job.Warm = c.Agent // warm tells it
		r.changed()
	}
	if a := r.Fleet.Agent(c.Agent); a.Sources[r.job.Spec.ID].Kept >= r.Settings.WarmRing || !r.Now.Before(due) {
		return false
	}
	r.wake(due)
	return true
}
