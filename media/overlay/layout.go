package overlay

import (
	"image"
	"math"

	"github.com/galafarm/gala/ladders"
)

// room is the part of the picture within an overlay's margins, never empty.
func room(f Format, o ladders.Overlay) image.Rectangle {
	x, y := min(o.Margin.Of(f.Width), (f.Width-1)/2), min(o.Margin.Of(f.Height), (f.Height-1)/2)
	return image.Rect(x, y, f.Width-x, f.Height-y)
}

// height is the wanted one in lines: of the picture's height, or of its width
// where it is higher than wide.
func height(f Format, o ladders.Overlay) float64 {
	return float64(o.Height) / 10000 * min(float64(f.Height), float64(f.Width)*f.stretch())
}

// box is where something of a shape (display width by height) stands. What does
// not fit between the margins is made smaller and keeps its shape.
func box(f Format, o ladders.Overlay, shape float64) image.Rectangle {
	shape /= f.stretch() // in pixels
	w := float64(o.Width) / 10000 * float64(f.Width)
	h := w / shape
	if o.Width == 0 {
		h = height(f, o)
		w = h * shape
	}
	in := room(f, o)
	fit := min(1, float64(in.Dx())/w, float64(in.Dy())/h)
	side := func(v float64, most int) int { return min(max(1, int(math.Round(v*fit))), most) }
	return at(in, o.At, side(w, in.Dx()), side(h, in.Dy()))
}

// at puts w×h into a place of a rectangle that is as large at least.
func at(in image.Rectangle, p ladders.Place, w, h int) image.Rectangle {
	x, y := p.Halves()
	corner := in.Min.Add(image.Pt((in.Dx()-w)*x/2, (in.Dy()-h)*y/2))
	return image.Rectangle{corner, corner.Add(image.Pt(w, h))}
}
