package libav

import (
	"context"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// What a live source lacks is filled by the stages themselves, who count frames
// and samples: the last picture stands, and sound is silence.

// shot is a picture for the grid, or what to do without one.
type shot struct {
	f *astiav.Frame
	// until, where f is nil: the last picture stands up to this grid frame.
	until int64
	slate *astiav.Frame // takes the place of the last picture
	cut   *VideoInfo    // the pictures that follow are another source's
}

// heard is sound for the grid, or what to do without.
type heard struct {
	f *astiav.Frame
	// until, where f is nil: silence up to this sample of the audio grid. What
	// follows has no past.
	until int64
}

func (h heard) free() {
	if h.f != nil {
		h.f.Free()
	}
}

func (x shot) free() {
	if x.f != nil {
		x.f.Free()
	}
	if x.slate != nil {
		x.slate.Free()
	}
}

// sendTo gives a stage its own reference of f.
func sendTo[T any](ctx context.Context, to chan<- T, f *astiav.Frame, as func(*astiav.Frame) T) error {
	c := f.Clone()
	if c == nil {
		return fmt.Errorf("allocate frame")
	}
	if err := put(ctx, to, as(c)); err != nil {
		c.Free()
		return err
	}
	return nil
}

func put[T any](ctx context.Context, to chan<- T, x T) error {
	select {
	case to <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// holdUntil lets frames up to this one pass without anything new: pictures where
// asked, and the sound of tracks that are missing.
func (p *Pipeline) holdUntil(ctx context.Context, n int64, missing func(track int) bool, video bool) error {
	if p.video != nil && video {
		if err := put(ctx, p.video.in, shot{until: n}); err != nil {
			return err
		}
	}
	g := p.o.Spec.Grid
	for _, a := range p.audio {
		if !missing(a.track) {
			continue
		}
		if err := put(ctx, a.in, heard{until: a.grid.SampleAt(g.Ticks(n), g.Timescale)}); err != nil {
			return err
		}
	}
	for _, c := range p.copies {
		if !missing(c.a.Track) {
			continue
		}
		if err := c.send(ctx, nil, timeline.Rescale(p.anchor.Time(n, g.Rate), p.anchor.Base, c.base)); err != nil {
			return err
		}
	}
	return nil
}

// cut tells the stages that what follows is of another source, or of the same
// one after a lapse.
func (p *Pipeline) cut(ctx context.Context, v *VideoInfo) error {
	if p.video != nil && v != nil {
		if err := put(ctx, p.video.in, shot{cut: v}); err != nil {
			return err
		}
	}
	for _, a := range p.audio {
		if err := put(ctx, a.in, heard{}); err != nil {
			return err
		}
	}
	return nil
}

// slate lets the slate stand in the place of the last picture.
func (p *Pipeline) slate(ctx context.Context) error {
	if p.video == nil {
		return nil
	}
	f, err := drawSlate(p.o.Spec)
	if err != nil {
		return err
	}
	if err := put(ctx, p.video.in, shot{slate: f}); err != nil {
		f.Free()
		return err
	}
	return nil
}

// Lapsing is an Output that marks where a live job had no programme.
type Lapsing interface {
	// Lapse tells that there is none from grid frame n on, or that there is again.
	Lapse(on bool, n int64, cause string)
}

func (p *Pipeline) mark(on bool, n int64, cause string) {
	if out, ok := p.o.Output.(Lapsing); ok {
		out.Lapse(on, n, cause)
	}
}

// without does what a shot without a picture asks for.
func (s *videoStage) without(ctx context.Context, x shot) error {
	emit := func(f *astiav.Frame) error { return s.place(ctx, f) }
	if err := s.pre.drain(s.base, emit); err != nil {
		return err
	}
	switch {
	case x.cut != nil:
		s.pre.Close()
		s.pre = newPreFilter(*x.cut, s.asked(), s.grid.Rate)
		from := s.anchor.Base
		s.anchor.Base = s.pre.base(s.base)
		s.anchor.Source = timeline.Rescale(s.p.anchor.Source, s.p.anchor.Base, s.anchor.Base)
		s.lastAt = timeline.Rescale(s.lastAt, from, s.anchor.Base)
		for _, b := range s.branches { // fields count twice as fine as pictures
			b.captions.Retime(func(at int64) int64 { return timeline.Rescale(at, from, s.anchor.Base) })
		}
		s.placer.Reset(s.anchor)
	case x.slate != nil:
		x.slate.SetPts(s.lastAt)
		s.keep(x.slate)
		x.slate.Free()
	case s.last != nil:
		return s.fill(ctx, x.until)
	}
	return nil
}

// drain takes what filters hold back. What comes after has no past.
func (p *preFilter) drain(base timeline.Timebase, emit func(*astiav.Frame) error) error {
	if p.g == nil {
		return nil
	}
	err := p.g.push(nil, p.retimed(base, emit))
	p.g.Close()
	p.g, p.built = nil, ""
	return err
}

// without is silence up to a sample.
func (s *audioStage) without(ctx context.Context, until int64) error {
	if err := s.feed(ctx, s.line.drain()); err != nil {
		return err
	}
	if s.g != nil {
		err := s.g.push(nil, func(out *astiav.Frame) error { return s.resampled(ctx, out) })
		s.g.Close()
		s.g, s.built = nil, ""
		if err != nil {
			return err
		}
	}
	s.line, s.skip = steady{rate: s.line.rate}, 0
	s.end = max(s.end, until)
	return s.quietUntil(ctx, until-s.start-s.lead)
}
