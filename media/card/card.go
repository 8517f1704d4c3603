// Package card paints the live test card: a running UTC clock, the frame number
// in figures and as a machine-readable strip, a hand and a bar that show every
// uneven step, and a white flash with a beep at every full second. Everything
// is a pure function of the frame number, so that a card on another host, or
// after a restart, is the same card.
//
// It must not know encoders, grids or jobs.
package card

import (
	"image"
	"time"

	"github.com/galafarm/gala/timeline"
)

// Card is one card's geometry. Frame n is shown at n/Rate seconds after the
// Unix epoch. It is read only after New, so any number of painters may share it.
type Card struct {
	Width, Height int // even, at least 160x90
	Rate          timeline.Rate

	places        layout
	base          *image.YCbCr // what does not change
	clock, figure *face
}

// New prepares a card. The size is rounded down to even.
func New(width, height int, rate timeline.Rate) (*Card, error) {
	c := &Card{Width: max(width, 160) &^ 1, Height: max(height, 90) &^ 1, Rate: rate}
	c.places = arrange(c.Width, c.Height)
	var err error
	if c.clock, err = newFace(c.places.clockSize); err != nil {
		return nil, err
	}
	if c.figure, err = newFace(c.places.textSize); err != nil {
		return nil, err
	}
	c.base, err = c.background()
	return c, err
}

// Frame paints frame n, on screen at t, into a new picture.
func (c *Card) Frame(n int64, t time.Time) *image.YCbCr {
	img := image.NewYCbCr(c.base.Rect, image.YCbCrSubsampleRatio420)
	c.Paint(img, n, t)
	return img
}

// Paint paints frame n, on screen at t, over the whole of a 4:2:0 picture of
// the card's size, in BT.709 limited range.
func (c *Card) Paint(img *image.YCbCr, n int64, t time.Time) {
	copyPlane(img.Y, img.YStride, c.base.Y, c.base.YStride)
	copyPlane(img.Cb, img.CStride, c.base.Cb, c.base.CStride)
	copyPlane(img.Cr, img.CStride, c.base.Cr, c.base.CStride)
	c.sweep(img, n)
	c.hand(img, n)
	if c.Flash(n) {
		fill(img, c.FlashArea(), lumaWhite)
	}
	c.text(img, n, t.UTC())
	writeStrip(img, uint32(n))
}

// text writes what runs: clock, date and frame number, one under the other.
func (c *Card) text(img *image.YCbCr, n int64, t time.Time) {
	var buf [48]byte
	p := &c.places
	c.clock.centre(img, p.clock, t.AppendFormat(buf[:0], "15:04:05.000"), lumaWhite)
	c.figure.centre(img, p.date, t.AppendFormat(buf[:0], "Mon 2006-01-02 UTC"), lumaGrey)
	c.figure.centre(img, p.frame, appendGrouped(append(buf[:0], "frame "...), n), lumaWhite)
}

// appendGrouped writes n with a space before every three digits.
func appendGrouped(b []byte, n int64) []byte {
	if n < 0 {
		return appendGrouped(append(b, '-'), -n)
	}
	if n < 1000 {
		return appendPadded(b, n, 1)
	}
	return appendPadded(append(appendGrouped(b, n/1000), ' '), n%1000, 3)
}

func appendPadded(b []byte, n int64, digits int) []byte {
	if n >= 10 || digits > 1 {
		b = appendPadded(b, n/10, digits-1)
	}
	return append(b, byte('0'+n%10))
}

func copyPlane(dst []byte, dstStride int, src []byte, srcStride int) {
	if dstStride == srcStride {
		copy(dst, src)
		return
	}
	for len(src) >= srcStride {
		copy(dst, src[:srcStride])
		dst, src = dst[min(dstStride, len(dst)):], src[srcStride:]
	}
}

// Lumas in limited range.
const lumaBlack, lumaGrey, lumaWhite = 16, 150, 235

// fill paints a grey rectangle.
func fill(img *image.YCbCr, r image.Rectangle, luma uint8) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Y[img.YOffset(r.Min.X, y):][:r.Dx()]
		for i := range row {
			row[i] = luma
		}
	}
	neutral(img, r)
}

// neutral takes the colour out of a rectangle.
func neutral(img *image.YCbCr, r image.Rectangle) {
	for y := r.Min.Y &^ 1; y < r.Max.Y; y += 2 {
		from, n := img.COffset(r.Min.X, y), (r.Max.X+1)/2-r.Min.X/2
		for i := from; i < from+n; i++ {
			img.Cb[i], img.Cr[i] = 128, 128
		}
	}
}
