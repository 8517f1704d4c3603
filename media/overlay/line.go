package overlay

import (
	"image"
	"math"

	"github.com/galafarm/gala/ladders"
)

// line is a text of one format.
type line struct {
	f            Format
	o            ladders.Overlay
	words        Words
	letters      *letters
	white, black uint32 // code values
	grey         uint32
	whole        [256]uint32 // how much a letter's sample covers, opaque
	covers       [256]uint32 // and as it is asked for
	said         string      // what plate says
	plate        *Plate
}

func newLine(f Format, o ladders.Overlay, w Words) (*line, error) {
	l := &line{f: f, o: o, words: w}
	c := newColours(f)
	value := func(rgb float64, component int) uint32 {
		return uint32(math.Round(c.codes([3]float64{rgb, rgb, rgb})[component]))
	}
	l.white, l.black, l.grey = value(1, 0), value(0, 0), value(0, 1)
	for i := range l.whole {
		l.whole[i] = uint32((i*whole + 127) / 255)
		l.covers[i] = uint32((int(l.whole[i])*int(o.Opacity) + 5000) / 10000)
	}
	return l, l.fit()
}

// fit chooses the size: as asked for, or what fits between the margins. Digits
// are of one width, so that the size holds for every frame; only a clip of
// hundreds of hours becomes wider.
func (l *line) fit() (err error) {
	height, in := height(l.f, l.o), room(l.f, l.o)
	if l.letters, err = newLetters(height, l.f.stretch()); err != nil {
		return err
	}
	wide := l.letters.width(l.words.fill(l.o.Text, 0))
	if share := min(float64(in.Dx())/wide, float64(in.Dy())/height); share < 1 {
		l.letters, err = newLetters(height*share, l.f.stretch())
	}
	return err
}

// of is the line in frame n, nil where nothing of it is to be seen.
func (l *line) of(n int64) *Plate {
	if s := l.words.fill(l.o.Text, n); s != l.said {
		l.said, l.plate = s, l.draw(s)
	}
	return l.plate
}

// stroke is one letter of a line where it stands on the picture.
type stroke struct {
	*shape
	at image.Rectangle
}

func (l *line) draw(s string) *Plate {
	in := room(l.f, l.o)
	w := min(max(1, int(math.Ceil(l.letters.width(s)))), in.Dx())
	h := min(max(1, int(math.Round(l.letters.ascent+l.letters.descent))), in.Dy())
	spot := at(in, l.o.At, w, h)
	strokes, rect := l.strokes(s, spot.Min.X, spot.Min.Y+int(math.Round(l.letters.ascent)))
	rect = rect.Intersect(image.Rect(0, 0, l.f.Width, l.f.Height))
	if rect.Empty() {
		return nil
	}
	return l.layer(strokes, rect).plate(l.f)
}

// strokes places letters from x on, on a baseline at y.
func (l *line) strokes(s string, x, y int) (all []stroke, rect image.Rectangle) {
	pen := 0.0
	for _, r := range s {
		quarters := int(math.Round(pen * steps))
		if shape := l.letters.shape(r, quarters%steps); shape != nil {
			at := shape.at.Add(image.Pt(x+quarters/steps, y))
			all, rect = append(all, stroke{shape, at}), rect.Union(at)
		}
		pen += l.letters.advance(r)
	}
	return all, rect
}

// layer lays white faces over dark edges. An edge never covers a neighbour's face.
func (l *line) layer(strokes []stroke, rect image.Rectangle) *layer {
	n := rect.Dx() * rect.Dy()
	face, edge := make([]uint8, n), make([]uint8, n)
	for _, s := range strokes {
		for y := max(s.at.Min.Y, rect.Min.Y); y < min(s.at.Max.Y, rect.Max.Y); y++ {
			from, to := (y-s.at.Min.Y)*s.at.Dx(), (y-rect.Min.Y)*rect.Dx()
			low, high := max(s.at.Min.X, rect.Min.X), min(s.at.Max.X, rect.Max.X)
			a, b := from+low-s.at.Min.X, to+low-rect.Min.X
			for i := range high - low {
				face[b+i] = max(face[b+i], s.face[a+i])
				edge[b+i] = max(edge[b+i], s.edge[a+i])
			}
		}
	}
	out := &layer{rect: rect, cover: make([]uint16, n), grey: l.grey}
	out.fill[0] = make([]uint32, n)
	for i, e := range edge {
		if e != 0 {
			white := l.covers[face[i]]
			black := (l.covers[e]*(whole-l.whole[face[i]]) + whole/2) / whole
			out.cover[i] = uint16(white + black)
			out.fill[0][i] = white*l.white + black*l.black
		}
	}
	return out
}
