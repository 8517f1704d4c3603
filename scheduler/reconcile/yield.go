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

// A live run for which nothing but encoder sessions is lacking takes those of clips:
//
//  1. its record claims them, so that no clip takes them meanwhile;
//  2. the cheapest clips that hold enough are told to leave, as by a drain: each finishes
//     its segment, and goes on behind it elsewhere, or waits;
//  3. what they leave is room, and the ordinary road places the run: there, or wherever
//     else there was room before.
//
// A claim is made anew in each look, so it never outlives the wish.

// askAgain is when a live run looks again at what clips were asked for: the record of one
// may have been written by others meanwhile.
const askAgain = time.Second

// unclaim drops the claims of the look before.
func (p *pass) unclaim() {
	for _, r := range p.replicas() {
		r.r.Claim = nil
	}
}

// claimed marks the record for writing where claims are not those that were read. What
// is claimed no more is room.
func (p *pass) claimed(read job.Job) {
	if p.job.State.Ended() {
		p.unclaim()
	}
	for i, r := range p.job.Replicas {
		var was, is job.Claim
		if i < len(read.Replicas) && read.Replicas[i].Claim != nil {
			was = *read.Replicas[i].Claim
		}
		if r.Claim != nil {
			is = *r.Claim
		}
		if was != is {
			p.changed()
			p.plan.Freed = p.plan.Freed || was != (job.Claim{})
		}
	}
}

// makeRoom has clips give up the encoder sessions that are all that a live run lacks, and
// says so; "" where that would not help.
func (r run) makeRoom(d placement.Decision) string {
	c := d.Taking
	if c == nil {
		return ""
	}
	r.r.Claim = &job.Claim{Agent: c.Agent, Device: c.Device, Sessions: c.Cost.Sessions}
	for _, id := range r.cheapest(*c) {
		r.yields[id] = r.job.Spec.ID
		r.trace("%s is to make room on %s/%s", id, c.Agent, c.Device)
	}
	r.wake(r.Now.Add(askAgain))
	return fmt.Sprintf("clips make room on %s/%s after their segments; ", c.Agent, c.Device)
}

// keepSessions claims what a live run in a pause will ask for: a clip that takes them
// meanwhile would only be told to leave again. One that fails and fails claims nothing,
// and nor does one of several, beside which the job is on air.
func (r run) keepSessions() {
	if !r.job.Live() || r.job.Redundant() || r.r.Retry.Failures > claimsAfter {
		return
	}
	switch d := r.decide(nil); {
	case d.Chosen == nil:
		r.plan.Blocked = true
		r.makeRoom(d)
	case d.Chosen.Limited:
		r.r.Claim = &job.Claim{Agent: d.Chosen.Agent, Device: d.Chosen.Device, Sessions: d.Chosen.Cost.Sessions}
	}
}

// claimsAfter is how many failures in a row a live run may have and claim room in a pause.
const claimsAfter = 2

// clip is a VOD run that could make room.
type clip struct {
	job      job.Job
	sessions int
}

// cheapest are the clips to be told to leave for a choice: of the lowest priority, and of
// these the newest by their submission: one that has made room and begins again is not
// the first to be told once more. None that the others make needless.
func (r run) cheapest(c placement.Choice) (ids []string) {
	var all []clip
	lacks := c.Lacks
	for _, j := range r.placedClips() {
		for _, o := range j.Replicas {
			switch {
			case o.Placement == nil || o.Handover != nil || !r.oneLimit(c, *o.Placement):
			case r.yields[j.Spec.ID] != "": // for another live job of this pass
				lacks -= o.Placement.Sessions
			case j.Stop == nil:
				all = append(all, clip{j, o.Placement.Sessions})
			}
		}
	}
	slices.SortFunc(all, func(a, b clip) int {
		return cmp.Or(
			cmp.Compare(a.job.Spec.Priority, b.job.Spec.Priority),
			cmp.Compare(b.job.Seq, a.job.Seq))
	})
	n := 0
	for lacks > 0 && n < len(all) {
		lacks -= all[n].sessions
		n++
	}
	all = all[:n]
	for i := n - 1; i >= 0; i-- { // the dearest first
		if lacks+all[i].sessions <= 0 {
			lacks += all[i].sessions
			continue
		}
		ids = append(ids, all[i].job.Spec.ID)
	}
	return ids
}

// oneLimit: sessions of a placement count against the limit of the choice's device.
func (r run) oneLimit(c placement.Choice, pl job.Placement) bool {
	a := r.Fleet.Agent(c.Agent)
	if a == nil || pl.Agent != c.Agent {
		return false
	}
	d := a.Device(c.Device)
	return d != nil && a.Counts(d, pl.Device)
}

func (s *shared) placedClips() []job.Job {
	if s.clips == nil && s.Clips != nil {
		s.clips = s.Clips()
	}
	return s.clips
}

// others are the clips to make room that are not in the input, in the order of all.
func (s *shared) others() (all []job.Job) {
	for _, j := range s.clips {
		if s.yields[j.Spec.ID] != "" {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b job.Job) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// toYield: the run is a clip's, and makes room for a live job or is to.
func (r run) toYield() bool {
	return r.yields[r.job.Spec.ID] != "" || r.r.Handover != nil && r.r.Handover.For != ""
}

// yield has a clip's worker leave after its segment. One that takes too long for it drops
// the segment: live does not wait for ever.
func (r run) yield(pl job.Placement, h fleet.HeldLease) (stays string) {
	if r.r.Handover == nil {
		r.r.Handover = &job.Handover{Since: r.Now, For: r.yields[r.job.Spec.ID]}
		r.record("handover", "live job "+r.r.Handover.For+" needs its encoder sessions", "its worker leaves after this segment")
	}
	why := "it makes room for live job " + r.r.Handover.For
	due := r.r.Handover.Since.Add(r.Settings.YieldPatience)
	if r.Now.Before(due) {
		r.stop(h, pl.Epoch, fleet.Leave, why)
		r.wake(due)
	} else {
		r.stop(h, pl.Epoch, fleet.Now, why+", and its segment takes too long")
	}
	return "leaving after this segment: " + why
}
