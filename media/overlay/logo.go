package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"

	"golang.org/x/image/draw"

	"github.com/galafarm/gala/ladders"
)

// What a logo may be. MaxLogoBytes is for all of a job: they travel with it.
const (
	MaxLogoBytes = 256 << 10
	MaxLogoSide  = 4096
	maxLogoArea  = 4 << 20
)

// ErrLogo: a file is no logo. Draw it as a PNG of at most 256 KiB, 4096 pixels a
// side and 4 million in all.
var ErrLogo = errors.New("not usable as a logo")

// ReadLogo decodes a PNG, after a look at its size.
func ReadLogo(b []byte) (image.Image, error) {
	if len(b) > MaxLogoBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, want at most %d; scale it down to the size at which it is shown", ErrLogo, len(b), MaxLogoBytes)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: want a PNG file: %w", ErrLogo, err)
	}
	if max(c.Width, c.Height) > MaxLogoSide || c.Width*c.Height > maxLogoArea {
		return nil, fmt.Errorf("%w: it is %dx%d, want at most %d pixels a side and 4 million in all; scale it down to the size at which it is shown", ErrLogo, c.Width, c.Height, MaxLogoSide)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: damaged PNG: %w", ErrLogo, err)
	}
	if !seen(img) {
		return nil, fmt.Errorf("%w: all of it is transparent", ErrLogo)
	}
	return img, nil
}

// CheckLogos holds a job's logos against its ladder: each file that it names,
// and no other.
func CheckLogos(l *ladders.Ladder, logos map[string][]byte) error {
	total := 0
	for _, file := range l.Logos() {
		b, ok := logos[file]
		if !ok {
			return fmt.Errorf("%w: the job does not bring %s, which the ladder names", ErrLogo, file)
		}
		if _, err := ReadLogo(b); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		total += len(b)
	}
	if total > MaxLogoBytes {
		return fmt.Errorf("%w: the logos have %d bytes together, want at most %d", ErrLogo, total, MaxLogoBytes)
	}
	if len(logos) > len(l.Logos()) {
		return fmt.Errorf("%w: the job brings %d files, the ladder names %d", ErrLogo, len(logos), len(l.Logos()))
	}
	return nil
}

func seen(img image.Image) bool {
	r := img.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if _, _, _, a := img.At(x, y).RGBA(); a > 0 {
				return true
			}
		}
	}
	return false
}

// drawLogo scales a logo to its box and gives it the colours of the format.
func drawLogo(f Format, o ladders.Overlay, img image.Image) *layer {
	size := img.Bounds().Size()
	l := &layer{rect: box(f, o, float64(size.X)/float64(size.Y))}
	scaled := image.NewRGBA64(image.Rect(0, 0, l.rect.Dx(), l.rect.Dy()))
	draw.CatmullRom.Scale(scaled, scaled.Rect, img, img.Bounds(), draw.Src, nil)
	n := l.rect.Dx() * l.rect.Dy()
	l.cover = make([]uint16, n)
	for i := range l.fill {
		l.fill[i] = make([]uint32, n)
	}
	p := palette{colours: newColours(f)}
	for i := range n {
		c := scaled.RGBA64At(i%l.rect.Dx(), i/l.rect.Dx())
		cover := math.Round(float64(c.A) / 0xffff * float64(o.Opacity) / 10000 * whole)
		if cover == 0 {
			continue
		}
		l.cover[i] = uint16(cover)
		for j, v := range p.of([4]uint16{c.R, c.G, c.B, c.A}) {
			l.fill[j][i] = uint32(math.Round(v * cover))
		}
	}
	return l
}

// palette remembers the last colour: logos are mostly areas of one.
type palette struct {
	*colours
	was   [4]uint16
	codes [3]float64
}

// of is a colour that is multiplied with its last component.
func (p *palette) of(c [4]uint16) [3]float64 {
	if c != p.was {
		var rgb [3]float64
		for i := range rgb {
			rgb[i] = min(1, float64(c[i])/float64(c[3]))
		}
		p.was, p.codes = c, p.colours.codes(rgb)
	}
	return p.codes
}
