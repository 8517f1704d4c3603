package card

import "image"

// layout is where everything stands. Rows, from the top: strip, heading, dial -
// clock - flash, frame number, lane, bars. All share one margin at either side.
type layout struct {
	margin              int
	clockSize, textSize float64
	heading             int // baselines
	clock, date, frame  int
	captions            int
	dial, flash         image.Rectangle
	lane, bars, ramp    image.Rectangle
}

func arrange(w, h int) layout {
	unit := min(h, w*9/16) // portrait pictures get landscape's sizes
	l := layout{margin: w / 20, clockSize: float64(unit) * 0.13, textSize: float64(unit) * 0.05}
	row := func(top, bottom int) image.Rectangle {
		return even(image.Rect(l.margin, h*top/1000, w-l.margin, h*bottom/1000))
	}
	l.heading = h * 188 / 1000
	l.clock, l.date, l.frame = h*410/1000, h*495/1000, h*620/1000
	side := unit * 24 / 100
	middle := h * 395 / 1000
	box := image.Rect(0, middle-side/2, side, middle-side/2+side)
	l.dial = even(box.Add(image.Pt(l.margin, 0)))
	l.flash = even(box.Add(image.Pt(w-l.margin-side, 0)))
	l.captions = l.flash.Max.Y + unit*5/100
	l.lane = row(690, 770)
	l.bars = row(830, 930)
	l.ramp = row(930, 965)
	return l
}

// even moves a rectangle's edges to whole chroma samples.
func even(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.X&^1, r.Min.Y&^1, r.Max.X&^1, r.Max.Y&^1)
}

// FlashArea is where the flash appears, in pixels.
func (c *Card) FlashArea() image.Rectangle { return arrange(c.Width, c.Height).flash }
