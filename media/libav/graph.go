package libav

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// graph is one libavfilter chain with one way in and one way out.
type graph struct {
	g   *astiav.FilterGraph
	src *astiav.BuffersrcFilterContext
	snk *astiav.BuffersinkFilterContext
	out *astiav.Frame
}

// newVideoGraph makes a chain for pictures like like. Renditions run side by side
// already: one thread is enough unless all of them wait for this chain.
func newVideoGraph(like *astiav.Frame, base timeline.Timebase, chain string, threads int) (*graph, error) {
	p := astiav.AllocBuffersrcFilterContextParameters()
	defer p.Free()
	p.SetWidth(like.Width())
	p.SetHeight(like.Height())
	p.SetPixelFormat(like.PixelFormat())
	p.SetTimeBase(rational(base))
	p.SetSampleAspectRatio(like.SampleAspectRatio())
	p.SetColorSpace(like.ColorSpace())
	p.SetColorRange(like.ColorRange())
	p.SetHardwareFramesContext(like.HardwareFramesContext())
	return newGraph("buffer", "buffersink", p, chain, threads)
}

func newAudioGraph(like *astiav.Frame, base timeline.Timebase, chain string) (*graph, error) {
	p := astiav.AllocBuffersrcFilterContextParameters()
	defer p.Free()
	p.SetSampleFormat(like.SampleFormat())
	p.SetSampleRate(like.SampleRate())
	p.SetChannelLayout(like.ChannelLayout())
	p.SetTimeBase(rational(base))
	return newGraph("abuffer", "abuffersink", p, chain, 1)
}

func rational(t timeline.Timebase) astiav.Rational {
	return astiav.NewRational(int(t.Num), int(t.Den))
}

func newGraph(in, out string, p *astiav.BuffersrcFilterContextParameters, chain string, threads int) (*graph, error) {
	g := &graph{g: astiav.AllocFilterGraph(), out: astiav.AllocFrame()}
	if g.g == nil {
		return nil, errors.New("allocate filter graph")
	}
	g.g.SetThreadCount(threads)
	err := g.build(in, out, p, chain)
	if err != nil {
		g.Close()
		return nil, fmt.Errorf("filter chain %q: %w", chain, err)
	}
	return g, nil
}

func (g *graph) build(in, out string, p *astiav.BuffersrcFilterContextParameters, chain string) (err error) {
	if g.src, err = g.g.NewBuffersrcFilterContext(astiav.FindFilterByName(in), "in"); err != nil {
		return err
	}
	if err = g.src.SetParameters(p); err != nil {
		return err
	}
	if err = g.src.Initialize(nil); err != nil {
		return err
	}
	if g.snk, err = g.g.NewBuffersinkFilterContext(astiav.FindFilterByName(out), "out"); err != nil {
		return err
	}
	outputs, inputs := astiav.AllocFilterInOut(), astiav.AllocFilterInOut()
	defer outputs.Free()
	defer inputs.Free()
	outputs.SetName("in")
	outputs.SetFilterContext(g.src.FilterContext())
	outputs.SetPadIdx(0)
	inputs.SetName("out")
	inputs.SetFilterContext(g.snk.FilterContext())
	inputs.SetPadIdx(0)
	if err = g.g.Parse(chain, inputs, outputs); err != nil {
		return err
	}
	return g.g.Configure()
}

// push feeds one frame (nil drains) and hands out what leaves the chain; emit
// must not keep it.
func (g *graph) push(f *astiav.Frame, emit func(*astiav.Frame) error) error {
	if err := g.src.AddFrame(f, astiav.NewBuffersrcFlags(astiav.BuffersrcFlagKeepRef)); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	for {
		err := g.snk.GetFrame(g.out, astiav.NewBuffersinkFlags())
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("filter: %w", err)
		}
		err = emit(g.out)
		g.out.Unref()
		if err != nil {
			return err
		}
	}
}

func (g *graph) Close() {
	g.out.Free()
	g.g.Free()
}
