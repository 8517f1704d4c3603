package rehearsal

import (
	"slices"
	"time"

	"github.com/galafarm/gala/media/verify"
)

// Measured is what a viewer would have noticed of one fault.
type Measured struct {
	// Missing is how many numbers are missing in any rendition, MissingSegments
	// how many segments that are.
	Missing         int `json:"missing"`
	MissingSegments int `json:"missing_segments"`
	// Late segments came more than their length later than usual.
	Late int `json:"late"`
	// GapMS is the longest time between two new segments of a rendition less
	// the segment's length.
	GapMS float64 `json:"gap_ms"`
	// FirstMS is from the fault to the first new segment, after the longest pause
	// that began within two segments of it where there was one; of the rendition
	// for which that took longest.
	FirstMS float64 `json:"first_ms"`
	// EdgeMS is from the fault until every rendition was at its live edge again,
	// 0 when none had left it.
	EdgeMS float64 `json:"edge_ms"`
	// Recovered: every rendition was there again when the next fault was due.
	Recovered bool `json:"recovered"`
	// Segments that came in the time that is told of.
	Segments int `json:"segments"`
}

// usual is how long after they are due segments of a rendition come, while nothing is broken.
type usual map[string]time.Duration

// usualOf is the median of what came before a moment. What was behind by an
// earlier measure is left out: a fault that lasted must not become what is usual.
func usualOf(seen []verify.Sighting, before time.Time, earlier usual) usual {
	delays := map[string][]time.Duration{}
	for _, s := range seen {
		if _, known := earlier[s.Rendition]; known && !s.Gap && !earlier.onEdge(s) {
			continue
		}
		if !s.Gap && s.Fetched.Before(before) {
			delays[s.Rendition] = append(delays[s.Rendition], s.Fetched.Sub(s.Due))
		}
	}
	out := usual{}
	for name, d := range delays {
		slices.Sort(d)
		out[name] = d[(len(d)-1)/2]
	}
	return out
}

// behind is how much later than usual a segment came.
func (u usual) behind(s verify.Sighting) time.Duration { return s.Fetched.Sub(s.Due) - u[s.Rendition] }

// onEdge: the segment is no more than half its length behind.
func (u usual) onEdge(s verify.Sighting) bool { return u.behind(s) <= s.Length/2 }

// measure a fault at from by what was seen until to. The renditions are those
// that u knows: one that never came back has not recovered.
func measure(seen []verify.Sighting, u usual, from, to time.Time) Measured {
	m := Measured{Recovered: len(u) > 0}
	numbers := map[int64]bool{}
	for _, s := range seen {
		if s.Gap && s.Listed.After(from) && !s.Listed.After(to) {
			m.MissingSegments++
			numbers[s.Number] = true
		}
	}
	m.Missing = len(numbers)
	for name := range u {
		r := rendition{usual: u, from: from, to: to}
		for _, s := range seen {
			if s.Rendition == name && !s.Gap {
				r.take(s)
			}
		}
		r.close()
		m.add(r)
	}
	return m
}

func (m *Measured) add(r rendition) {
	m.Late += r.late
	m.Segments += r.segments
	m.GapMS = max(m.GapMS, milliseconds(r.pause))
	m.FirstMS = max(m.FirstMS, milliseconds(r.first))
	m.EdgeMS = max(m.EdgeMS, milliseconds(r.edge))
	m.Recovered = m.Recovered && r.back
}

// rendition is measured on its own.
type rendition struct {
	usual    usual
	from, to time.Time
	last     time.Time     // of the newest segment
	length   time.Duration // of it
	pause    time.Duration // longest, less the length
	first    time.Duration // from the fault to the end of the longest of those that it can have caused
	stopped  time.Duration // that one
	edge     time.Duration
	away     bool // behind since the fault
	back     bool
	segments int
	late     int
}

// take segments in the order in which they came.
func (r *rendition) take(s verify.Sighting) {
	if s.Fetched.After(r.to) {
		return
	}
	if s.Fetched.After(r.from) {
		r.segments++
		r.waited(s.Fetched, s.Length)
		onEdge := r.usual.onEdge(s)
		if r.usual.behind(s) > s.Length {
			r.late++
		}
		if r.away && onEdge {
			r.edge = s.Fetched.Sub(r.from)
		}
		r.away, r.back = !onEdge, onEdge
	}
	r.last, r.length = s.Fetched, s.Length
}

func (r *rendition) waited(until time.Time, length time.Duration) {
	if r.last.IsZero() {
		return
	}
	pause := until.Sub(r.last) - length
	if its := r.last.Sub(r.from) <= 2*length; r.first == 0 || its && pause > max(r.stopped, length/4) {
		r.first, r.stopped = until.Sub(r.from), pause
	}
	r.pause = max(r.pause, pause)
}

// close: a pause that has not ended counts up to the end, and what is overdue
// is not at its edge.
func (r *rendition) close() {
	if r.last.IsZero() {
		r.back = false
		return
	}
	if open := r.to.Sub(r.last); open > 2*r.length {
		r.waited(r.to, r.length)
		r.back = false
	}
	if !r.back && r.to.After(r.from) {
		r.edge = max(r.edge, r.to.Sub(r.from))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
