package ladders

import (
	"fmt"
	"math/big"
)

// shape is the size of a source's picture as it should be seen: square pixels,
// turned upright. Not always whole: 720 pixels of 32:27 are 853 1/3.
type shape struct{ w, h *big.Rat }

// Limits of a picture. Encoders take less than a macroblock, hardware and
// players do not; the long side fits H.264 level 5.2.
const (
	minPicture = 16
	maxPicture = 8192
	// maxStretch is the most extreme sample aspect ratio that is believed.
	maxStretch = 8
)

// displayShape is the shape of v, with a note when its sample aspect ratio is
// not believed.
func displayShape(v *SourceVideo) (shape, string) {
	s := shape{big.NewRat(int64(v.Width), 1), big.NewRat(int64(v.Height), 1)}
	aspect, note := sampleAspect(v)
	s.w.Mul(s.w, aspect)
	if turned(v.Rotation) {
		s.w, s.h = s.h, s.w
	}
	return s, note
}

func sampleAspect(v *SourceVideo) (*big.Rat, string) {
	num, den := int64(v.SampleAspectNum), int64(v.SampleAspectDen)
	switch {
	case num <= 0 || den <= 0:
		return big.NewRat(1, 1), ""
	case num > maxStretch*den || den > maxStretch*num:
		return big.NewRat(1, 1), fmt.Sprintf("the sample aspect ratio %d:%d is not believed; pixels are taken as square", num, den)
	}
	return big.NewRat(num, den), ""
}

// box is a rung's limit; a nil side is unlimited.
type box struct{ w, h *big.Rat }

// box of a rung for a landscape (or square) source. Height alone means the
// 16:9 box of that height, as the services name their sizes: "720p" of a 2.39:1
// film is 1280x536, of a 4:3 programme 960x720.
func (r *VideoRung) box() box {
	switch {
	case r.Width == 0:
		return box{big.NewRat(int64(r.Height)*16, 9), big.NewRat(int64(r.Height), 1)}
	case r.Height == 0:
		return box{w: big.NewRat(int64(r.Width), 1)}
	}
	return box{big.NewRat(int64(r.Width), 1), big.NewRat(int64(r.Height), 1)}
}

// scale fits s into b: below one it shrinks. A portrait shape turns the box, so
// that the rung's height names the short side ("1080p" of a phone held upright
// is 1080x1920).
func (s shape) scale(b box) *big.Rat {
	if s.w.Cmp(s.h) < 0 {
		b.w, b.h = b.h, b.w
	}
	var best *big.Rat
	for _, side := range []struct{ have, want *big.Rat }{{s.w, b.w}, {s.h, b.h}} {
		if side.want == nil {
			continue
		}
		if f := new(big.Rat).Quo(side.want, side.have); best == nil || f.Cmp(best) < 0 {
			best = f
		}
	}
	return best
}

// nearlyOne tells a scale not worth resampling for: within 3 %.
func nearlyOne(f *big.Rat) bool {
	return f.Cmp(big.NewRat(97, 100)) >= 0 && f.Cmp(big.NewRat(103, 100)) <= 0
}

// scaled is s·f in whole even pixels. A side below the minimum enlarges the
// picture rather than distorting it, up to the maximum of the other side.
func (s shape) scaled(f *big.Rat) (w, h int, enlarged bool) {
	short := s.w
	if s.h.Cmp(s.w) < 0 {
		short = s.h
	}
	if least := new(big.Rat).Quo(big.NewRat(minPicture, 1), short); f.Cmp(least) < 0 {
		f, enlarged = least, true
	}
	return even(s.w, f), even(s.h, f), enlarged
}

// even is side·f to the nearest even number, ties down, within the limits.
func even(side, f *big.Rat) int {
	half := new(big.Rat).Mul(side, f)
	half.Mul(half, big.NewRat(1, 2))
	// nearest with ties down: ⌈x − 1/2⌉
	half.Sub(half, big.NewRat(1, 2))
	n := new(big.Int).Neg(half.Num())
	n.Div(n, half.Denom()) // Euclidean: floor for a positive divisor
	n.Neg(n)
	if !n.IsInt64() || n.Int64() > maxPicture/2 {
		return maxPicture
	}
	return max(minPicture, int(n.Int64())*2)
}
