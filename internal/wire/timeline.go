package wire

import (
	"fmt"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// RateProto is a frame rate as a message; nil for the zero rate, so that "not
// known" stays that.
func RateProto(r timeline.Rate) *galav1.Rational {
	if !r.Valid() {
		return nil
	}
	return &galav1.Rational{Num: r.Num, Den: r.Den}
}

// Rate reads a frame rate, reduced to lowest terms.
func Rate(p *galav1.Rational) (timeline.Rate, error) {
	return timeline.NewRate(p.GetNum(), p.GetDen())
}

// GridProto is a grid as a message.
func GridProto(g timeline.Grid) *galav1.Grid {
	return &galav1.Grid{
		Fps:            RateProto(g.Rate),
		FramesPerGop:   g.FramesPerGOP,
		GopsPerSegment: g.GOPsPerSegment,
		Timescale:      g.Timescale,
	}
}

// Grid reads a grid and checks that its frames are whole ticks.
func Grid(p *galav1.Grid) (timeline.Grid, error) {
	rate, err := Rate(p.GetFps())
	if err != nil {
		return timeline.Grid{}, fmt.Errorf("grid: %w", err)
	}
	g := timeline.Grid{
		Rate:           rate,
		FramesPerGOP:   p.GetFramesPerGop(),
		GOPsPerSegment: p.GetGopsPerSegment(),
		Timescale:      p.GetTimescale(),
	}
	if g.FramesPerGOP <= 0 || g.GOPsPerSegment <= 0 {
		return timeline.Grid{}, fmt.Errorf("grid: %d frames in a GOP, %d GOPs in a segment: %w",
			g.FramesPerGOP, g.GOPsPerSegment, ErrInvalid)
	}
	if g.Timescale <= 0 || g.Timescale%rate.Num != 0 {
		return timeline.Grid{}, fmt.Errorf("grid: timescale %d is no multiple of frame rate %v: %w",
			g.Timescale, rate, ErrInvalid)
	}
	return g, nil
}

// AnchorProto is an anchor as a message.
func AnchorProto(a timeline.Anchor) *galav1.Anchor {
	return &galav1.Anchor{
		Generation:     a.Generation,
		SourceTicks:    a.Source,
		SourceTimebase: &galav1.Rational{Num: a.Base.Num, Den: a.Base.Den},
		Frame:          a.Frame,
	}
}

// Anchor reads an anchor.
func Anchor(p *galav1.Anchor) (timeline.Anchor, error) {
	base := timeline.Timebase{Num: p.GetSourceTimebase().GetNum(), Den: p.GetSourceTimebase().GetDen()}
	if !base.Valid() {
		return timeline.Anchor{}, fmt.Errorf("anchor: source timebase %d/%d: %w", base.Num, base.Den, ErrInvalid)
	}
	return timeline.Anchor{
		Generation: p.GetGeneration(),
		Source:     p.GetSourceTicks(),
		Base:       base,
		Frame:      p.GetFrame(),
	}, nil
}
