package timeline

import "slices"

// NominalRate is the grid rate that a source calls for, and whether its frames
// come at no constant rate.
//
// avg and r are what the container claims (libavformat's avg_frame_rate and
// r_frame_rate; either may be zero), samples the first timestamps in units of
// base, in any order. Samples outrank claims: a claim that they contradict is
// not believed. A rate within 1/2500 of a standard one is that one (29.976 is
// 30000/1001, and 29.833 is itself), because clocks in files are rounded.
// Frames at no constant rate get the standard rate nearest to the pace at which
// most of them come, never slower than their average, at most 60.
//
// The zero Rate means that nothing is known; the caller decides (25 is a custom).
func NominalRate(avg, r Rate, base Timebase, samples []int64) (rate Rate, variable bool) {
	s := newSampling(base, samples)
	if len(s.times) < enough {
		return claimed(avg, r)
	}
	claims := standards(avg, r)
	if rate := s.constant(claims, append(standards(s.mean()), screenRates()...)); rate.Valid() {
		return rate, false
	}
	if rate := s.odd(avg, r); rate.Valid() {
		return rate, false
	}
	return s.pace(avg), true
}

// enough timestamps to judge a rate by.
const enough = 6

// sensible is the fastest rate that is believed without proof.
var sensible = Rate{120, 1}

// claimed is the rate of a source that showed no timestamps. Where the claims
// differ, r counts fields or clock ticks and the average tells the frames.
func claimed(avg, r Rate) (Rate, bool) {
	switch {
	case avg.Valid() && r.Valid():
		near := within(avg, r, 50)
		if near && r.Cmp(sensible) <= 0 {
			return Standard(r), false
		}
		fields := within(avg, Rate{r.Num, r.Den * 2}, 50)
		return Standard(avg), !near && !fields
	case avg.Valid():
		return Standard(avg), false
	case r.Valid() && r.Cmp(sensible) <= 0:
		return Standard(r), false
	}
	return Rate{}, false
}

// standards are the rates whose standard form is a standard rate, in that form.
func standards(rates ...Rate) []Rate {
	var all []Rate
	for _, c := range rates {
		if s := Standard(c); c.Valid() && (s != c || c.Den == 1 || c.Den == 1001 && c.Num%1000 == 0) {
			all = append(all, s)
		}
	}
	return all
}

// Standard is the standard rate within 1/2500 of r, or r itself. Standard are
// the whole numbers to 240 and 1000/1001 of 12, 15, 24, 30, 48, 60, 90, 120 and 240.
func Standard(r Rate) Rate {
	for _, k := range []int64{12, 15, 24, 30, 48, 60, 90, 120, 240} {
		if s := (Rate{k * 1000, 1001}); within(r, s, 2500) {
			g := gcd(s.Num, s.Den)
			return Rate{s.Num / g, s.Den / g}
		}
	}
	whole := Rate{(2*r.Num + r.Den) / (2 * r.Den), 1}
	if whole.Num >= 1 && whole.Num <= 240 && within(r, whole, 2500) {
		return whole
	}
	return r
}

// within tells whether a differs from b by at most b/part.
func within(a, b Rate, part int64) bool {
	lo, hi := Rate{b.Num * (part - 1), b.Den * part}, Rate{b.Num * (part + 1), b.Den * part}
	return a.Cmp(lo) >= 0 && a.Cmp(hi) <= 0
}

// sampling is a source's timestamps in order, without repeats.
type sampling struct {
	base  Timebase
	times []int64
}

func newSampling(base Timebase, samples []int64) sampling {
	if !base.Valid() {
		return sampling{}
	}
	times := slices.Clone(samples)
	slices.Sort(times)
	return sampling{base, slices.Compact(times)}
}

// mean is the rate over the whole sampling as a ratio of small numbers; zero
// when it has none.
func (s sampling) mean() Rate {
	span := subSat(s.times[len(s.times)-1], s.times[0])
	return s.rateOf(int64(len(s.times)-1), span)
}

// rateOf is count frames in span ticks, to the nearest 1/1001 of a frame per second.
func (s sampling) rateOf(count, span int64) Rate {
	if span <= 0 {
		return Rate{}
	}
	r, err := NewRate(mulDivRound(count, 1001, s.base.Den, span, s.base.Num), 1001)
	if err != nil {
		return Rate{}
	}
	return r
}

