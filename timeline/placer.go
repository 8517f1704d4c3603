package timeline

// Placer decides which grid frame each source frame becomes.
//
// The rule. Time is cut into blocks of one second in whole grid frames. A
// frame becomes the index nearest to its time less the phase of the source:
// the steady distance between the source's frames and the grid's, read from
// the block before. A phase exists where all frames of that block lie within
// 7/16 of a frame of each other modulo a frame; otherwise, and in the first
// block after a gap, it is zero and the rule is plain rounding. An index is
// given once: a second frame that falls on it is dropped.
//
// What follows, for timestamps that do not go backwards:
//
//   - A source at the grid's rate whose frames stray less than 7/16 of a frame
//     peak to peak (millisecond timestamps stray 0.12 at 119.88 fps) is neither
//     doubled nor dropped within a block at any phase, half a frame included;
//     between blocks at most one frame is, and only while the phase stands on
//     the half itself, where no snapped anchor puts it.
//   - When it drifts against the grid, one frame is doubled or dropped per
//     whole frame of drift, where the phase passes a half: what the grid asks.
//   - The decision about a frame of block k depends on the anchor and on the
//     frames since the start of block k-2, on nothing older. So two observers
//     of one source through one anchor agree on every frame from three blocks
//     after the later one's first frame (see Lookback), whatever the source
//     does; and from the very first frame when the anchor lies on a frame of a
//     source at the grid's rate (Grid.Snap does that), for as long as drift and
//     jitter together stay under a quarter of a frame.
//
// Timestamps that jump back are a discontinuity, which is for the caller to
// see: Reset with an anchor of a new generation.
type Placer struct {
	Anchor Anchor
	Rate   Rate

	block        int64
	seen         phases // of the block so far
	phase        int64  // of the block before, in 1/Fine
	next         int64
	started, any bool
}

// Lookback is how many grid frames before its first wanted frame an observer
// must begin, so that it agrees with every other one from there on.
func Lookback(r Rate) int64 { return 3 * blockFrames(r) }

// blockFrames is one second in whole frames, rounded up: at 24000/1001 and its
// kin that is also the period of the rounding to milliseconds (24 frames are
// 1001 ms), so that the phase of such a source reads the same in every block.
func blockFrames(r Rate) int64 { return max(ceilDiv(r.Num, r.Den), 1) }

// Place is the index for the frame with source timestamp t. Indexes that were
// skipped since the last call are to be filled by repeating the frame before;
// ok is false for a frame whose place is already taken: drop it.
func (p *Placer) Place(t int64) (n int64, ok bool) {
	fine := p.Anchor.Offset(t, p.Rate)
	p.enter(floorDiv(p.nearest(fine), blockFrames(p.Rate)))
	p.seen.add(fine)
	n = p.nearest(subSat(fine, p.phase))
	if p.any && n < p.next {
		return n, false
	}
	p.next, p.any = addSat(n, 1), true
	return n, true
}

// Reset forgets the source so far: after a seek or on a new anchor.
func (p *Placer) Reset(a Anchor) { *p = Placer{Anchor: a, Rate: p.Rate} }

// nearest is the index nearest to a distance from the anchor, halves up.
func (p *Placer) nearest(fine int64) int64 {
	return addSat(p.Anchor.Frame, floorDiv(addSat(fine, Fine/2), Fine))
}

// enter moves to the block of the next frame. A block never goes back: a frame
// that strays over the edge belongs to the block that was begun.
func (p *Placer) enter(block int64) {
	switch {
	case p.started && block <= p.block:
		return
	case p.started && block == p.block+1:
		p.phase = p.seen.centre()
	default:
		p.phase = 0
	}
	p.block, p.seen, p.started = block, 0, true
}
