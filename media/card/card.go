// Package card paints the live test card: a running UTC clock, the frame number
// in figures and as a machine-readable strip, a moving bar, and a white flash
// with a beep at every full second. Everything is a pure function of the frame
// number, so that a card on another host, or after a restart, is the same card.
//
// It must not know encoders, grids or jobs.
package card

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/galafarm/gala/timeline"
)

// Card is one card's geometry. Frame n is shown at n/Rate seconds after Epoch.
type Card struct {
	Width, Height int // even, at least 160x90
	Rate          timeline.Rate
	base          *image.YCbCr
	big, small    *face
}

// SampleRate of the card's audio, in hertz.
const SampleRate = 48000

// New prepares a card. The size is rounded down to even.
func New(width, height int, rate timeline.Rate) (*Card, error) {
	c := &Card{Width: max(width, 160) &^ 1, Height: max(height, 90) &^ 1, Rate: rate}
	var err error
	if c.big, err = newFace(float64(c.Height) / 7); err != nil {
		return nil, err
	}
	if c.small, err = newFace(float64(c.Height) / 18); err != nil {
		return nil, err
	}
	c.base = c.background()
	return c, nil
}

// Frame paints frame n, on screen at t (UTC), into a new picture in BT.709
// limited range.
func (c *Card) Frame(n int64, t time.Time) *image.YCbCr {
	img := image.NewYCbCr(c.base.Rect, image.YCbCrSubsampleRatio420)
	copy(img.Y, c.base.Y)
	copy(img.Cb, c.base.Cb)
	copy(img.Cr, c.base.Cr)
	c.sweep(img, n)
	c.flash(img, n)
	t = t.UTC()
	c.big.centre(img, c.Height*44/100, t.Format("15:04:05.000"))
	c.small.centre(img, c.Height*54/100, t.Format("Mon 2006-01-02 UTC"))
	c.small.centre(img, c.Height*64/100, "frame "+itoa(n)+"   "+c.Rate.String()+" fps")
	writeStrip(img, uint32(n))
	return img
}

// second is the full second since Epoch that frame n is the first to show, ok
// when it is the first.
func (c *Card) second(n int64) (s int64, ok bool) {
	s = n * c.Rate.Den / c.Rate.Num
	prev := (n - 1) * c.Rate.Den / c.Rate.Num
	return s, n == 0 || s != prev
}

// flashLength is how long flash and beep last.
const flashLength = 80 * time.Millisecond

// Flash tells whether frame n is part of a flash: the frames whose time lies
// within flashLength after the first frame of a second.
func (c *Card) Flash(n int64) bool {
	frames := max(1, int64(flashLength)*c.Rate.Num/(c.Rate.Den*int64(time.Second)))
	for k := n; k > n-frames && k >= 0; k-- {
		if _, first := c.second(k); first {
			return true
		}
	}
	return false
}

// Audio fills mono samples [first, first+len(out)) since Epoch: a 1 kHz beep
// that starts with the first frame of every second, silence between.
func (c *Card) Audio(first int64, out []float32) {
	for i := range out {
		out[i] = c.sample(first + int64(i))
	}
}

func (c *Card) sample(i int64) float32 {
	// The first frame that shows second s is ⌈s·rate⌉; its time starts the beep.
	s := i / SampleRate
	for _, sec := range [2]int64{s, s - 1} {
		if sec < 0 {
			continue
		}
		n := (sec*c.Rate.Num + c.Rate.Den - 1) / c.Rate.Den
		start := n * c.Rate.Den * SampleRate / c.Rate.Num
		if d := i - start; d >= 0 && d < int64(flashLength)*SampleRate/int64(time.Second) {
			return 0.25 * float32(math.Sin(2*math.Pi*1000*float64(d)/SampleRate))
		}
	}
	return 0
}

