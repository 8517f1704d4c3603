package ladders

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
)

// fitted is a rung with the size it gets from a source.
type fitted struct {
	rung     *VideoRung
	index    int // among the ladder's video rungs
	w, h     int
	scale    *big.Rat // of the source to the rung's box
	enlarged bool     // the minimum size decided
	// bitrate as authored, or less where the rung was reduced to the source.
	bitrate int64
}

// fitter applies the video rungs of one codec to one shape.
type fitter struct {
	shape shape
	notes []string
}

func (f *fitter) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// nextSize: a source this much larger (in per cent) than the largest rung that
// fits deserves a rung of its own size.
const nextSize = 110

// minRise: two rungs of one size are worth it from this bit rate ratio on, in
// per cent.
const minRise = 130

// fit chooses which rungs a source gets, and their sizes:
//
//   - a rung that fits the source (or misses it by 3 %) is taken;
//   - rungs above the source are dropped, unless they say upscale; but where
//     nothing near the source's size is left, the next rung up is reduced to
//     that size, its bit rate with it;
//   - the largest size keeps as many rungs as the ladder's largest has, where
//     rungs above can be reduced to it (Apple 9.10 wants two).
func (f *fitter) fit(rungs []fitted) []fitted {
	var taken, above []fitted
	wanted := f.topCount(rungs)
	for _, r := range rungs {
		if f.place(&r) {
			taken = append(taken, r)
		} else {
			above = append(above, r)
		}
	}
	slices.SortStableFunc(above, func(a, b fitted) int { // the next one up first
		return cmp.Or(a.scale.Cmp(b.scale), cmp.Compare(a.bitrate, b.bitrate))
	})
	if slices.ContainsFunc(taken, func(r fitted) bool { return above1(r.scale) }) {
		wanted = 0 // an upscaled rung is the top already
	}
	return f.collapse(f.reduce(taken, above, wanted))
}

func above1(r *big.Rat) bool { return r.Cmp(big.NewRat(1, 1)) > 0 }

// topCount is how many rungs share the largest authored box.
func (f *fitter) topCount(rungs []fitted) int {
	count, top := 0, new(big.Rat)
	for i := range rungs {
		rungs[i].scale = f.shape.scale(rungs[i].rung.box())
		switch rungs[i].scale.Cmp(top) {
		case 1:
			count, top = 1, rungs[i].scale
		case 0:
			count++
		}
	}
	return count
}

// place sets r's size, or is false for a rung above the source.
func (f *fitter) place(r *fitted) bool {
	r.bitrate = r.rung.Bitrate
	if nearlyOne(r.scale) {
		r.scale = big.NewRat(1, 1)
	}
	if above1(r.scale) && !r.rung.Upscale {
		return false
	}
	r.w, r.h, r.enlarged = f.shape.scaled(r.scale)
	return true
}

// reduce brings rungs from above down to the largest size.
func (f *fitter) reduce(taken, above []fitted, wanted int) []fitted {
	scale, count, rate := largest(taken)
	if scale == nil || new(big.Rat).Mul(scale, big.NewRat(nextSize, 100)).Cmp(big.NewRat(1, 1)) < 0 {
		scale, count, rate = big.NewRat(1, 1), 0, 0
	}
	for i := range above {
		// The first makes the size; a further one must be a step up from it.
		least := rate * minRise / 100
		if count < wanted && least <= above[i].rung.Bitrate {
			r := f.reduced(above[i], scale, least)
			f.note("%s is above the source and is reduced to %dx%d at %s", r.rung.Name, r.w, r.h, formatBits(r.bitrate))
			taken, rate, count = append(taken, r), max(rate, r.bitrate), count+1
			continue
		}
		f.note("%s is above the source and is left out", above[i].rung.Name)
	}
	return taken
}

// largest is the largest scale among rungs, how many have it and their highest bit rate.
func largest(rungs []fitted) (scale *big.Rat, count int, rate int64) {
	for _, r := range rungs {
		switch {
		case scale == nil || r.scale.Cmp(scale) > 0:
			scale, count, rate = r.scale, 1, r.bitrate
		case r.scale.Cmp(scale) == 0:
			count, rate = count+1, max(rate, r.bitrate)
		}
	}
	return scale, count, rate
}

// minReduced keeps a reduced rung's bit rate worth encoding.
const minReduced = 32_000

// reduced is r at scale instead of its own, with at least the given bit rate.
// Fewer pixels want fewer bits, but not in proportion: the 3/4 power is what
// published ladders follow.
func (f *fitter) reduced(r fitted, scale *big.Rat, least int64) fitted {
	share, _ := new(big.Rat).Quo(scale, r.scale).Float64()
	// share is linear: pixels are its square, their 3/4 power its 3/2. Only
	// correctly rounded operations, so that every platform agrees.
	factor := share * math.Sqrt(share)
	r.bitrate = min(r.rung.Bitrate, max(minReduced, roundUp(least), roundUp(int64(float64(r.rung.Bitrate)*factor))))
	r.scale = scale
	r.w, r.h, r.enlarged = f.shape.scaled(scale)
	return r
}

// collapse keeps one rung where the minimum size made several the same: the
// cheapest, since the picture is small.
func (f *fitter) collapse(rungs []fitted) []fitted {
	slices.SortStableFunc(rungs, func(a, b fitted) int { return cmp.Compare(a.bitrate, b.bitrate) })
	seen := map[[2]int]bool{}
	kept := rungs[:0]
	for _, r := range rungs {
		size := [2]int{r.w, r.h}
		if r.enlarged && seen[size] {
			f.note("%s would be %dx%d like a cheaper rung and is left out", r.rung.Name, r.w, r.h)
			continue
		}
		seen[size] = true
		kept = append(kept, r)
	}
	return kept
}
