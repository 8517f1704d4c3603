package packager

import (
	"time"
)

// Progress is how far a rendition has come. With several outputs a clip counts
// what is at all of them, a live job what is at the best of them.
type Progress struct {
	Segments, Bytes int64
	LastSegment     int64 // -1 before the first
	LastSegmentAt   time.Time
	Late, Dropped   int64
	// Bitrate is that of the last segments published, in bit/s.
	Bitrate int64
}

// Progress is a snapshot by rendition.
func (p *Packager) Progress() map[string]Progress {
	out := map[string]Progress{}
	for _, t := range p.order {
		best := t.takers[0].progress()
		for _, k := range t.takers[1:] {
			if q := k.progress(); p.spec.Live == (q.LastSegment > best.LastSegment) {
				best = q
			}
		}
		out[t.rendition.Name] = best
	}
	return out
}

// meter counts what was published.
type meter struct {
	segments, bytes int64
	last            int64
	lastAt          time.Time
	late, dropped   int64
	recent          []Event // the last few
}

const recentSegments = 8

func newMeter() meter { return meter{last: -1} }

func (m *meter) count(e Event, late bool) {
	m.segments, m.bytes = m.segments+1, m.bytes+e.Bytes
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
		Segments: k.segments, Bytes: k.bytes, LastSegment: k.last, LastSegmentAt: k.lastAt,
		Late: k.late, Dropped: k.dropped, Bitrate: k.bitrate(),
	}
}

// Finishing counts the steps that were taken after the last segment.
func (p *Packager) Finishing() int64 { return p.finishing.Load() }
