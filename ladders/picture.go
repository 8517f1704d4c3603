package ladders

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// Picture is what is done to a source's pictures once, before they are scaled
// for the rungs.
type Picture struct {
	// Fields: every field of an interlaced source becomes a picture.
	Fields bool
	// Crop is what is kept, in the source's pixels, upright; nil for all of it.
	Crop *Rect
	// Pad is the shape to which bars fill the picture, 0:0 for none.
	Pad     Aspect
	Denoise Denoise
	// Overlays are drawn last, in this order.
	Overlays []Overlay
}

// Filters tells whether anything is asked for that is done before pictures get
// their places on the grid.
func (p *Picture) Filters() bool {
	return p.Fields || p.Crop != nil || p.Pad.W > 0 || p.Denoise != ""
}

// Rect is a part of a picture; all numbers are even.
type Rect struct{ W, H, X, Y int }

func (r Rect) String() string { return fmt.Sprintf("%dx%d+%d+%d", r.W, r.H, r.X, r.Y) }

// Aspect is a shape such as 16:9.
type Aspect struct{ W, H int }

func (a Aspect) String() string { return fmt.Sprintf("%d:%d", a.W, a.H) }

// Crop is authored: a part, or how much falls away at each side.
type Crop struct {
	Part                     *Rect
	Left, Right, Top, Bottom int
}

func (c *Crop) String() string {
	if c.Part != nil {
		return c.Part.String()
	}
	return fmt.Sprintf("{left: %d, right: %d, top: %d, bottom: %d}", c.Left, c.Right, c.Top, c.Bottom)
}

// Denoise is how much noise is taken away.
type Denoise string

// The strengths.
const (
	DenoiseLight  Denoise = "light"
	DenoiseMedium Denoise = "medium"
	DenoiseStrong Denoise = "strong"
)

// cost is what a strength does and takes, as it was measured on 720p pictures.
func (d Denoise) cost() string {
	switch d {
	case DenoiseLight:
		return "pictures are averaged over time where they stand still, about 2 ms of a core for a 720p picture"
	case DenoiseMedium:
		return "non-local means, about 22 ms of a core for a 720p picture (more than scaling it); 10-bit pictures are averaged over time"
	}
	return "non-local means over a wide field, about 62 ms of a core for a 720p picture: for files; 10-bit pictures are averaged over time"
}

const (
	wantCrop = "a part such as 1920x800+0+140, or a mapping with left, right, top and bottom"
	wantEven = "even numbers: half of a colour sample cannot be cut away"
	wantPad  = "a shape such as 16:9 or 4:3"
)

var (
	partPattern   = regexp.MustCompile(`^([0-9]{1,4})x([0-9]{1,4})\+([0-9]{1,4})\+([0-9]{1,4})$`)
	aspectPattern = regexp.MustCompile(`^([1-9][0-9]{0,3}):([1-9][0-9]{0,3})$`)
)

func (v value) crop() *Crop {
	if _, ok := v.node.(ast.MapNode); ok {
		return v.cropSides()
	}
	s, ok := v.scalar(wantCrop)
	if !ok {
		return nil
	}
	m := partPattern.FindStringSubmatch(s)
	if m == nil {
		v.fail("%q is not allowed, want %s", clip(s), wantCrop)
		return nil
	}
	var n [4]int
	odd := 0
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
		odd += n[i] % 2
	}
	if odd > 0 || min(n[0], n[1]) < minSide {
		v.fail("%q is not allowed, want sides from %d on and %s", s, minSide, wantEven)
		return nil
	}
	return &Crop{Part: &Rect{n[0], n[1], n[2], n[3]}}
}

func (v value) cropSides() *Crop {
	c := &Crop{}
	side := func(to *int) func(value) {
		return func(at value) {
			if *to = at.integer(0, maxSide); *to%2 != 0 {
				at.fail("%d is not allowed, want %s", *to, wantEven)
			}
		}
	}
	v.mapping([]key{{"left", side(&c.Left)}, {"right", side(&c.Right)}, {"top", side(&c.Top)}, {"bottom", side(&c.Bottom)}})
	if *c == (Crop{}) {
		return nil
	}
	return c
}

func (v value) aspect() Aspect {
	s, ok := v.scalar(wantPad)
	if !ok {
		return Aspect{}
	}
	m := aspectPattern.FindStringSubmatch(s)
	if m == nil {
		v.fail("%q is not allowed, want %s", clip(s), wantPad)
		return Aspect{}
	}
	w, _ := strconv.Atoi(m[1])
	h, _ := strconv.Atoi(m[2])
	if w > 8*h || h > 8*w {
		v.fail("%q is not allowed, want %s; no side more than eight times the other", s, wantPad)
	}
	return Aspect{w, h}
}

func (v value) denoise() Denoise {
	return Denoise(v.oneOf(string(DenoiseLight), string(DenoiseMedium), string(DenoiseStrong)))
}

// turned tells a picture that lies on its side.
func turned(rotation int) bool { return ((rotation+45)%360+360)%360/90%2 == 1 }

// crops is the part of the source that the ladder keeps, nil for all of it.
func (r *resolver) crops() (*Rect, error) {
	c, v := r.ladder.Crop, r.source.Video
	if c == nil {
		return nil, nil
	}
	w, h := v.Width, v.Height
	if turned(v.Rotation) {
		w, h = h, w
	}
	part := Rect{w - c.Left - c.Right, h - c.Top - c.Bottom, c.Left, c.Top}
	if c.Part != nil {
		part = *c.Part
	}
	part.W, part.H = part.W&^1, part.H&^1
	if part.W < minSide || part.H < minSide || part.X+part.W > w || part.Y+part.H > h {
		return nil, fmt.Errorf("%w: crop %s does not leave a part of the source's %dx%d pictures; measure it on a frame of the source", ErrNoMatch, c, w, h)
	}
	return &part, nil
}

// picture is what the ladder does to the source's pictures, and their shape
// after it.
func (r *resolver) picture(mode Deinterlace) (*Picture, error) {
	v := r.source.Video
	p := &Picture{Fields: v.Interlaced && mode == FieldRate, Pad: r.ladder.Pad, Denoise: r.ladder.Denoise, Overlays: r.ladder.Overlays}
	var err error
	p.Crop, err = r.crops()
	return p, err
}

// shaped is the display shape of what picture leaves.
func (p *Picture) shaped(v *SourceVideo) (shape, string) {
	of := *v
	if c := p.Crop; c != nil {
		of.Width, of.Height = c.W, c.H
		if turned(v.Rotation) {
			of.Width, of.Height = c.H, c.W
		}
	}
	s, note := displayShape(&of)
	if p.Pad.W == 0 {
		return s, note
	}
	want := big.NewRat(int64(p.Pad.W), int64(p.Pad.H))
	if wide := new(big.Rat).Mul(s.h, want); wide.Cmp(s.w) > 0 {
		s.w = wide
	} else {
		s.h = new(big.Rat).Quo(s.w, want)
	}
	return s, note
}

// does says what happens to pictures, for people.
func (p *Picture) does() (out []string) {
	if p.Fields {
		out = append(out, "every field of the interlaced source becomes a picture")
	}
	if p.Crop != nil {
		out = append(out, "pictures are cropped to "+p.Crop.String())
	}
	if p.Pad.W > 0 {
		out = append(out, "pictures of another shape get bars to "+p.Pad.String())
	}
	if p.Denoise != "" {
		out = append(out, "noise is taken away ("+string(p.Denoise)+")")
	}
	for _, o := range p.Overlays {
		out = append(out, o.does())
	}
	return out
}
