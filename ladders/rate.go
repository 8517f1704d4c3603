package ladders

import (
	"fmt"

	"github.com/galafarm/gala/timeline"
)

// Source rates outside these bounds are time bases mistaken for rates, or slide
// shows; 300 leaves real high-speed cameras (240) as they are.
const (
	minSourceRate = 5
	maxSourceRate = 300
	unknownRate   = 25
	nonsenseRate  = 60
)

func whole(n int64) timeline.Rate { return timeline.Rate{Num: n, Den: 1} }

// of is the mode for a source: Auto takes fields where a stated rate is at
// their pace and out of the frames' reach.
func (d Deinterlace) of(v *SourceVideo, rungs []VideoRung) Deinterlace {
	if d != AutoRate {
		return d
	}
	rate, _ := saneRate(v.Rate)
	if top := fastestFixed(rungs); top.Valid() && (timeline.Rate{Num: rate.Num * 3, Den: rate.Den * 2}).Cmp(top) < 0 {
		return FieldRate
	}
	return FrameRate
}

func (d Deinterlace) why() string {
	switch d {
	case FieldRate:
		return "every field of an interlaced source becomes a picture (bwdif), 50 of 1080i25"
	case FrameRate:
		return "every frame of an interlaced source becomes a picture (bwdif), 25 of 1080i25"
	}
	return "an interlaced source becomes a picture a frame (bwdif), or a field where rungs state a rate that only fields reach"
}

// gridRate is the rate of the grid for a source, with a note when it is not
// what the source says.
func gridRate(v *SourceVideo, mode Deinterlace) (timeline.Rate, string) {
	rate, note := saneRate(v.Rate)
	if v.Interlaced && mode == FieldRate && rate.Cmp(whole(maxSourceRate/2)) <= 0 {
		// 2·rate stays in lowest terms through Num/Den.
		rate, _ = timeline.NewRate(2*rate.Num, rate.Den)
	}
	return rate, note
}

func saneRate(r timeline.Rate) (timeline.Rate, string) {
	switch {
	case !r.Valid():
		return whole(unknownRate), fmt.Sprintf("the source states no frame rate; the grid runs at %d", unknownRate)
	case r.Cmp(whole(maxSourceRate)) > 0:
		return whole(nonsenseRate), fmt.Sprintf("the source claims %s frames a second, which is a time base rather than a rate; the grid runs at %d", r, nonsenseRate)
	}
	r = nominal(r)
	if r.Cmp(whole(minSourceRate)) < 0 {
		return raised(r)
	}
	return r, ""
}

// nominal is the standard rate that a measured one means (2997/100 is
// 30000/1001), and for any other one whose numerator fits a timescale.
func nominal(r timeline.Rate) timeline.Rate {
	r = timeline.Standard(r)
	if r.Num <= maxRateNum {
		return r
	}
	short, err := timeline.NewRate(timeline.Rescale(1000, timeline.Timebase(r), timeline.Timebase{Num: 1, Den: 1}), 1000)
	if err != nil { // below a thousandth of a frame a second
		return timeline.Rate{Num: 1, Den: 1000}
	}
	return short
}

// near tells whether a is within perMillion of b. It compares cross products
// in big steps so that hostile numerators cannot overflow.
func near(a, b timeline.Rate, perMillion int64) bool {
	low := timeline.Rate{Num: b.Num * (1_000_000 - perMillion), Den: b.Den * 1_000_000}
	high := timeline.Rate{Num: b.Num * (1_000_000 + perMillion), Den: b.Den * 1_000_000}
	return a.Cmp(low) >= 0 && a.Cmp(high) <= 0
}

// raised repeats the frames of a slide show so that a GOP stays near its length.
func raised(r timeline.Rate) (timeline.Rate, string) {
	if r.Den/r.Num > 1000 {
		return whole(minSourceRate), "the source is a still picture; it is repeated"
	}
	times := (minSourceRate*r.Den + r.Num - 1) / r.Num
	up, err := timeline.NewRate(r.Num*times, r.Den)
	if err != nil {
		return whole(minSourceRate), ""
	}
	return up, fmt.Sprintf("the source shows %s frames a second; each is repeated %d times", r, times)
}

// fastestFixed is the highest stated rate, invalid when rungs follow the source.
func fastestFixed(rungs []VideoRung) timeline.Rate {
	var top timeline.Rate
	for _, r := range rungs {
		if !r.FPS.Fixed.Valid() {
			return timeline.Rate{}
		}
		if !top.Valid() || r.FPS.Fixed.Cmp(top) > 0 {
			top = r.FPS.Fixed
		}
	}
	return top
}

// statedRate is the grid's rate where the ladder states it: that rate, or the
// source's own when the two differ only as 30 and 30000/1001 do.
func statedRate(stated, source timeline.Rate) (timeline.Rate, string) {
	if near(source, stated, 1001) {
		return source, ""
	}
	return stated, fmt.Sprintf("the ladder states %s frames a second and the source has %s; frames are repeated or dropped", stated, source)
}

// divisors chooses each rung's divisor of rate. A GOP must hold a whole number
// of every rung's frames: where the least common multiple of the wanted
// divisors is longer than a GOP, a later one is rounded up to a multiple of
// those before it.
func divisors(rungs []VideoRung, rate timeline.Rate, gopFrames int64) []int64 {
	out := make([]int64, len(rungs))
	common := int64(1)
	for i, r := range rungs {
		k := r.FPS.divisor(rate)
		if lcm(common, k) > max(gopFrames, k) {
			k = (k + common - 1) / common * common
		}
		common, out[i] = lcm(common, k), k
	}
	return out
}

func lcm(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
