package verify

import (
	"math"
	"slices"
	"time"
)

// Spread describes many times by their order statistics, in milliseconds. The
// percentiles are right to one per cent, minimum and maximum exactly.
type Spread struct {
	N   int     `json:"n"`
	Min float64 `json:"min_ms"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// spread counts times in bins that grow by one per cent, so that hours of them
// take no more memory than minutes.
type spread struct {
	n        int
	min, max time.Duration
	bins     map[int]int
}

const binGrowth = 1.01

func (s *spread) add(d time.Duration) {
	if s.bins == nil {
		s.bins, s.min, s.max = map[int]int{}, d, d
	}
	s.n, s.min, s.max = s.n+1, min(s.min, d), max(s.max, d)
	s.bins[binOf(d)]++
}

// binOf is the bin of a time: 0 up to a millisecond, below 0 for times before
// they were due.
func binOf(d time.Duration) int {
	ms := d.Abs().Seconds() * 1000
	if ms < 1 {
		return 0
	}
	bin := 1 + int(math.Log(ms)/math.Log(binGrowth))
	if d < 0 {
		return -bin
	}
	return bin
}

// middle of a bin in milliseconds.
func middle(bin int) float64 {
	switch {
	case bin == 0:
		return 0
	case bin < 0:
		return -middle(-bin)
	}
	return math.Pow(binGrowth, float64(bin)-0.5)
}

// rank is the time that a share of all does not exceed.
func (s *spread) rank(share float64) float64 {
	bins := make([]int, 0, len(s.bins))
	for b := range s.bins {
		bins = append(bins, b)
	}
	slices.Sort(bins)
	want, seen := int(math.Ceil(share*float64(s.n))), 0
	for _, b := range bins {
		if seen += s.bins[b]; seen >= want {
			return min(max(middle(b), ms(s.min)), ms(s.max))
		}
	}
	return ms(s.max)
}

func (s *spread) spread() Spread {
	if s.n == 0 {
		return Spread{}
	}
	return Spread{N: s.n, Min: ms(s.min), P50: s.rank(0.5), P99: s.rank(0.99), Max: ms(s.max)}
}

func ms(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e3 }

// median of the newest times.
type median struct {
	ring []time.Duration
	next int
}

const (
	medianOf   = 128
	medianFrom = 8 // fewer say nothing
)

func (m *median) add(d time.Duration) {
	if len(m.ring) < medianOf {
		m.ring = append(m.ring, d)
		return
	}
	m.ring[m.next] = d
	m.next = (m.next + 1) % medianOf
}

func (m *median) filled() bool { return len(m.ring) >= medianFrom }

func (m *median) value() time.Duration {
	if len(m.ring) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(m.ring))
	return sorted[(len(sorted)-1)/2]
}

// drift of the live edge against our clock: the usual delay at first and now.
type drift struct {
	first, newest   median
	from, firstEnds time.Time
	to              time.Time
}

func (d *drift) add(now time.Time, delay time.Duration) {
	if d.from.IsZero() {
		d.from = now
	}
	if len(d.first.ring) < medianOf {
		d.first.add(delay)
		d.firstEnds = now
	}
	d.newest.add(delay)
	d.to = now
}

// known: enough time lies between the two medians.
func (d *drift) known() bool {
	return len(d.first.ring) == medianOf && d.to.Sub(d.from) > 4*d.firstEnds.Sub(d.from)
}

// moved is how much later the edge has become, and that over the time in
// parts per million.
func (d *drift) moved() (by time.Duration, ppm float64) {
	by = d.newest.value() - d.first.value()
	// From the middle of the first to the middle of the newest.
	over := d.to.Sub(d.from) - d.firstEnds.Sub(d.from)
	return by, by.Seconds() / over.Seconds() * 1e6
}

// endings are where the renditions' segments of the newest numbers end.
type endings struct {
	at    map[int64]*ending
	frame time.Duration // the longest audio frame
	av    spread        // sound's end less the pictures'
	apart spread        // last rendition of a number less the first
}

type ending struct {
	video, audio  time.Duration // -1 not known
	first, latest time.Time
}

// endingsKept is how many numbers a slow rendition may be behind.
const endingsKept = 64

// add tells how far sound and pictures of the number are apart when both are
// known, and how far they may be.
func (e *endings) add(number int64, video bool, end, frame time.Duration, now time.Time) (off, most time.Duration, both bool) {
	x := e.at[number]
	if x == nil {
		x = &ending{video: -1, audio: -1, first: now}
		e.at[number] = x
	}
	x.latest = now
	if e.frame = max(e.frame, frame); video {
		x.video = end
	} else {
		x.audio = end
	}
	for n, old := range e.at {
		if n < number-endingsKept {
			e.apart.add(old.latest.Sub(old.first))
			delete(e.at, n)
		}
	}
	if x.video < 0 || x.audio < 0 {
		return 0, 0, false
	}
	e.av.add(x.audio - x.video)
	return x.audio - x.video, e.frame, true
}

// finish counts the numbers that are left.
func (e *endings) finish() {
	for n, x := range e.at {
		e.apart.add(x.latest.Sub(x.first))
		delete(e.at, n)
	}
}
