package card

import (
	"image"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// face draws running text as luma only, from glyph masks made once.
type face struct {
	glyphs  [128]*image.Alpha
	advance int
	ascent  int
}

const drawable = "0123456789:.-/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func openFont(ttf []byte, size float64) (font.Face, error) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

func newFace(size float64) (*face, error) {
	ff, err := openFont(gomonobold.TTF, size)
	if err != nil {
		return nil, err
	}
	adv, _ := ff.GlyphAdvance('0')
	f := &face{advance: adv.Ceil(), ascent: ff.Metrics().Ascent.Ceil()}
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
func (f *face) centre(img *image.YCbCr, y int, s []byte, luma uint8) {
	x := (img.Rect.Dx() - f.advance*len(s)) / 2
	for _, r := range s {
		if mask := f.glyphs[r&127]; mask != nil {
			glyph(img, image.Pt(x, y-f.ascent), mask, luma)
		}
		x += f.advance
	}
}

func glyph(img *image.YCbCr, at image.Point, mask *image.Alpha, luma uint8) {
	r := mask.Rect.Add(at).Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Y[img.YOffset(r.Min.X, y):][:r.Dx()]
		for x, a := range mask.Pix[mask.PixOffset(r.Min.X-at.X, y-at.Y):][:r.Dx()] {
			switch a {
			case 0:
			case 255:
				row[x] = luma
			default:
				row[x] = mix(row[x], luma, int(a))
			}
		}
	}
}