// background is everything that does not move: bars, a ramp, a frame line.
func (c *Card) background() *image.YCbCr {
	rgba := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.Draw(rgba, rgba.Rect, image.NewUniform(color.RGBA{28, 30, 36, 255}), image.Point{}, draw.Src)
	bars := []color.RGBA{{191, 191, 191, 255}, {191, 191, 0, 255}, {0, 191, 191, 255}, {0, 191, 0, 255}, {191, 0, 191, 255}, {191, 0, 0, 255}, {0, 0, 191, 255}}
	top, bottom := c.Height*12/100, c.Height*28/100
	for i, b := range bars {
		r := image.Rect(c.Width*i/len(bars), top, c.Width*(i+1)/len(bars), bottom)
		draw.Draw(rgba, r, image.NewUniform(b), image.Point{}, draw.Src)
	}
	for x := range c.Width {
		v := uint8(x * 255 / c.Width)
		draw.Draw(rgba, image.Rect(x, bottom, x+1, c.Height*31/100), image.NewUniform(color.RGBA{v, v, v, 255}), image.Point{}, draw.Src)
	}
	img := image.NewYCbCr(rgba.Rect, image.YCbCrSubsampleRatio420)
	for y := range c.Height {
		for x := range c.Width {
			yy, cb, cr := bt709(rgba.RGBAAt(x, y))
			img.Y[img.YOffset(x, y)] = yy
			if x%2 == 0 && y%2 == 0 {
				o := img.COffset(x, y)
				img.Cb[o], img.Cr[o] = cb, cr
			}
		}
	}
	return img
}

// bt709 is the limited-range code of an sRGB-ish colour (Rec. ITU-R BT.709-6 §3).
func bt709(c color.RGBA) (y, cb, cr uint8) {
	r, g, b := float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
	l := 0.2126*r + 0.7152*g + 0.0722*b
	return uint8(math.Round(16 + 219*l)), uint8(math.Round(128 + 224*(b-l)/1.8556)), uint8(math.Round(128 + 224*(r-l)/1.5748))
}

// sweep draws the moving bar: once across the picture in four seconds.
func (c *Card) sweep(img *image.YCbCr, n int64) {
	period := max(1, 4*c.Rate.Num/c.Rate.Den)
	w := max(4, c.Width/80)
	x := int(n%period) * (c.Width - w) / int(period)
	fill(img, image.Rect(x, c.Height*70/100, x+w, c.Height*80/100), 200)
	fill(img, image.Rect(0, c.Height*80/100, c.Width, c.Height*80/100+2), 90)
}

func (c *Card) flash(img *image.YCbCr, n int64) {
	luma := uint8(40)
	if c.Flash(n) {
		luma = 235
	}
	fill(img, c.FlashArea(), luma)
}

// FlashArea is where the flash appears, in pixels.
func (c *Card) FlashArea() image.Rectangle {
	return image.Rect(c.Width*85/100, c.Height*34/100, c.Width*97/100, c.Height*52/100)
}

func fill(img *image.YCbCr, r image.Rectangle, luma uint8) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Y[img.YOffset(r.Min.X, y):][:r.Dx()]
		for i := range row {
			row[i] = luma
		}
		for x := r.Min.X &^ 1; x < r.Max.X; x += 2 {
			o := img.COffset(x, y)
			img.Cb[o], img.Cr[o] = 128, 128
		}
	}
}

// face draws text as luma only, from glyph masks made once.
type face struct {
	glyphs  map[rune]*image.Alpha
	advance int
	ascent  int
}

const drawable = "0123456789:.-/ abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func newFace(size float64) (*face, error) {
	ttf, err := opentype.Parse(gomonobold.TTF)
	if err != nil {
		return nil, err
	}
	ff, err := opentype.NewFace(ttf, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	adv, _ := ff.GlyphAdvance('0')
	f := &face{glyphs: map[rune]*image.Alpha{}, advance: adv.Ceil(), ascent: ff.Metrics().Ascent.Ceil()}
	height := f.ascent + ff.Metrics().Descent.Ceil()
	for _, r := range drawable {
		mask := image.NewAlpha(image.Rect(0, 0, f.advance, height))
		d := font.Drawer{Dst: mask, Src: image.Opaque, Face: ff, Dot: fixed.P(0, f.ascent)}
		d.DrawString(string(r))
		f.glyphs[r] = mask
	}
	return f, nil
}

// centre writes one line with its baseline at y.
func (f *face) centre(img *image.YCbCr, y int, s string) {
	x := (img.Rect.Dx() - f.advance*len(s)) / 2
	for _, r := range s {
		f.glyph(img, x, y-f.ascent, r)
		x += f.advance
	}
}

func (f *face) glyph(img *image.YCbCr, x0, y0 int, r rune) {
	mask := f.glyphs[r]
	if mask == nil {
		return
	}
	for y := range mask.Rect.Dy() {
		for x := range mask.Rect.Dx() {
			a := int(mask.Pix[y*mask.Stride+x])
			p := image.Pt(x0+x, y0+y)
			if a == 0 || !p.In(img.Rect) {
				continue
			}
			o := img.YOffset(p.X, p.Y)
			img.Y[o] = uint8((int(img.Y[o])*(255-a) + 235*a) / 255)
		}
	}
}

func itoa(n int64) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
