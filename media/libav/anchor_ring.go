package libav

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// openRing puts a live source on the grid and opens it where the first wanted
// frame lies.
func (p *Pipeline) openRing(ctx context.Context) error {
	if !p.o.Spec.Live {
		return &media.Error{Code: media.SourceError, Message: "source " + input.Display(p.o.Spec.Input) + " runs for ever", Advice: "submit it as a live job (gala live submit)"}
	}
	edge, err := p.edgeOf(ctx)
	if err != nil {
		return err
	}
	if err := p.fixRing(ctx, edge); err != nil {
		return err
	}
	grid := p.o.Spec.Grid
	p.lag = edge.arrived - grid.TimeOf(p.anchor.Nearest(edge.at, grid.Rate))
	from := timeline.Rescale(p.wanted(), p.anchor.Base, microseconds)
	if p.o.Spec.Resume {
		// Early enough for the audio encoder's run-up, and for the placer to agree
		// with the predecessor's about a source that strays from its anchor.
		from = min(from-runUp, p.needed())
	}
	dm, err := openRing(ctx, p.opening().Name, p.opening().Ring, from)
	if err != nil {
		return err
	}
	dm.ring.gauge, dm.ring.now = &p.gauge, p.o.Now
	d := newDesk(p)
	in := d.inputs[p.first]
	d.active = in
	d.first = &feed{in: in, facts: p.facts, anchor: p.anchor, want: p.firstFrame(), latest: -1, judge: judge{loss: d.loss},
		src: newFileSource(p.opening().Name, dm, p.facts, pacer{now: p.o.Now})}
	in.anchor, in.facts, in.described = &p.anchor, &p.facts, dm.ring.session.Streams
	p.src = d
	return nil
}

// openAway begins without the source: it is not there, and the job was on air. The
// worker goes on where the one before it ended, on its clock.
func (p *Pipeline) openAway() {
	p.anchor, p.lag = *p.clock(), p.o.Known.Lag
	p.facts = p.o.Known.Facts.timed(p.anchor.Base)
	p.src = newDesk(p)
}

// timed gives tracks whose packets were not seen a time base.
func (i Info) timed(base timeline.Timebase) Info {
	i.Video, i.Audio, i.Text = slices.Clone(i.Video), slices.Clone(i.Audio), slices.Clone(i.Text)
	for n := range i.Video {
		i.Video[n].Base = base
	}
	for n := range i.Audio {
		i.Audio[n].Base = timeline.Timebase{Num: 1, Den: 90000}
	}
	for n := range i.Text {
		i.Text[n].Base = microseconds
	}
	return i
}

// liveEdge is the newest key frame of a ring.
type liveEdge struct {
	at       int64 // in base
	base     timeline.Timebase
	arrived  time.Duration // since the Unix epoch, by our clock
	captured time.Duration // likewise, by the source's clock or else ours
	clocked  bool          // by the source's
	session  *ring.Session
}

// edgeOf waits for a key frame.
func (p *Pipeline) edgeOf(ctx context.Context) (liveEdge, error) {
	packets, err := p.opening().Ring(ctx, math.MaxInt64)
	if err != nil {
		return liveEdge{}, ringError(p.opening().Name, err)
	}
	defer packets.Close()
	var session *ring.Session
	for {
		it, err := packets.Next(ctx)
		switch {
		case err != nil:
			return liveEdge{}, ringError(p.opening().Name, err)
		case it.Session != nil:
			session = it.Session
			continue
		case session == nil:
			return liveEdge{}, ringError(p.opening().Name, errors.New("packets came before their description"))
		}
		us := session.At(it.Packet)
		if !it.Packet.Key || us == ring.NoTime {
			continue
		}
		e := liveEdge{base: p.ringBase(), arrived: time.Duration(it.Packet.Arrival) * time.Microsecond}
		if session.Skew != ring.NoTime {
			e.arrived = time.Duration(us+session.Skew) * time.Microsecond
		}
		e.captured = e.arrived
		e.at = timeline.Rescale(us, microseconds, e.base)
		if w := session.Wall; w != nil {
			e.captured, e.clocked = time.Duration(w.Time+us-w.At)*time.Microsecond, true
		}
		return e, nil
	}
}

// ringBase is what an anchor of this source counts in.
func (p *Pipeline) ringBase() timeline.Timebase {
	if v := p.facts.BestVideo(); v != nil {
		return v.Base
	}
	return p.facts.Audio[0].Base
}

// otherClock is how far a source may be from where its anchor has it, and still
// be the same source on the same clock.
const otherClock = 30 * time.Second

// fixRing settles the anchor. One that the job has holds while the source is
// about where it says; a source that counts anew opens a new generation, never
// before the end of what was published.
func (p *Pipeline) fixRing(ctx context.Context, edge liveEdge) error {
	grid, generation := p.o.Spec.Grid, uint32(1)
	if old := p.recorded(); old != nil {
		off := edge.captured - grid.TimeOf(old.Nearest(timeline.Rescale(edge.at, edge.base, old.Base), grid.Rate))
		if max(off, -off) < otherClock {
			p.anchor = *old
			return nil
		}
		generation = old.Generation + 1
	}
	start := timeline.Start{Source: edge.at, Base: edge.base, Wall: edge.captured, Clocked: edge.clocked}
	if p.o.Spec.Resume {
		start.Bound = grid.FirstFrame(p.o.Spec.FirstSegment)
	}
	p.anchor = grid.Snap(start, generation)
	if p.opening().Propose == nil {
		return nil
	}
	var err error
	p.anchor, err = p.opening().Propose(ctx, p.anchor)
	return err
}

// recorded is the newest anchor of the input that the pipeline begins with.
func (p *Pipeline) recorded() *timeline.Anchor {
	if p.first == 0 {
		return p.o.Spec.Anchor
	}
	return p.opening().Anchor
}
