package card

import (
	"image"
	"math"
)

// sweepSeconds is how long the bar takes to cross the picture.
const sweepSeconds = 4

// sweep draws the moving bar, to a sixteenth of a pixel: a step that is uneven
// on screen was uneven in time.
func (c *Card) sweep(img *image.YCbCr, n int64) {
	lane := c.places.lane
	period := max(1, sweepSeconds*c.Rate.Num/c.Rate.Den)
	width := max(4, c.Width/80)
	x16 := lane.Min.X*16 + int(n%period)*(lane.Dx()-width)*16/int(period)
	x, part := x16/16, x16%16
	bar := image.Rect(x, lane.Min.Y, x+width, lane.Max.Y)
	neutral(img, bar)
	for y := bar.Min.Y; y < bar.Max.Y; y++ {
		row := img.Y[img.YOffset(x, y):][:width+1]
		row[0] = mix(row[0], lumaWhite, (16-part)*16)
		for i := 1; i < width; i++ {
			row[i] = lumaWhite
		}
		row[width] = mix(row[width], lumaWhite, part*16)
	}
}

func mix(from, to uint8, share256 int) uint8 {
	return uint8((int(from)*(256-share256) + int(to)*share256 + 128) >> 8)
}

// turn is the direction of the hand at frame n, a vector of length 1<<12. It
// points up with the first frame of a second.
func (c *Card) turn(n int64) (dx, dy int) {
	// The part of the second that has passed, in 1/(1<<16), exactly.
	passed := n * c.Rate.Den % c.Rate.Num << 16 / c.Rate.Num
	sin, cos := math.Sincos(2 * math.Pi * float64(passed) / (1 << 16))
	return int(math.Round(sin * (1 << 12))), int(math.Round(-cos * (1 << 12)))
}

// hand draws the dial's hand, one turn a second. Integers only: the same
// picture on every machine.
func (c *Card) hand(img *image.YCbCr, n int64) {
	r := c.places.dial
	dx, dy := c.turn(n)
	radius := r.Dx() / 2
	length, half := radius*78/100<<12, max(radius/24, 1)<<12 // 1/4096 pixels
	back := radius * 14 / 100 << 12
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Y[img.YOffset(r.Min.X, y):][:r.Dx()]
		py := 2*(y-r.Min.Y) + 1 - r.Dy() // half pixels from the centre
		for i := range row {
			px := 2*i + 1 - r.Dx()
			along, across := (px*dx+py*dy)/2, (px*dy-py*dx)/2
			// How deep inside the hand, in 1/4096 pixels, half a pixel of softness.
			depth := min(half-abs(across), length-along, along+back) + 1<<11
			switch {
			case depth >= 1<<12:
				row[i] = lumaWhite
			case depth > 0:
				row[i] = mix(row[i], lumaWhite, depth>>4)
			}
		}
	}
}

func abs(v int) int { return max(v, -v) }
