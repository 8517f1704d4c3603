package ladders

import (
	"fmt"
	"slices"
	"strings"
)

// Scaler is the kernel by which pictures are resampled to a rung's size.
type Scaler string

// The scalers, from the softest and cheapest on.
const (
	Bilinear Scaler = "bilinear"
	Bicubic  Scaler = "bicubic"
	Spline   Scaler = "spline"
	Lanczos  Scaler = "lanczos"
)

// DefaultScaler keeps most of the source's detail for its cost
// (benchmarks/results/scale.md).
const DefaultScaler = Lanczos

// Or is s, or the default where none is named.
func (s Scaler) Or() Scaler {
	if s == "" {
		return DefaultScaler
	}
	return s
}

// why is what a person needs to know to choose another one.
func (s Scaler) why() string {
	switch s {
	case Bilinear:
		return "the cheapest and the softest: for the smallest rungs of a machine at its limit"
	case Bicubic:
		return "softer than lanczos, with less ringing at the edges of graphics"
	case Spline:
		return "nearly as sharp as lanczos, with a little less ringing"
	}
	return "it keeps most of the source's detail, 0.5 to 1.2 dB more than bicubic for 1.2 to 1.8 times its cost (benchmarks/results/scale.md)"
}

func (v value) scaler() Scaler {
	return Scaler(v.oneOf(string(Bilinear), string(Bicubic), string(Spline), string(Lanczos)))
}

// inherit gives rungs what the ladder says for all of them.
func (l *Ladder) inherit() {
	for i := range l.Video {
		if l.Video[i].Scaler == "" {
			l.Video[i].Scaler = l.Scaler
		}
	}
}

// pictures says how pictures are treated before they are encoded.
func (l *Ladder) pictures() string {
	var b strings.Builder
	for i, s := range l.scalers() {
		only := ""
		if i > 0 || s != l.Scaler {
			only = " for " + strings.Join(l.scaledBy(s), ", ")
		}
		fmt.Fprintf(&b, "scaler %s%s: %s\n", s, only, s.why())
	}
	if len(l.Video) > 0 {
		fmt.Fprintf(&b, "scale_from %s: %s\n", l.ScaleFrom, l.ScaleFrom.why())
		fmt.Fprintf(&b, "deinterlace %s: %s\n", l.Deinterlace, l.Deinterlace.why())
	}
	for _, s := range l.treatment() {
		fmt.Fprintf(&b, "%s\n", s)
	}
	return b.String()
}

// treatment says what is done to pictures once, before they are scaled.
func (l *Ladder) treatment() (out []string) {
	if l.Crop != nil {
		out = append(out, fmt.Sprintf("crop %s: of the source's pictures, before they are scaled", l.Crop))
	}
	if l.Pad.W > 0 {
		out = append(out, fmt.Sprintf("pad %s: bars where pictures have another shape", l.Pad))
	}
	if l.Denoise != "" {
		out = append(out, fmt.Sprintf("denoise %s: %s", l.Denoise, l.Denoise.cost()))
	}
	for _, o := range l.Overlays {
		out = append(out, "overlay "+o.String()+": drawn once, for all rungs")
	}
	return out
}

// scalers are those in use, the ladder's own first.
func (l *Ladder) scalers() []Scaler {
	var all []Scaler
	if len(l.scaledBy(l.Scaler)) > 0 {
		all = append(all, l.Scaler)
	}
	for _, r := range l.Video {
		if !slices.Contains(all, r.Scaler) {
			all = append(all, r.Scaler)
		}
	}
	return all
}

func (l *Ladder) scaledBy(s Scaler) (names []string) {
	for _, r := range l.Video {
		if r.Scaler == s {
			names = append(names, r.Name)
		}
	}
	return names
}
