package timeline

import "time"

// Anchor puts a source on the grid: the source frame whose unwrapped timestamp
// is Source (in units of Base) is frame Frame. Generation counts up at every
// discontinuity or restart of the source.
type Anchor struct {
	Generation uint32
	Source     int64
	Base       Timebase
	Frame      int64
}

// Fine is the resolution in which distances from a grid frame are counted.
const Fine = 1 << 16

// Offset is the distance of source timestamp t from the anchor's frame in
// 1/Fine of a grid frame, rounded to nearest.
func (a Anchor) Offset(t int64, r Rate) int64 {
	return mulDivRound(subSat(t, a.Source), a.Base.Num*Fine, r.Num, a.Base.Den, r.Den)
}

// Nearest is the grid frame nearest to source timestamp t.
func (a Anchor) Nearest(t int64, r Rate) int64 {
	return addSat(a.Frame, mulDivRound(subSat(t, a.Source), a.Base.Num, r.Num, a.Base.Den, r.Den))
}

// Time is the source timestamp of frame n, rounded to nearest.
func (a Anchor) Time(n int64, r Rate) int64 {
	return addSat(a.Source, mulDivRound(subSat(n, a.Frame), r.Den, a.Base.Den, r.Num, a.Base.Num))
}

// Start is what is known when a source opens: its first frame, when that was
// captured, and what must not be overwritten.
type Start struct {
	// Source is the unwrapped timestamp of the frame, in units of Base.
	Source int64
	Base   Timebase
	// Wall is the frame's time since the origin: live, by the source's own
	// clock or else ours; VOD, where the frame stands in the clip.
	Wall time.Duration
	// Bound is the first frame that was not yet published; 0 when there is none.
	Bound int64
	// Clocked: Wall is the source's own clock, which binds the frame to its
	// nearest index. Otherwise the frame is free to open a segment.
	Clocked bool
}

// Snap is the anchor that puts the start exactly on an index, never before
// the bound. A free start opens the segment that is on air at Wall, so that
// the first segment is complete as early as it can be; where that one was
// begun already, it opens the next.
func (g Grid) Snap(s Start, generation uint32) Anchor {
	frame := g.boundaryFor(s)
	if s.Clocked {
		frame = max(g.nearestFrame(s.Wall), s.Bound)
	}
	return Anchor{Generation: generation, Source: s.Source, Base: s.Base, Frame: frame}
}

func (g Grid) boundaryFor(s Start) int64 {
	number := g.Segment(g.FrameAt(s.Wall))
	return g.FirstFrame(max(number, ceilDiv(s.Bound, g.FramesPerSegment())))
}

func (g Grid) nearestFrame(t time.Duration) int64 {
	return mulDivRound(int64(t), g.Rate.Num, 1, g.Rate.Den, int64(time.Second))
}
