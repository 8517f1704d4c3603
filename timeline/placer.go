package timeline

// Placer decides which grid frame each source frame becomes: the nearest one,
// with hysteresis, so that a source that jitters around half a frame neither
// doubles nor drops. It is a pure state machine over source timestamps.
//
// The hysteresis never accumulates: a frame sits at most maxSlip from where it
// belongs, so two observers that started apart agree again at the first frame
// whose distance from a half is larger than the slip.
type Placer struct {
	Anchor Anchor
	Rate   Rate
	next   int64
	have   bool
}

// maxSlip is how far, in 1/Fine frames, a frame may sit from its true place to
// follow its predecessor directly: three quarters of a frame.
const maxSlip = Fine * 3 / 4

// Place is the index for the frame with source timestamp t. Indexes that were
// skipped since the last call are to be filled by repeating the frame before;
// ok is false for a frame whose place is already taken: drop it.
func (p *Placer) Place(t int64) (n int64, ok bool) {
	fine := p.Anchor.Offset(t, p.Rate)
	n = p.Anchor.Frame + floorDiv(fine+Fine/2, Fine)
	if p.have && n != p.next {
		if slip := fine - (p.next-p.Anchor.Frame)*Fine; slip >= -maxSlip && slip <= maxSlip {
			n = p.next
		}
	}
	if p.have && n < p.next {
		return n, false
	}
	p.next, p.have = n+1, true
	return n, true
}

// Reset forgets the previous frame: after a seek or on a new anchor.
func (p *Placer) Reset(a Anchor) { p.Anchor, p.have = a, false }
