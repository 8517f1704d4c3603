package overlay

import (
	"fmt"
	"image"

	"github.com/galafarm/gala/ladders"
)

// Board is all overlays of a job, for pictures of one format.
type Board struct {
	drawn []func(n int64) *Plate
	runs  bool
}

// Logos are a job's, decoded, by the names that its ladder has for them.
type Logos map[string]image.Image

// ReadLogos decodes a job's logos.
func ReadLogos(files map[string][]byte) (Logos, error) {
	l := Logos{}
	for name, b := range files {
		img, err := ReadLogo(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		l[name] = img
	}
	return l, nil
}

// New draws what does not change, and prepares what does.
func New(f Format, list []ladders.Overlay, logos Logos, words Words) (*Board, error) {
	b := &Board{}
	for _, o := range list {
		if o.Logo != "" {
			img, ok := logos[o.Logo]
			if !ok {
				return nil, fmt.Errorf("draw %s: %w: the job does not bring it", o.Logo, ErrLogo)
			}
			plate := drawLogo(f, o, img).plate(f)
			b.drawn = append(b.drawn, func(int64) *Plate { return plate })
			continue
		}
		l, err := newLine(f, o, words)
		if err != nil {
			return nil, fmt.Errorf("draw %q: %w", o.Text, err)
		}
		b.runs = b.runs || runs(o.Text)
		b.drawn = append(b.drawn, l.of)
	}
	return b, nil
}

// Runs tells whether every frame has plates of its own.
func (b *Board) Runs() bool { return b.runs }

// Plates are those of frame n of the grid, the lowest first. They hold until the
// next call.
func (b *Board) Plates(n int64) (plates []*Plate) {
	for _, of := range b.drawn {
		if p := of(n); p != nil {
			plates = append(plates, p)
		}
	}
	return plates
}
