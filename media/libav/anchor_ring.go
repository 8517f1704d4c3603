package libav

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// openRing puts a live source on the grid and opens it where the first wanted
// frame lies.
func (p *Pipeline) openRing(ctx context.Context) error {
	if !p.o.Spec.Live {
		return &media.Error{Code: media.SourceError, Message: "source " + p.o.Spec.Input + " runs for ever", Advice: "submit it as a live job (gala live submit)"}
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
		from -= runUp // so that the audio encoder has its run-up
	}
	d, err := openRing(ctx, p.o.Spec.Input, p.o.Ring, from)
	if err != nil {
		return err
	}
	p.src = newFileSource(p.o.Spec.Input, d, p.facts, pacer{now: p.o.Now})
	return nil
}

// liveEdge is the newest key frame of a ring.
type liveEdge struct {
	at       int64 // in base
	base     timeline.Timebase
	arrived  time.Duration // since the Unix epoch, by our clock
	captured time.Duration // likewise, by the source's clock or else ours
	clocked  bool          // by the source's
}

// edgeOf waits for a key frame.
func (p *Pipeline) edgeOf(ctx context.Context) (liveEdge, error) {
	packets, err := p.o.Ring(ctx, math.MaxInt64)
	if err != nil {
		return liveEdge{}, ringError(p.o.Spec.Input, err)
	}
	defer packets.Close()
	var session *ring.Session
	for {
		it, err := packets.Next(ctx)
		switch {
		case err != nil:
			return liveEdge{}, ringError(p.o.Spec.Input, err)
		case it.Session != nil:
			session = it.Session
			continue
		case session == nil:
			return liveEdge{}, ringError(p.o.Spec.Input, errors.New("packets came before their description"))
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
	if old := p.o.Spec.Anchor; old != nil {
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
	if p.o.Propose == nil {
		return nil
	}
	var err error
	p.anchor, err = p.o.Propose(ctx, p.anchor)
	return err
}
