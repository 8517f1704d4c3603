package timeline

// Anchor puts a source on the grid: the source frame whose unwrapped timestamp
// is Source (in units of Base) is frame Frame. Generation counts up at every
// discontinuity or restart of the source.
type Anchor struct {
	Generation uint32
	Source     int64
	Base       Timebase
	Frame      int64
}

// Offset is the distance of source timestamp t from the anchor's frame in
// 1/Fine of a grid frame, rounded to nearest.
func (a Anchor) Offset(t int64, r Rate) int64 {
	return mulDivRound(t-a.Source, a.Base.Num*Fine, r.Num, a.Base.Den, r.Den)
}

// Fine is the resolution in which distances from a grid frame are counted.
const Fine = 1 << 16

// Nearest is the grid frame nearest to source timestamp t.
func (a Anchor) Nearest(t int64, r Rate) int64 {
	return a.Frame + mulDivRound(t-a.Source, a.Base.Num, r.Num, a.Base.Den, r.Den)
}

// Time is the source timestamp of frame n, rounded to nearest.
func (a Anchor) Time(n int64, r Rate) int64 {
	return a.Source + mulDivRound(n-a.Frame, r.Den, a.Base.Den, r.Num, a.Base.Num)
}
