package packager

import (
	"time"
)

// Progress is how far a rendition has come. With several outputs a clip counts
// what is at all of them, a live job what is at the best of them.
type Progress struct {
	// Of what came from this pipeline and is at the output; segments that a
	// predecessor had published already are among them.
	Segments, Frames, Bytes int64
	LastSegment             int64 // -1 before the first
	LastSegmentAt           time.Time
	Late, Dropped           int64
	// Resting: the rendition is left out at present.
	Resting  bool
	Lost     int64 // Dropped, and what an output did not take (live)
	LateCues int64 // that came after their segment
	// Bitrate is that of the last segments published, in bit/s.
	Bitrate int64
}

// Progress is a snapshot by rendition.
func (p *Packager) Progress() map[string]Progress {
	out := map[string]Progress{}
	for _, t := range p.order {
		best := t.takers[0].progress()
		for _, k := range t.takers[1:] {
			q := k.progress()
			switch {
			case !p.spec.Live && q.LastSegment <= best.LastSegment,
				p.spec.Live && (q.LastSegment > best.LastSegment || q.LastSegment == best.LastSegment && q.Segments > best.Segments):
				best = q
			}
		}
		best.LateCues = t.late.Load()
		out[t.rendition.Name] = best
	}
	return out
}

// meter counts what was published.
type meter struct {
	segments, met, bytes int64 // met are frames
	last                 int64
	lastAt               time.Time
	late, dropped, lost  int64
	recent               []Event // the last few
}

const recentSegments = 8

func newMeter() meter { return meter{last: -1} }

// there counts a segment that is at the output.
func (m *meter) there(s *segment) {
	m.segments, m.met, m.bytes = m.segments+1, m.met+s.frames, m.bytes+s.size()
}

func (m *meter) count(e Event, late bool) {
	m.last, m.lastAt = e.Segment, e.At
	if late {
		m.late++
	}
	if m.recent = append(m.recent, e); len(m.recent) > recentSegments {
		m.recent = m.recent[1:]
	}
}

func (m *meter) bitrate() int64 {
	var bytes int64
	var length time.Duration
	for _, e := range m.recent {
		bytes, length = bytes+e.Bytes, length+e.Duration
	}
	if length < time.Microsecond {
		return 0
	}
	return bytes * 8 * 1e6 / length.Microseconds()
}

func (k *taker) progress() Progress {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Progress{
		Segments: k.segments, Frames: k.met, Bytes: k.bytes, LastSegment: k.last, LastSegmentAt: k.lastAt,
		Late: k.late, Dropped: k.dropped, Lost: k.lost, Bitrate: k.bitrate(), Resting: k.resting,
	}
}

// Finishing counts the steps that were taken after the last segment.
func (p *Packager) Finishing() int64 { return p.finishing.Load() }
