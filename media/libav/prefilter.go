package libav

import (
	"fmt"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// preFilter does once what every rendition needs: deinterlacing and rotation.
// Pictures that need none of it pass by reference.
type preFilter struct {
	facts  VideoInfo
	fields bool // every field becomes a picture
	g      *graph
	built  string
}

// wantsFields: the grid is at the pace of an interlaced source's fields, which
// show motion at twice the frame rate.
func wantsFields(v VideoInfo, grid timeline.Rate) bool {
	return v.Interlaced && (timeline.Rate{Num: v.Rate.Num * 3, Den: v.Rate.Den * 2}).Cmp(grid) < 0
}

func (p *preFilter) push(f *astiav.Frame, base timeline.Timebase, emit func(*astiav.Frame) error) error {
	chain := p.chain()
	if chain == "" {
		if f == nil {
			return nil
		}
		return emit(f)
	}
	if f != nil && p.built != geometry(f) {
		if err := p.rebuild(f, base, chain, emit); err != nil {
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

func (p *preFilter) rebuild(f *astiav.Frame, base timeline.Timebase, chain string, emit func(*astiav.Frame) error) error {
	if p.g != nil {
		if err := p.g.push(nil, p.retimed(base, emit)); err != nil {
			return err
		}
		p.g.Close()
	}
	g, err := newVideoGraph(f, base, chain, 1)
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

func (p *preFilter) chain() string {
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
	return strings.Join(steps, ",")
}

func (p *preFilter) Close() {
	if p.g != nil {
		p.g.Close()
	}
}
