package libav

import "github.com/asticode/go-astiav"

// steady decides where each frame of a track belongs. Sound is one line of
// samples, so frames are counted on from the first and their timestamps only
// watched:
//
//   - Single timestamps that stray (Vorbis at block changes, muxers that give two
//     frames one time) move nothing.
//   - Where the timestamps leave the count and stay away, samples were lost or
//     came twice. The frames after that place wait until it is certain, so that
//     the gap or the cut falls exactly there.
//   - A small distance that stays is the drift of a clock. It is handed on as
//     it is, for the resampler to follow.
//
// Times are in samples of the grid, with steadyBits bits of fraction: a frame
// of 44.1 kHz is not a whole number of them.
type steady struct {
	rate    int64 // of the grid
	next    int64 // where the next frame belongs by count, held ones aside
	settled bool
	held    []steadyFrame

	// the deviations since the last look at the drift
	low, high, watched int64
}

type steadyFrame struct {
	f      *astiav.Frame
	at     int64 // where its timestamp puts it; after steady, where it belongs
	length int64
}

const steadyBits = 16

// furthest is as many samples as fit: centuries.
const furthest = int64(1) << 46

// jumpAfter is the deviation that is more than drift and jitter: below the
// shortest frame that can be lost (10.7 ms of AAC at 96 kHz is left to the
// resampler). certainAfter is how long a deviation must last to be believed,
// and watchFor how long a small one.
func (s *steady) jumpAfter() int64    { return s.rate * 12 / 1000 << steadyBits }
func (s *steady) certainAfter() int64 { return s.rate * 120 / 1000 << steadyBits }
func (s *steady) watchFor() int64     { return s.rate / 2 << steadyBits }
func (s *steady) lostAtMost() int64   { return s.rate * 3600 << steadyBits }

// put takes a frame whose timestamp is sample at, and gives the frames whose
// places are certain now. It keeps references until then.
func (s *steady) put(f *astiav.Frame, at int64) []steadyFrame {
	length := int64(f.NbSamples()) << steadyBits * s.rate / int64(f.SampleRate())
	at = max(min(at, furthest), -furthest)
	return s.add(steadyFrame{f: f, at: at << steadyBits, length: length})
}

func (s *steady) add(x steadyFrame) []steadyFrame {
	dev := x.at - s.counted()
	away := !s.settled || max(dev, -dev) > s.jumpAfter()
	var out []steadyFrame
	if s.settled && len(s.held) > 0 && (!away || (dev > 0) != (s.deviation(0) > 0)) {
		out = s.release() // they strayed: the line goes on
	}
	s.held = append(s.held, x)
	if !away {
		s.watch(dev, x.length)
		return append(out, s.release()...)
	}
	if s.waiting() < s.certainAfter() {
		return out
	}
	return append(out, s.believe()...)
}

// counted is where the frame after the held ones belongs.
func (s *steady) counted() int64 { return s.next + s.waiting() }

func (s *steady) waiting() (length int64) {
	for _, h := range s.held {
		length += h.length
	}
	return length
}

// deviation of held frame i.
func (s *steady) deviation(i int) int64 {
	at := s.next
	for _, h := range s.held[:i] {
		at += h.length
	}
	return s.held[i].at - at
}

// release puts the held frames one after the other.
func (s *steady) release() []steadyFrame {
	out := s.held
	s.held = nil
	for i := range out {
		out[i].at = s.next
		s.next += out[i].length
	}
	return out
}

// believe moves the line by what all held frames have in common, and looks at
// them again: there may be a second jump among them. At the start of a track it
// is what makes the earliest of them right: frames get lost, or late, not early.
func (s *steady) believe() []steadyFrame {
	if len(s.held) == 0 {
		return nil
	}
	least := s.deviation(0)
	for i := range s.held {
		if d := s.deviation(i); !s.settled && d < least || s.settled && max(d, -d) < max(least, -least) {
			least = d
		}
	}
	if s.settled && max(least, -least) > s.lostAtMost() {
		return s.release()
	}
	s.next, s.settled = s.next+least, true
	s.low, s.high, s.watched = 0, 0, 0
	again := s.held
	s.held = nil
	var out []steadyFrame
	for _, h := range again {
		out = append(out, s.add(h)...)
	}
	return out
}

// drain gives the frames that still wait; the timestamps are right.
func (s *steady) drain() []steadyFrame {
	var out []steadyFrame
	for len(s.held) > 0 {
		out = append(out, s.believe()...)
	}
	return out
}

// watch follows a drift: the line moves by what every frame of half a second
// is off at least.
func (s *steady) watch(dev, length int64) {
	if s.watched == 0 {
		s.low, s.high = dev, dev
	}
	s.low, s.high, s.watched = min(s.low, dev), max(s.high, dev), s.watched+length
	if s.watched < s.watchFor() {
		return
	}
	s.watched = 0
	switch {
	case s.low > 0:
		s.next += s.low
	case s.high < 0:
		s.next += s.high
	}
}

func (s *steady) free() {
	for _, h := range s.held {
		h.f.Free()
	}
	s.held = nil
}
