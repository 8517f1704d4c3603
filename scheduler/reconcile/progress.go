package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/timeline"
)

// wanted tells whether a lease is the one that a placement grants.
func (p *pass) wanted(h fleet.HeldLease) bool {
	return slices.ContainsFunc(p.job.Placements, func(pl job.Placement) bool {
		return pl.Agent == h.Agent.Name && pl.Assignment == h.Assignment && pl.Epoch == h.Epoch
	})
}

// strays are leases that agents hold and the record does not grant.
func (p *pass) strays() {
	for _, h := range p.Fleet.LeasesOf(p.job.Spec.ID) {
		switch {
		case p.wanted(h):
		case h.Outcome != nil:
			p.send(Send{Agent: h.Agent.Name, Forget: &fleet.Forget{Agent: h.Agent.Name, Assignment: h.Assignment, Epoch: h.Epoch}})
		case !h.Missing.IsZero() && p.Now.Sub(h.Missing) > p.Settings.MissingGrace:
			p.send(Send{Agent: h.Agent.Name, Forget: &fleet.Forget{Agent: h.Agent.Name, Assignment: h.Assignment, Epoch: h.Epoch}})
		case p.job.State.Ended():
			p.stop(h, max(p.job.Epoch, h.Epoch), fleet.Now, "the job has ended: "+string(p.job.State))
		case h.Epoch > p.job.Epoch:
			p.adoptLater(h)
		case h.Epoch < p.job.Epoch:
			p.stop(h, p.job.Epoch, fleet.Supersede, fmt.Sprintf("epoch %d took over from epoch %d", p.job.Epoch, h.Epoch))
		}
	}
}

// stop is sent once for each mode and session.
func (p *pass) stop(h fleet.HeldLease, epoch uint64, mode fleet.StopMode, reason string) {
	if !h.Agent.Connected || h.Stop >= mode {
		return
	}
	p.trace("stop %s on %s epoch %d (%s): %s", h.Assignment, h.Agent.Name, epoch, mode, reason)
	p.send(Send{Agent: h.Agent.Name, Stop: &Stop{Assignment: h.Assignment, Epoch: epoch, Mode: mode, Reason: reason}})
}

// adoptLater takes up a lease with a higher epoch than the record knows: the
// store has lost its newest writes, and what runs is right.
func (p *pass) adoptLater(h fleet.HeldLease) {
	pl := job.Placement{
		Assignment: h.Assignment, Agent: h.Agent.Name, Instance: h.Agent.Instance, Device: h.Device, Epoch: h.Epoch,
		Attempt: p.job.Attempts, Reason: "adopted: it runs there", Granted: p.Now, ResumedAt: -1,
	}
	if len(p.job.Placements) > 0 {
		pl.Cost, pl.Sessions = p.job.Placements[0].Cost, p.job.Placements[0].Sessions
	}
	p.job.Epoch, p.job.Placements = h.Epoch, []job.Placement{pl}
	p.record("adopted", fmt.Sprintf("agent %s holds epoch %d, the record knew less", h.Agent.Name, h.Epoch), "the lease stands")
	p.trace("adopt %s on %s epoch %d", h.Assignment, h.Agent.Name, h.Epoch)
}

// lease is what the placement's agent holds of it, nil for nothing.
func (p *pass) lease(pl job.Placement) *fleet.Lease {
	if l := p.Fleet.Lease(pl.Agent, pl.Assignment); l != nil && l.Epoch == pl.Epoch {
		return l
	}
	return nil
}

// collect takes over what workers have told since the last look.
func (p *pass) collect() {
	for _, pl := range p.job.Placements {
		l := p.lease(pl)
		if l == nil {
			continue
		}
		if p.job.Note(l.Status.Notes...) {
			p.changed()
		}
		p.writeDown(l.Status)
		for _, proposal := range l.Anchors {
			p.fix(proposal)
		}
	}
}

// writeDown the newest segments, seldom: reports come four times a second.
func (p *pass) writeDown(s fleet.Status) {
	newest := segments(s)
	if len(newest) == 0 || maps.Equal(newest, p.job.Published) {
		return
	}
	if due := p.job.PublishedAt.Add(p.Settings.PublishEvery); p.Now.Before(due) {
		p.wake(due)
		return
	}
	p.keep(s)
}

// keep never lets a segment number go back: what is published stays so.
func (p *pass) keep(s fleet.Status) {
	for name, n := range segments(s) {
		if was, ok := p.job.Published[name]; !ok || n > was {
			p.job.Published[name] = n
		}
	}
	p.job.PublishedAt = p.Now
	p.changed()
}

// total adds up what a worker that ended has made.
func (p *pass) total(s fleet.Status) {
	if p.job.Totals == nil {
		p.job.Totals = map[string]job.Total{}
	}
	for _, r := range s.Renditions {
		t := p.job.Totals[r.Name]
		t.Frames, t.Segments, t.Late, t.Bytes = t.Frames+r.Frames, t.Segments+r.Segments, t.Late+r.LateSegments, t.Bytes+r.Bytes
		t.Bitrate = r.Bitrate
		p.job.Totals[r.Name] = t
	}
}

func segments(s fleet.Status) map[string]int64 {
	newest := map[string]int64{}
	for _, r := range s.Renditions {
		if r.LastSegment >= 0 {
			newest[r.Name] = r.LastSegment
		}
	}
	return newest
}

// published is the newest segment that every rendition has, by the record and
// by what the current lease told since.
func (p *pass) published() (int64, bool) {
	newest := maps.Clone(p.job.Published)
	for _, pl := range p.job.Placements {
		if l := p.lease(pl); l != nil {
			for name, n := range segments(l.Status) {
				newest[name] = max(n, newest[name])
			}
		}
	}
	least, have := int64(0), false
	for _, r := range p.job.Renditions {
		n, ok := newest[r.Name]
		if !ok {
			return 0, false
		}
		if !have || n < least {
			least, have = n, true
		}
	}
	return least, have
}

// fix answers an anchor proposal: the first of a generation wins.
func (p *pass) fix(proposal fleet.Proposal) {
	holds := proposal.Anchor
	i := slices.IndexFunc(p.job.Anchors, func(a timeline.Anchor) bool { return a.Generation == holds.Generation })
	if i >= 0 {
		holds = p.job.Anchors[i]
	} else {
		p.job.Anchors = append(p.job.Anchors, holds)
		if extra := len(p.job.Anchors) - maxAnchors; extra > 0 {
			p.job.Anchors = slices.Delete(p.job.Anchors, 0, extra)
		}
		p.record("anchored", "agent "+proposal.Agent+" proposed", fmt.Sprintf("generation %d: source tick %d is frame %d", holds.Generation, holds.Source, holds.Frame))
		p.trace("anchor generation %d is frame %d", holds.Generation, holds.Frame)
	}
	p.send(Send{Agent: proposal.Agent, Anchor: &Anchor{Assignment: proposal.Assignment, Generation: proposal.Anchor.Generation, Anchor: holds}})
}

// maxAnchors bounds the record of a source that restarts all night.
const maxAnchors = 100

// anchor is the one that holds now, nil before the first.
func (p *pass) anchor() *timeline.Anchor {
	if n := len(p.job.Anchors); n > 0 {
		return &p.job.Anchors[n-1]
	}
	return nil
}
