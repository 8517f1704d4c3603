package libav

import (
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
)

// look is what a picture's code values mean, by ISO/IEC 23091-2.
type look struct {
	primaries, transfer, matrix int
	full                        bool
}

// Code points that decide something here.
const (
	bt709       = 1
	bt601of625  = 5 // PAL
	bt601of525  = 6 // NTSC
	bt2020      = 9
	smpte2084   = 16
	hlgTransfer = 18
	rgbMatrix   = 0
	unspecified = 2
)

// lookOf is the look of a decoded picture, what it does not say filled in.
func lookOf(f *astiav.Frame) look {
	primaries, transfer := colorDesc(f)
	name := f.PixelFormat().Name()
	l := look{primaries, transfer, int(f.ColorSpace()), f.ColorRange() == astiav.ColorRangeJpeg || strings.HasPrefix(name, "yuvj")}
	if rgb(name) {
		l.matrix, l.full = rgbMatrix, f.ColorRange() != astiav.ColorRangeMpeg
	} else if l.matrix == rgbMatrix {
		l.matrix = unspecified // of a picture that has luma it cannot be true
	}
	return l.assumed(f.Width(), f.Height())
}

func rgb(format string) bool {
	for _, p := range []string{"rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8"} {
		if strings.HasPrefix(format, p) {
			return true
		}
	}
	return false
}

// assumed fills in what is not said: each of the three from the others, and
// where nothing is said by the size, as players do.
func (l look) assumed(w, h int) look {
	if !said(l.transfer) {
		l.transfer = bt709
	}
	if !said(l.matrix) && l.matrix != rgbMatrix {
		l.matrix = l.likelyMatrix(w, h)
	}
	if !said(l.primaries) {
		l.primaries = l.likelyPrimaries()
	}
	return l
}

func said(v int) bool { return v != 0 && v != unspecified && v != 3 }

func (l look) likelyMatrix(w, h int) int {
	switch {
	case l.hdr() || l.primaries == bt2020:
		return bt2020
	case l.primaries == bt601of625 || l.primaries == bt601of525 || l.primaries == bt709:
		return l.primaries
	case max(w, h) >= 1280 || min(w, h) > 576:
		return bt709
	case h == 576 || h == 288:
		return bt601of625
	}
	return bt601of525
}

func (l look) likelyPrimaries() int {
	switch {
	case l.matrix == bt601of625 || l.matrix == bt601of525 || l.matrix == 7:
		return l.matrix
	case l.hdr() || l.matrix == bt2020 || l.matrix == 10:
		return bt2020
	}
	return bt709
}

func (l look) hdr() bool { return l.transfer == smpte2084 || l.transfer == hlgTransfer }

// put writes the look onto a picture, so that every filter sees the same.
func (l look) put(f *astiav.Frame) {
	setColorDesc(f, l.primaries, l.transfer)
	f.SetColorSpace(astiav.ColorSpace(l.matrix))
	f.SetColorRange(astiav.ColorRangeMpeg)
	if l.full {
		f.SetColorRange(astiav.ColorRangeJpeg)
	}
}

// target is the look of every output of a range.
func target(r ladders.Range) look {
	p, t, m := r.CodePoints()
	return look{primaries: p, transfer: t, matrix: m}
}

// is tells whether pictures of look l need no more than scaling to have look
// to: scaling brings the range of values, and RGB of the same primaries, along.
func (l look) is(to look) bool {
	if l.primaries != to.primaries || l.hdr() != to.hdr() || l.hdr() && l.transfer != to.transfer {
		return false
	}
	return l.matrix == to.matrix || l.matrix == rgbMatrix && !to.hdr()
}
