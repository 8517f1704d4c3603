package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
	"github.com/galafarm/gala/timeline"
)

// wanted tells whether a lease is the one that a placement grants.
func (p *pass) wanted(h fleet.HeldLease) bool {
	return slices.ContainsFunc(p.job.Placements(), func(pl job.Placement) bool {
		return pl.Agent == h.Agent.Name && pl.Assignment == h.Assignment && pl.Epoch == h.Epoch
	})
}

// strays are leases that agents hold and the record does not grant.
func (p *pass) strays() {
	for _, h := range p.Fleet.LeasesOf(p.job.Spec.ID) {
		r, known := p.runOf(h.Assignment)
		switch {
		case p.wanted(h):
		case h.Outcome != nil:
			p.send(Send{Agent: h.Agent.Name, Forget: &fleet.Forget{Agent: h.Agent.Name, Assignment: h.Assignment, Epoch: h.Epoch}})
		case !h.Missing.IsZero() && p.Now.Sub(h.Missing) > p.Settings.MissingGrace:
			p.send(Send{Agent: h.Agent.Name, Forget: &fleet.Forget{Agent: h.Agent.Name, Assignment: h.Assignment, Epoch: h.Epoch}})
		case !known:
			p.stop(h, h.Epoch, fleet.Now, "the job has no such replica")
		case p.job.State.Ended():
			p.stop(h, max(r.r.Epoch, h.Epoch), fleet.Now, "the job has ended: "+string(p.job.State))
		case h.Epoch > r.r.Epoch:
			r.adoptLater(h)
		case h.Epoch < r.r.Epoch:
			p.stop(h, r.r.Epoch, fleet.Supersede, fmt.Sprintf("epoch %d took over from epoch %d", r.r.Epoch, h.Epoch))
		case r.r.Placement != nil: // an epoch that was granted twice: the store had lost the first time
			p.stop(h, r.r.Epoch, fleet.Supersede, fmt.Sprintf("epoch %d runs on %s", r.r.Epoch, r.r.Placement.Agent))
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
func (r run) adoptLater(h fleet.HeldLease) {
	pl := job.Placement{
		Assignment: h.Assignment, Agent: h.Agent.Name, Instance: h.Agent.Instance, Device: h.Device, Epoch: h.Epoch,
		Attempt: r.job.Attempts, Reason: "adopted: it runs there", Granted: r.Now, ResumedAt: -1,
		Domain: Domain(h.Agent),
	}
	if r.job.Grid != nil {
		cost := placement.CostOf(r.source(), r.job.Renditions, r.job.Grid.Rate, h.Device == fleet.CPU)
		pl.Cost, pl.Sessions, pl.Host = cost.Pixels, cost.Sessions, cost.Host
	}
	if old := r.r.Placement; old != nil {
		pl.Cost, pl.Sessions = old.Cost, old.Sessions
	}
	r.free()
	r.r.Epoch, r.r.Placement = h.Epoch, &pl
	r.record("adopted", fmt.Sprintf("agent %s holds epoch %d, the record knew less", h.Agent.Name, h.Epoch), "the lease stands")
	r.trace("adopt %s on %s epoch %d", h.Assignment, h.Agent.Name, h.Epoch)
}

// lease is what the placement's agent holds of it, nil for nothing.
func (p *pass) lease(pl job.Placement) *fleet.Lease {
	if l := p.Fleet.Lease(pl.Agent, pl.Assignment); l != nil && l.Epoch == pl.Epoch {
		return l
	}
	return nil
}

// held is what the replica's placement has told, nil for nothing.
func (r run) held() *fleet.Lease {
	if r.r.Placement == nil {
		return nil
	}
	return r.lease(*r.r.Placement)
}

// collect takes over what workers have told since the last look.
func (p *pass) collect() {
	for _, r := range p.replicas() {
		l := r.held()
		if l == nil {
			continue
		}
		if p.job.Note(l.Status.Notes...) {
			p.changed()
		}
		r.outputs(l.Status)
		r.writeDown(l.Status)
		r.inputs(*r.r.Placement, l)
		r.happened(l.Epoch, l.Status.Events, &r.r.OnScreen.Own)
		for _, proposal := range l.Anchors {
			p.fix(proposal)
		}
	}
}

// writeDown the newest segments, seldom: reports come four times a second.
func (r run) writeDown(s fleet.Status) {
	newest := segments(s)
	if len(newest) == 0 || maps.Equal(newest, r.r.Published) {
		return
	}
	if due := r.r.PublishedAt.Add(r.Settings.PublishEvery); r.Now.Before(due) {
		r.wake(due)
		return
	}
	r.keep(s)
}

// keep never lets a segment number go back: what is published stays so.
func (r run) keep(s fleet.Status) {
	if r.r.Published == nil {
		r.r.Published = map[string]int64{}
	}
	for name, n := range segments(s) {
		if was, ok := r.r.Published[name]; !ok || n > was {
			r.r.Published[name] = n
		}
	}
	r.r.PublishedAt = r.Now
	r.changed()
}

// total adds up what a worker that ended has left in the tree: frames of a
// segment that was open are made again, or never.
func (r run) total(s fleet.Status) {
	if r.r.Totals == nil {
		r.r.Totals = map[string]job.Total{}
	}
	r.lostOutputs(s)
	for _, pr := range s.Renditions {
		t := r.r.Totals[pr.Name]
		made := pr.PublishedFrames
		if made == 0 && pr.Segments > 0 {
			made = pr.Frames // a worker of an older build
		}
		t.Frames, t.Segments, t.Late, t.Bytes = t.Frames+made, t.Segments+pr.Segments, t.Late+pr.LateSegments, t.Bytes+pr.Bytes
		t.Bitrate = pr.Bitrate
		t.Last = max(t.Last, pr.LastSegment)
		r.r.Totals[pr.Name] = t
	}
}

// again takes from the totals what an attempt that begins after segment last
// makes again: renditions do not stop at the same one, and what is in the tree
// already is counted by who meets it there. Bytes are an average.
func (r run) again(last int64) {
	for _, rendition := range r.job.Renditions {
		t := r.r.Totals[rendition.Name]
		over := t.Last - last
		if over <= 0 || t.Segments == 0 {
			continue
		}
		over = min(over, t.Segments)
		if g := r.job.Grid; g != nil {
			t.Frames = max(0, t.Frames-(rendition.FirstFrame(*g, last+1+over)-rendition.FirstFrame(*g, last+1)))
		}
		t.Bytes -= t.Bytes / t.Segments * over
		t.Segments -= over
		t.Last = last
		r.r.Totals[rendition.Name] = t
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

// published is the newest segment that every rendition of the replica has, by the
// record and by what the current lease told since.
func (r run) published() (int64, bool) {
	newest := maps.Clone(r.r.Published)
	if newest == nil {
		newest = map[string]int64{}
	}
	if l := r.held(); l != nil {
		for name, n := range segments(l.Status) {
			newest[name] = max(n, newest[name])
		}
	}
	least, have := int64(0), false
	for _, rendition := range r.job.Renditions {
		n, ok := newest[rendition.Name]
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
	holds, all := proposal.Anchor, p.job.AnchorsOf(proposal.Input)
	i := slices.IndexFunc(all, func(a timeline.Anchor) bool { return a.Generation == holds.Generation })
	if i >= 0 {
		holds = all[i]
	} else {
		all = append(all, holds)
		if extra := len(all) - maxAnchors; extra > 0 {
			all = slices.Delete(all, 0, extra)
		}
		p.job.SetAnchors(proposal.Input, all)
		of := ""
		if proposal.Input > 0 {
			of = media.InputName(proposal.Input) + ", "
		}
		p.record("anchored", "agent "+proposal.Agent+" proposed", fmt.Sprintf("%sgeneration %d: source tick %d is frame %d", of, holds.Generation, holds.Source, holds.Frame))
		p.trace("anchor generation %d is frame %d", holds.Generation, holds.Frame)
	}
	p.send(Send{Agent: proposal.Agent, Anchor: &Anchor{Assignment: proposal.Assignment, Input: proposal.Input, Generation: proposal.Anchor.Generation, Anchor: holds}})
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
