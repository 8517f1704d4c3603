package overlay

import (
	"image"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/galafarm/gala/ladders/lettering"
)

// letters are the shapes of one size of the font, drawn when first asked for.
type letters struct {
	font    *sfnt.Font
	buf     sfnt.Buffer
	size    fixed.Int26_6 // of the em, in lines of the picture
	narrow  float64       // how much less wide, for pixels that are not square
	ascent  float64
	descent float64
	edge    float64 // how far the dark edge reaches, in lines
	shapes  map[shapeKey]*shape
}

// steps are the parts of a pixel at which letters may begin.
const steps = 4

type shapeKey struct {
	r    rune
	step int
}

// shape is a letter and its dark edge, both in at, which is relative to the
// pixel in which the letter begins and to the baseline.
type shape struct {
	at         image.Rectangle
	face, edge []uint8
}

// edgeShare of the letters' size is their edge; with less than leastEdge lines of
// it, white on white would be grey.
const edgeShare, leastEdge = 0.07, 1.5

// newLetters are of a height from the highest to the lowest, in lines.
func newLetters(height, stretch float64) (*letters, error) {
	l := &letters{narrow: 1 / stretch, shapes: map[shapeKey]*shape{}}
	var err error
	if l.font, err = lettering.Open(); err != nil {
		return nil, err
	}
	of := func(size fixed.Int26_6) (ascent, descent float64, err error) {
		m, err := l.font.Metrics(&l.buf, size, font.HintingNone)
		return lines(m.Ascent), lines(m.Descent), err
	}
	a, d, err := of(fixed.I(1000))
	if err != nil {
		return nil, err
	}
	l.size = max(1, fixed.Int26_6(height*1000/(a+d)*64))
	if l.ascent, l.descent, err = of(l.size); err != nil {
		return nil, err
	}
	l.edge = max(leastEdge, lines(l.size)*edgeShare)
	return l, nil
}

func lines(v fixed.Int26_6) float64 { return float64(v) / 64 }

// advance is how wide a letter is, in pixels.
func (l *letters) advance(r rune) float64 {
	g, err := l.font.GlyphIndex(&l.buf, r)
	if err != nil {
		return 0
	}
	// The advance of a large size, because that of a small one is rounded.
	w, err := l.font.GlyphAdvance(&l.buf, g, fixed.I(1000), font.HintingNone)
	if err != nil {
		return 0
	}
	return lines(w) / 1000 * lines(l.size) * l.narrow
}

func (l *letters) width(s string) (w float64) {
	for _, r := range s {
		w += l.advance(r)
	}
	return w
}

// shape of a letter that begins step quarters of a pixel late; nil for none.
func (l *letters) shape(r rune, step int) *shape {
	key := shapeKey{r, step}
	if s, ok := l.shapes[key]; ok {
		return s
	}
	s := l.draw(r, float64(step)/steps)
	l.shapes[key] = s
	return s
}

func (l *letters) draw(r rune, late float64) *shape {
	g, err := l.font.GlyphIndex(&l.buf, r)
	if err != nil {
		return nil
	}
	segments, err := l.font.LoadGlyph(&l.buf, g, l.size, nil)
	if err != nil || len(segments) == 0 {
		return nil
	}
	b, reach := segments.Bounds(), int(math.Ceil(l.edge))+1
	at := image.Rect(
		int(math.Floor(lines(b.Min.X)*l.narrow+late))-reach, b.Min.Y.Floor()-reach,
		int(math.Ceil(lines(b.Max.X)*l.narrow+late))+reach, b.Max.Y.Ceil()+reach)
	face := l.outline(segments, at, late)
	return &shape{at: at, face: face.Pix, edge: l.widened(face)}
}

// outline fills what the segments surround.
func (l *letters) outline(segments sfnt.Segments, at image.Rectangle, late float64) *image.Alpha {
	z := vector.NewRasterizer(at.Dx(), at.Dy())
	p := func(v fixed.Point26_6) (x, y float32) {
		return float32(lines(v.X)*l.narrow + late - float64(at.Min.X)), float32(lines(v.Y) - float64(at.Min.Y))
	}
	for _, s := range segments {
		ax, ay := p(s.Args[0])
		bx, by := p(s.Args[1])
		cx, cy := p(s.Args[2])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			z.ClosePath()
			z.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			z.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			z.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			z.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	z.ClosePath()
	img := image.NewAlpha(image.Rect(0, 0, at.Dx(), at.Dy()))
	z.Draw(img, img.Rect, image.Opaque, image.Point{})
	return img
}

// widened is a letter that reaches as far as its edge, which is soft at its end.
func (l *letters) widened(face *image.Alpha) []uint8 {
	w, h := face.Rect.Dx(), face.Rect.Dy()
	out := make([]uint8, w*h)
	for _, b := range brush(l.edge, l.narrow) {
		for y := max(0, -b.y); y < min(h, h-b.y); y++ {
			from, to := face.Pix[y*face.Stride:][:w], out[(y+b.y)*w:][:w]
			for x := max(0, -b.x); x < min(w, w-b.x); x++ {
				if v := uint8(int(from[x]) * b.weight / 255); v > to[x+b.x] {
					to[x+b.x] = v
				}
			}
		}
	}
	return out
}

type bristle struct{ x, y, weight int }

// brush is a disc on the display.
func brush(radius, narrow float64) (out []bristle) {
	reach := int(math.Ceil(radius))
	for y := -reach; y <= reach; y++ {
		for x := -reach; x <= reach; x++ {
			away := math.Hypot(float64(x)/narrow, float64(y))
			if weight := math.Round(255 * max(0, min(1, radius+0.5-away))); weight > 0 {
				out = append(out, bristle{x, y, int(weight)})
			}
		}
	}
	return out
}
