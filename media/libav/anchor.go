package libav

import (
	"context"
	"strings"
	"time"

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// Lag is how far a live source's clock runs behind its place on the grid.
func (p *Pipeline) Lag() time.Duration { return p.lag }

func (p *Pipeline) openSource(ctx context.Context) error {
	pace := pacer{now: p.o.Now, live: p.o.Spec.Live, gauge: &p.gauge}
	if strings.HasPrefix(p.o.Spec.Input, input.TestCard) {
		spec, err := parseCard(p.o.Spec.Input)
		if err != nil {
			return err
		}
		c := &cardSource{spec: spec, pace: pace}
		p.src = c
		if !p.o.Spec.Live {
			if spec.frames == 0 {
				return badCard(p.o.Spec.Input, "a clip needs a duration")
			}
			p.anchor = timeline.Anchor{Generation: 1, Base: spec.base(), Frame: 0}
			return nil
		}
		spec.frames = 0
		now := timeline.Rescale(p.o.Now().UnixMicro(), microseconds, spec.base())
		if err := p.fix(ctx, now, spec.base()); err != nil {
			return err
		}
		p.lag = p.wallLag()
		// A little before the join, so that the audio encoder has its run-up.
		early := timeline.Rescale(runUp, microseconds, spec.base())
		c.spec.frames, c.first = 0, max(p.wanted()-early, p.anchor.Source)
		return nil
	}
	if p.o.Spec.Live {
		return p.openLoop(ctx, pace)
	}
	p.anchor = vodAnchor(p.facts, p.o.Spec.Grid)
	if len(p.measured()) > 0 {
		return nil // servers drop a connection that waits for as long as measuring takes
	}
	return p.openClip(ctx)
}

// openClip opens a clip to be encoded.
func (p *Pipeline) openClip(ctx context.Context) error {
	s, err := openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pacer{})
	if err != nil {
		return err
	}
	if p.o.Spec.Resume {
		s.skipTo(p.needed())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.src = s
	return nil
}

// wallLag is the lag of a source whose own clock is the wall clock.
func (p *Pipeline) wallLag() time.Duration {
	wall := time.Duration(timeline.Rescale(p.anchor.Source, p.anchor.Base, microseconds)) * time.Microsecond
	return wall - p.o.Spec.Grid.TimeOf(p.anchor.Frame)
}

// openLoop puts a file on the wall clock.
func (p *Pipeline) openLoop(ctx context.Context, pace pacer) error {
	s, err := openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pace)
	if err != nil {
		return err
	}
	p.src = s
	once, err := openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pacer{})
	if err != nil {
		return err
	}
	defer once.close()
	l, err := measure(ctx, once)
	if err != nil {
		return err
	}
	if err := p.fix(ctx, timeline.Rescale(p.o.Now().UnixMicro(), microseconds, l.base), l.base); err != nil {
		return err
	}
	p.lag = p.wallLag()
	l.start = p.anchor.Source
	l.wanted = p.wanted()
	s.loop = l
	return nil
}

// fix settles the anchor: the job's, or the one that the scheduler makes of
// ours. Ours puts the first frame on the segment boundary at or before now.
func (p *Pipeline) fix(ctx context.Context, source int64, base timeline.Timebase) error {
	if p.o.Spec.Anchor != nil {
		p.anchor = *p.o.Spec.Anchor
		return nil
	}
	g := p.o.Spec.Grid
	n := g.FirstFrame(g.Segment(g.FrameAt(time.Duration(p.o.Now().UnixNano()))))
	p.anchor = timeline.Anchor{Generation: 1, Source: source, Base: base, Frame: n}
	if p.o.Propose == nil {
		return nil
	}
	var err error
	p.anchor, err = p.o.Propose(ctx, p.anchor)
	return err
}

// firstFrame is the first grid frame that is encoded.
func (p *Pipeline) firstFrame() int64 {
	g := p.o.Spec.Grid
	if p.o.Spec.Resume {
		return g.FirstFrame(p.o.Spec.FirstSegment)
	}
	if p.o.Spec.Live {
		// A source that tells its own time may begin anywhere in a segment.
		whole := g.FirstFrame(g.Segment(p.anchor.Frame))
		if whole < p.anchor.Frame {
			whole += g.FramesPerSegment()
		}
		return whole
	}
	return 0
}

// wanted is the source time of the first frame that is encoded.
func (p *Pipeline) wanted() int64 { return p.anchor.Time(p.firstFrame(), p.o.Spec.Grid.Rate) }

// needed is the source time, in µs, from which on pictures must come out for the
// placer to put those that are wanted where it would have.
func (p *Pipeline) needed() int64 {
	rate := p.o.Spec.Grid.Rate
	return timeline.Rescale(p.anchor.Time(p.firstFrame()-timeline.Lookback(rate), rate), p.anchor.Base, microseconds)
}

// vodAnchor puts the first picture, or an audio track that begins earlier, at
// frame 0. Nothing that decodes is cut off: a lead is covered by the first picture.
func vodAnchor(facts Info, g timeline.Grid) timeline.Anchor {
	v := facts.BestVideo()
	if v == nil {
		a := facts.Audio[0]
		return timeline.Anchor{Generation: 1, Source: a.First, Base: a.Base}
	}
	anchor := timeline.Anchor{Generation: 1, Source: v.First, Base: v.Base}
	for _, a := range facts.Audio {
		// How many frames this track leads the picture.
		lead := -anchor.Nearest(timeline.Rescale(a.First, a.Base, v.Base), g.Rate)
		anchor.Frame = max(anchor.Frame, min(lead+anchor.Frame, maxLead(g)))
	}
	return anchor
}

// maxLead bounds how long the first picture is held: longer leads are damage.
func maxLead(g timeline.Grid) int64 { return g.FrameAt(30 * time.Second) }
