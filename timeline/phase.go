package timeline

import "math/bits"

// phases is where, on a circle of one grid frame cut into 64 sectors, source
// frames were seen.
type phases uint64

const (
	sector = Fine / 64
	// locked is the widest arc, in sectors, that still counts as one phase. It
	// is less than the half circle that a source at twice the grid's rate covers.
	locked = 28
)

// add notes a frame at this distance from the grid.
func (s *phases) add(fine int64) { *s |= 1 << (uint64(fine) % Fine / sector) }

// centre is the middle of the arc that holds all phases, in 1/Fine of a frame,
// above -Fine/2 and up to Fine/2; zero when they do not share one.
func (s phases) centre() int64 {
	gap, after := s.widestGap()
	arc := 64 - gap
	if s == 0 || arc > locked {
		return 0
	}
	mid := (after*2 + arc) * sector / 2 % Fine
	if mid > Fine/2 {
		mid -= Fine
	}
	return mid
}

// widestGap is the length of the longest empty run on the circle and the first
// sector after it.
func (s phases) widestGap() (length, after int64) {
	for i := range 64 {
		turned := bits.RotateLeft64(uint64(s), -i) // sector i is now bit 0
		run := int64(bits.LeadingZeros64(turned))  // empty sectors just before i
		if turned&1 == 1 && run > length {
			length, after = run, int64(i)
		}
	}
	return length, after
}
