package ladders

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
)

// ScaleFrom says which pictures a rung's are scaled from.
type ScaleFrom string

// A larger rung's, where their sizes are like those that were measured to cost no
// quality, or always the source's.
const (
	FromLarger ScaleFrom = "larger"
	FromSource ScaleFrom = "source"
)

func (s ScaleFrom) why() string {
	if s == FromSource {
		return "every rung is scaled from the source's own pictures"
	}
	return "a rung of about half a larger one's size is scaled from that one's pictures; on three pairs of sizes that cost at most 0.4 % of bits (benchmarks/results/cascade.md)"
}

func (v value) scaleFrom() ScaleFrom {
	return ScaleFrom(v.oneOf(string(FromLarger), string(FromSource)))
}

// Size is that of a picture in pixels.
type Size struct{ W, H int }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.W, s.H) }

// What was measured (benchmarks/results/cascade.md): three pairs of sizes that are
// 1.85 to 2 times each other, in H.264, cost at most 0.5 % of bits by XPSNR and by
// PSNR on every clip; pairs of 1.67 and of 2.3 cost more. Other sizes and codecs are
// taken to be like them. The larger of them came from sources of 1.5 times
// its size and more; below, the source is as cheap to scale from.
const (
	leastCascade, mostCascade = 184, 201 // per cent: sizes are rounded to even
	leastShrink               = 145      // likewise, of the source to the larger one
)

// cascade finds for each rendition the larger one that it is scaled from, which
// is itself scaled from the source: a second step was not measured. The answer
// depends on the whole ladder: a worker that has only some of its
// renditions makes the same pictures as one that has them all.
func (r *resolver) cascade(source shape) {
	v := r.source.Video
	if r.ladder.ScaleFrom == FromSource || v.BitDepth > 8 || v.Range.HDR() {
		return
	}
	rungs := make([]*Video, len(r.out.Renditions))
	for i, x := range r.out.Renditions {
		rungs[i] = x.Video
	}
	slices.SortStableFunc(rungs, func(a, b *Video) int { return cmp.Compare(b.Width*b.Height, a.Width*a.Height) })
	for i, small := range rungs {
		for _, large := range rungs[:i] { // the smallest that may
			if large.ScaledFrom == (Size{}) && mayScale(large, small, source) {
				small.ScaledFrom = Size{large.Width, large.Height}
			}
		}
	}
}

// mayScale tells whether small may be scaled from large's pictures.
func mayScale(large, small *Video, source shape) bool {
	return large.Depth != 10 && small.Depth != 10 && large.Divisor == small.Divisor &&
		large.Scaler.Or() == Lanczos && small.Scaler.Or() == Lanczos &&
		within(large.Width, small.Width) && within(large.Height, small.Height) &&
		shrinks(source.w, large.Width) && shrinks(source.h, large.Height)
}

func within(large, small int) bool {
	return large*100 >= leastCascade*small && large*100 <= mostCascade*small
}

func shrinks(source *big.Rat, to int) bool {
	return source.Cmp(big.NewRat(int64(to)*leastShrink, 100)) >= 0
}
