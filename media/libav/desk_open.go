package libav

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// fetch opens an input for the frames that come next.
func (d *desk) fetch(ctx context.Context, in *deskInput, cause string) {
	if cause == "" {
		cause = d.gone.cause
		if cause == "" {
			cause = fmt.Sprintf("nothing came from %s for %v", d.active.label(), d.active.ear.patience())
		}
	}
	f := &feed{in: in, want: d.next, cause: cause, judge: judge{loss: d.loss}, latest: -1, opened: d.now()}
	if in == d.inputs[d.order.Input] {
		f.asked = d.order.Number
	}
	// What was missed before this worker began is in the input's past.
	f.initial = d.air == nil && d.gone.since.IsZero()
	lag := d.lag
	d.busy = d.now()
	d.work.Go(func() error {
		f.err = d.open(ctx, f, lag)
		select {
		case d.opened <- f:
		case <-ctx.Done():
			if f.err == nil {
				f.src.close()
			}
		}
		return nil
	})
}

// came: an input was opened, or not.
func (d *desk) came(ctx context.Context, f *feed) {
	d.mu.Lock()
	d.busy = time.Time{}
	if f.err != nil {
		d.failed(f.in, f.err)
		d.mu.Unlock()
		return
	}
	if edge, ok := f.in.ear.edge(); ok && d.air == nil { // it comes later: so does all that is filled
		d.lag = max(d.lag, aheadOf(f.anchor, edge, d.p.o.Spec.Grid))
	}
	f.opened, d.coming = d.now(), f
	d.mu.Unlock()
	d.start(ctx, f)
}

// open opens an input where the wanted frame lies. lag is the one in force.
func (d *desk) open(ctx context.Context, f *feed, lag time.Duration) error {
	f.in.opening.Lock()
	defer f.in.opening.Unlock()
	edge, ok := f.in.ear.edge()
	if !ok {
		return errors.New("no key frame has come yet")
	}
	patient, cancel := context.WithTimeout(ctx, openAtMost)
	defer cancel()
	var err error
	if f.anchor, err = d.anchor(patient, f.in, edge, lag, f.want); err != nil {
		return err
	}
	from := timeline.Rescale(f.anchor.Time(f.want, d.p.o.Spec.Grid.Rate), f.anchor.Base, microseconds)
	if f.initial {
		from -= max(runUp, framesUS(timeline.Lookback(d.p.o.Spec.Grid.Rate), d.p.o.Spec.Grid))
	}
	if f.facts, err = d.describe(patient, f.in, edge.session); err != nil {
		return err
	}
	var reading context.Context
	reading, f.abort = context.WithCancel(ctx) // for as long as it is read
	late := time.AfterFunc(openAtMost, f.abort)
	dm, err := openRing(reading, f.in.Name, f.in.Ring, from)
	if inTime := late.Stop(); err == nil && !inTime {
		dm.Close()
		err = fmt.Errorf("it did not open within %v", openAtMost)
	}
	if err != nil {
		f.abort()
		return err
	}
	dm.ring.gauge, dm.ring.now = &d.p.gauge, d.now
	f.src = newFileSource(f.in.Name, dm, f.facts, pacer{now: d.now})
	d.compare(f)
	return nil
}

// openAtMost bounds the opening of an input that stops in the middle of it.
const openAtMost = 8 * time.Second

// prepare fixes the anchor of an input that stands by, and looks at what it holds.
func (d *desk) prepare(ctx context.Context, in *deskInput, edge liveEdge, lag time.Duration, next int64) {
	in.opening.Lock()
	defer in.opening.Unlock()
	patient, cancel := context.WithTimeout(ctx, openAtMost)
	defer cancel()
	_, err := d.anchor(patient, in, edge, lag, next)
	if err == nil {
		_, err = d.describe(patient, in, edge.session)
	}
	if err != nil && ctx.Err() == nil {
		d.note(fmt.Sprintf("%s could not be looked at: %v", in.label(), err))
	}
}

// aheadOf is how far the grid is ahead of an input through an anchor.
func aheadOf(a timeline.Anchor, edge liveEdge, rate timeline.Grid) time.Duration {
	return edge.arrived - rate.TimeOf(a.Nearest(timeline.Rescale(edge.at, edge.base, a.Base), rate.Rate))
}

// sameMoment is how far a backup's own clock may put it from where it would be by
// its arrival, and still be believed: two encoders of one programme are that near.
const sameMoment = time.Second

// anchor is the one of an input: the newest recorded while the input is about where
// it says; else another generation, which puts what comes now where what is on air
// would have it, so that a switch neither waits nor repeats.
func (d *desk) anchor(ctx context.Context, in *deskInput, edge liveEdge, lag time.Duration, bound int64) (timeline.Anchor, error) {
	grid, generation := d.p.o.Spec.Grid, uint32(1)
	if old := in.anchor; old != nil {
		if off := aheadOf(*old, edge, grid) - lag; max(off, -off) < otherMoment {
			return *old, nil
		}
		generation = old.Generation + 1
	}
	start := timeline.Start{Source: edge.at, Base: edge.base, Wall: edge.arrived - lag, Clocked: true}
	if off := edge.captured - start.Wall; edge.clocked && max(off, -off) <= sameMoment {
		start.Wall = edge.captured
	}
	a := grid.Snap(start, generation)
	if in.Propose != nil {
		var err error
		if a, err = in.Propose(ctx, a); err != nil {
			return a, err
		}
	}
	in.anchor = &a
	return a, nil
}

// otherMoment is how much later or earlier than what is on air an input may come
// through its anchor: the live edge moves by as much.
const otherMoment = 3 * time.Second

// describe is what the input holds: what was found before, while its streams are
// the same.
func (d *desk) describe(ctx context.Context, in *deskInput, s *ring.Session) (Info, error) {
	if in.facts != nil && slices.EqualFunc(in.described, s.Streams, sameDecoder) {
		return *in.facts, nil
	}
	facts, err := probeRingFrom(ctx, in.Name, in.Ring, timeNow(in))
	if err != nil {
		return Info{}, err
	}
	in.facts, in.described = &facts, s.Streams
	return facts, nil
}

// timeNow is a place in the input's time a little before its newest key frame, so
// that there is something to look at already.
func timeNow(in *deskInput) int64 {
	in.ear.mu.Lock()
	defer in.ear.mu.Unlock()
	return in.ear.key - describeFrom
}

const describeFrom = 2_000_000 // µs

// compare notes what an input lacks of what the job's renditions are made from.
func (d *desk) compare(f *feed) {
	if d.out.video != nil && f.facts.BestVideo() == nil {
		d.note(f.in.name() + " has no pictures: the last one stands, then the slate")
	}
	for i := range d.out.audio {
		if (d.out.audio[i] != nil || d.out.packets[i] != nil) && i >= len(f.facts.Audio) {
			d.note(fmt.Sprintf("%s has no audio track %d: silence stands for it", f.in.name(), i))
		}
	}
}
