package libav

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// preFilter does once what every rendition needs: deinterlacing, rotation, and
// what the ladder asks for. Pictures that need none of it pass by reference.
type preFilter struct {
	facts  VideoInfo
	fields bool // every field becomes a picture
	asked  ladders.Picture
	g      *graph
	built  string
}

func newPreFilter(v VideoInfo, asked *ladders.Picture, grid timeline.Rate) *preFilter {
	if asked == nil {
		return &preFilter{facts: v, fields: wantsFields(v, grid)}
	}
	return &preFilter{facts: v, fields: v.Interlaced && asked.Fields, asked: *asked}
}

// wantsFields: the grid is at the pace of an interlaced source's fields, which
// show motion at twice the frame rate.
func wantsFields(v VideoInfo, grid timeline.Rate) bool {
	return v.Interlaced && (timeline.Rate{Num: v.Rate.Num * 3, Den: v.Rate.Den * 2}).Cmp(grid) < 0
}

func (p *preFilter) push(f *astiav.Frame, base timeline.Timebase, emit func(*astiav.Frame) error) error {
	if p.idle() {
		if f == nil {
			return nil
		}
		return emit(f)
	}
	if f != nil && p.built != geometry(f) {
		if err := p.rebuild(f, base, emit); err != nil {
			return err
		}
	}
	if p.g == nil {
		return nil
	}
	return p.g.push(f, p.retimed(base, emit))
}

// retimed puts times into the base that is wanted: some filters count finer.
func (p *preFilter) retimed(base timeline.Timebase, emit func(*astiav.Frame) error) func(*astiav.Frame) error {
	out := timebase(p.g.snk.TimeBase())
	base = p.base(base)
	return func(f *astiav.Frame) error {
		f.SetPts(timeline.Rescale(f.Pts(), out, base))
		return emit(f)
	}
}

func (p *preFilter) rebuild(f *astiav.Frame, base timeline.Timebase, emit func(*astiav.Frame) error) error {
	if p.g != nil {
		if err := p.g.push(nil, p.retimed(base, emit)); err != nil {
			return err
		}
		p.g.Close()
	}
	g, err := newVideoGraph(f, base, p.chain(f), p.threads())
	if err != nil {
		return fmt.Errorf("prepare pictures: %w", err)
	}
	p.g, p.built = g, geometry(f)
	return nil
}

// base is the time base of what comes out of pictures timed in base: a second
// field lies between two ticks of it.
func (p *preFilter) base(base timeline.Timebase) timeline.Timebase {
	if p.fields {
		base.Den *= 2
	}
	return base
}

// idle: there is nothing to do.
func (p *preFilter) idle() bool {
	return !p.facts.Interlaced && p.facts.Rotation == 0 && !p.asked.Filters()
}

// threads: all renditions wait for this chain, which is worth more than one
// thread where it is dear.
func (p *preFilter) threads() int {
	if p.asked.Denoise == "" {
		return 1
	}
	return min(runtime.NumCPU(), 4)
}

func (p *preFilter) chain(f *astiav.Frame) string {
	var steps []string
	if p.facts.Interlaced {
		mode := "send_frame"
		if p.fields {
			mode = "send_field"
		}
		// Pictures that are not flagged pass untouched.
		steps = append(steps, "bwdif=mode="+mode+":parity=auto:deint=interlaced")
	}
	switch p.facts.Rotation {
	case 90:
		steps = append(steps, "transpose=clock")
	case 180:
		steps = append(steps, "hflip", "vflip")
	case 270:
		steps = append(steps, "transpose=cclock")
	}
	if c := p.crop(f); c != "" {
		steps = append(steps, c)
	}
	if d := denoise(p.asked.Denoise, bitDepth(f.PixelFormat())); d != "" {
		steps = append(steps, d)
	}
	if a := p.asked.Pad; a.W > 0 {
		steps = append(steps, fmt.Sprintf("pad=aspect=%d/%d:x=-1:y=-1", a.W, a.H))
	}
	if len(steps) == 0 {
		return "null"
	}
	return strings.Join(steps, ",")
}

// crop is left out for pictures that it does not lie in: a source that becomes
// smaller in mid-stream is shown whole rather than not at all.
func (p *preFilter) crop(f *astiav.Frame) string {
	w, h := f.Width(), f.Height()
	if p.facts.Rotation%180 != 0 {
		w, h = h, w
	}
	c := p.asked.Crop
	if c == nil || c.X+c.W > w || c.Y+c.H > h {
		return ""
	}
	return fmt.Sprintf("crop=%d:%d:%d:%d", c.W, c.H, c.X, c.Y)
}

// denoise is chosen by what it costs. Light averages a sample with those at its
// place in the pictures around, as long as they are alike (2 ms of a core for a
// 720p picture); the others look for patches that are alike in the picture (22
// and 62 ms). Non-local means take 8 bits only: deeper pictures are averaged
// more boldly instead. Both licences have both.
func denoise(d ladders.Denoise, depth int) string {
	average := func(a, b float64) string {
		return fmt.Sprintf("atadenoise=0a=%g:0b=%g:1a=%g:1b=%g:2a=%g:2b=%g:s=5", a, 2*a, b, 2*b, b, 2*b)
	}
	switch {
	case d == "":
		return ""
	case d == ladders.DenoiseLight:
		return average(0.06, 0.04)
	case depth > 8 && d == ladders.DenoiseMedium:
		return average(0.08, 0.05)
	case depth > 8:
		return average(0.1, 0.06)
	case d == ladders.DenoiseMedium:
		return "nlmeans=s=2:p=3:r=3"
	}
	return "nlmeans=s=2:p=3:r=5"
}

func (p *preFilter) Close() {
	if p.g != nil {
		p.g.Close()
	}
}
