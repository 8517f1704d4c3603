package card

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/math/fixed"

	"github.com/galafarm/gala/timeline"
)

var (
	night = color.RGBA{21, 24, 31, 255}
	panel = color.RGBA{36, 40, 50, 255}
	rule  = color.RGBA{96, 103, 118, 255}
	soft  = color.RGBA{158, 165, 178, 255}
	amber = color.RGBA{247, 178, 46, 255}
)

// background is everything that does not move.
func (c *Card) background() (*image.YCbCr, error) {
	p := &c.places
	rgba := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	paint(rgba, rgba.Rect, night)
	paint(rgba, p.flash, panel)
	c.dialFace(rgba)
	c.laneMarks(rgba)
	c.colours(rgba)
	if err := c.labels(rgba); err != nil {
		return nil, err
	}
	return toYCbCr(rgba), nil
}

func paint(img draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// colours are 75 % bars and a ramp from black to white.
func (c *Card) colours(img *image.RGBA) {
	bars := []color.RGBA{{191, 191, 191, 255}, {191, 191, 0, 255}, {0, 191, 191, 255}, {0, 191, 0, 255}, {191, 0, 191, 255}, {191, 0, 0, 255}, {0, 0, 191, 255}}
	r := c.places.bars
	for i, b := range bars {
		x0, x1 := r.Min.X+r.Dx()*i/len(bars)&^1, r.Min.X+r.Dx()*(i+1)/len(bars)&^1
		paint(img, image.Rect(x0, r.Min.Y, x1, r.Max.Y), b)
	}
	r = c.places.ramp
	for x := range r.Dx() {
		v := uint8(x * 255 / max(r.Dx()-1, 1))
		paint(img, image.Rect(r.Min.X+x, r.Min.Y, r.Min.X+x+1, r.Max.Y), color.RGBA{v, v, v, 255})
	}
}

// laneMarks is the bar's lane: sixteen fields, so that an uneven step shows
// against the marks.
func (c *Card) laneMarks(img *image.RGBA) {
	r := c.places.lane
	paint(img, r, panel)
	width := max(1, c.Height/360)
	for i := range 17 {
		x := min(r.Min.X+r.Dx()*i/16, r.Max.X-width)
		long := r.Dy() / 4
		if i%4 == 0 {
			long = r.Dy() / 2
		}
		paint(img, image.Rect(x, r.Max.Y-long, x+width, r.Max.Y), rule)
	}
}

// dialFace is a disc with a mark for every twelfth of a second.
func (c *Card) dialFace(img *image.RGBA) {
	r := c.places.dial
	radius := float64(r.Dx()) / 2
	cx, cy := float64(r.Min.X)+radius, float64(r.Min.Y)+radius
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			dx, dy := float64(x)+0.5-cx, float64(y)+0.5-cy
			dist := math.Hypot(dx, dy)
			blend(img, x, y, panel, clamp(radius-dist))
			// Distance along the rim to the nearest twelfth.
			turn := math.Atan2(dy, dx) / (2 * math.Pi) * 12
			away := math.Abs(turn-math.Round(turn)) / 12 * 2 * math.Pi * dist
			if dist > radius*0.84 {
				blend(img, x, y, rule, clamp(radius*0.95-dist)*clamp(radius/60+0.5-away))
			}
		}
	}
}

func clamp(a float64) float64 { return max(0, min(1, a)) }

func blend(img *image.RGBA, x, y int, c color.RGBA, a float64) {
	if a == 0 {
		return
	}
	old := img.RGBAAt(x, y)
	mix := func(from, to uint8) uint8 { return uint8(math.Round(float64(from)*(1-a) + float64(to)*a)) }
	img.SetRGBA(x, y, color.RGBA{mix(old.R, c.R), mix(old.G, c.G), mix(old.B, c.B), 255})
}

// labels are the words that stay.
func (c *Card) labels(img *image.RGBA) error {
	p := &c.places
	title, err := openFont(gobold.TTF, p.textSize*1.15)
	if err != nil {
		return err
	}
	body, err := openFont(gomedium.TTF, p.textSize*0.95)
	if err != nil {
		return err
	}
	caption, err := openFont(gomedium.TTF, p.textSize*0.6)
	if err != nil {
		return err
	}
	w := &writer{img: img}
	w.at(p.margin, p.heading, title, amber, "GALA", 0)
	w.at(p.margin+w.width(title, "GALA")+int(p.textSize*0.5), p.heading, body, soft, "live test card", 0)
	w.at(c.Width-p.margin, p.heading, body, soft, strconv.Itoa(c.Width)+" × "+strconv.Itoa(c.Height)+"    "+rateName(c.Rate)+" fps", 2)
	w.at((p.dial.Min.X+p.dial.Max.X)/2, p.captions, caption, soft, "1 turn = 1 s", 1)
	w.at((p.flash.Min.X+p.flash.Max.X)/2, p.captions, caption, soft, "flash = beep", 1)
	return nil
}

// rateName is a rate as people say it: 29.97, not 30000/1001.
func rateName(r timeline.Rate) string {
	if r.Den == 1 {
		return r.String()
	}
	s := strconv.FormatFloat(float64(r.Num)/float64(r.Den), 'f', 3, 64)
	return strings.TrimRight(s, "0")
}

// writer puts words on the background.
type writer struct{ img *image.RGBA }

func (w *writer) width(f font.Face, s string) int { return font.MeasureString(f, s).Ceil() }

// at writes s with its baseline at y; x is its left end, middle or right end as
// halves is 0, 1 or 2.
func (w *writer) at(x, y int, f font.Face, c color.Color, s string, halves int) {
	d := font.Drawer{Dst: w.img, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x-w.width(f, s)*halves/2, y)}
	d.DrawString(s)
}

func toYCbCr(rgba *image.RGBA) *image.YCbCr {
	img := image.NewYCbCr(rgba.Rect, image.YCbCrSubsampleRatio420)
	for y := range rgba.Rect.Dy() {
		for x := range rgba.Rect.Dx() {
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

// bt709 is the limited-range code of an R'G'B' colour (Rec. ITU-R BT.709-6 §3).
func bt709(c color.RGBA) (y, cb, cr uint8) {
	r, g, b := float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
	l := 0.2126*r + 0.7152*g + 0.0722*b
	return uint8(math.Round(16 + 219*l)), uint8(math.Round(128 + 224*(b-l)/1.8556)), uint8(math.Round(128 + 224*(r-l)/1.5748))
}
