package timeline

// Unwrap33 turns 33-bit timestamps (MPEG-2 systems, ISO/IEC 13818-1 §2.4.3.7)
// into ones that grow for ever.
//
// The zero value takes its first timestamp as it is, which is right only for
// whoever sets the anchor. An observer that joins later seeds with what the
// anchor expects by now (Anchor.Time of Grid.FrameAt): any estimate within
// 13 hours gives both observers the same count of wraps.
type Unwrap33 struct {
	last int64
	have bool
}

const wrap33 = int64(1) << 33

// Seed makes the next timestamp the one nearest to expected.
func (u *Unwrap33) Seed(expected int64) { u.last, u.have = expected, true }

// Next is the unwrapped form of t nearest to the previous one.
func (u *Unwrap33) Next(t int64) int64 {
	t &= wrap33 - 1
	if u.have {
		t += floorDiv(u.last-t+wrap33/2, wrap33) * wrap33
	}
	u.last, u.have = t, true
	return t
}