// constant is the rate on whose grid all frames lie best, most of them on
// successive indexes; the zero Rate when there is none. A claim wins over what
// fits only a sixteenth of a frame better: over a second or two noise can do that.
func (s sampling) constant(claims, others []Rate) Rate {
	claimed, stray := s.best(claims)
	other, least := s.best(others)
	if claimed.Valid() && stray-Fine/16 <= least {
		return claimed
	}
	return other
}

// odd is a constant rate that is no standard one: the first of these that fits.
// An average is believed before the usual step only when it is a ratio of small
// numbers; 2505000/83831 is a measurement, where each frame lasts 3012/90000.
func (s sampling) odd(avg, r Rate) Rate {
	const small = 240_000
	order := []Rate{r, avg, s.usual(), s.mean()}
	if avg.Num > small {
		order = []Rate{r, s.usual(), avg, s.mean()}
	}
	for _, rate := range order {
		if !rate.Valid() {
			continue
		}
		if _, ok := s.stray(rate); ok {
			return rate
		}
	}
	return Rate{}
}

// usual is the rate of the median step, exactly.
func (s sampling) usual() Rate {
	steps := s.steps()
	step := steps[len(steps)/2]
	if step > satLimit(false)/s.base.Num {
		return Rate{}
	}
	r, err := NewRate(s.base.Den, step*s.base.Num)
	if err != nil {
		return Rate{}
	}
	return r
}

// steps between frames, shortest first.
func (s sampling) steps() []int64 {
	steps := make([]int64, 0, len(s.times))
	for i, t := range s.times[1:] {
		steps = append(steps, subSat(t, s.times[i]))
	}
	slices.Sort(steps)
	return steps
}

func (s sampling) best(rates []Rate) (best Rate, least int64) {
	least = Fine
	for _, r := range rates {
		if !r.Valid() {
			continue
		}
		if d, ok := s.stray(r); ok && d < least {
			best, least = r, d
		}
	}
	return best, least
}

// stray is how far, in 1/Fine, frames lie from the grid of r through the first
// one, at worst. ok is false when they do not fit it: further than an eighth
// of a frame and the rounding of the clock, two on one index, or most not on
// the next one (any source fits ten times its rate).
func (s sampling) stray(r Rate) (worst int64, ok bool) {
	a := Anchor{Source: s.times[0], Base: s.base}
	limit := min(Fine/8+a.Offset(a.Source+1, r), Fine*3/8)
	last, steps := int64(-1), 0
	for _, t := range s.times {
		n := a.Nearest(t, r)
		worst = max(worst, distance(a.Offset(t, r), n*Fine))
		if n == last || worst > limit {
			return worst, false
		}
		if n == last+1 {
			steps++
		}
		last = n
	}
	return worst, steps*2 > len(s.times)
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// pace is the grid rate for frames at no constant rate: that of the shorter
// intervals (lower quartile: a recording that halves its rate in the dark is
// still shown at its full one), at least the average, rounded to a rate that
// screens know.
func (s sampling) pace(avg Rate) Rate {
	steps := s.steps()
	want := s.rateOf(1, steps[len(steps)/4])
	for _, least := range []Rate{avg, s.mean()} {
		if least.Valid() && least.Cmp(sensible) <= 0 && want.Cmp(least) < 0 {
			want = least
		}
	}
	return screenRate(want)
}

// screenRates are the rates that screens know.
func screenRates() []Rate {
	return []Rate{{5, 1}, {10, 1}, {12, 1}, {15, 1}, {20, 1}, {24000, 1001}, {24, 1}, {25, 1},
		{30000, 1001}, {30, 1}, {48, 1}, {50, 1}, {60000, 1001}, {60, 1}}
}

// screenRate is the screen rate nearest to want.
func screenRate(want Rate) Rate {
	known := screenRates()
	for i, r := range known[:len(known)-1] {
		next := known[i+1]
		if want.Cmp(Rate{r.Num*next.Den + next.Num*r.Den, 2 * r.Den * next.Den}) < 0 {
			return r
		}
	}
	return known[len(known)-1]
}
