package libav

import (
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// scaledOnGPU brings a picture in the GPU's memory to the branch's size and
// format, in that memory.
func (b *branch) scaledOnGPU(f *astiav.Frame, emit func(*astiav.Frame) error) error {
	if f.Width() == b.width && f.Height() == b.height && samplesOf(f).Name() == b.format {
		return emit(f)
	}
	if b.widened(f) {
		f.SetColorRange(astiav.ColorRangeJpeg)
	}
	g, err := b.graphFor(f)
	if err != nil {
		return err
	}
	var told error
	err = g.push(f, func(out *astiav.Frame) error {
		out.SetColorRange(astiav.ColorRangeMpeg)
		out.SetSampleAspectRatio(astiav.NewRational(1, 1))
		told = emit(out)
		return told
	})
	if err != nil && told == nil {
		err = b.gpu.fail("scale pictures on it", err)
	}
	return err
}

// graphFor is the graph for pictures like f. Each is kept, because the memory of what
// it gives is, for the reason that a lifter has.
func (b *branch) graphFor(f *astiav.Frame) (*graph, error) {
	key := fmt.Sprintf("%s %x", geometry(f), poolOf(f))
	if g := b.graphs[key]; g != nil {
		return g, nil
	}
	g, err := newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, b.gpuChain(f), 1)
	if err != nil {
		return nil, b.gpu.fail(fmt.Sprintf("scale %dx%d to %dx%d on it", f.Width(), f.Height(), b.width, b.height), err)
	}
	b.graphs[key] = g
	return g, nil
}

func (b *branch) closeGraphs() {
	for key, g := range b.graphs {
		g.Close()
		delete(b.graphs, key)
	}
}

// gpuChain scales in samples of 16 bits, between pictures of 8 or 10. FFmpeg 9.0's
// scale_cuda cuts results off instead of rounding them, and of 8 bits keeps the low
// byte of what overshoots, so that lanczos leaves dark specks beside bright edges;
// of 10 bits in 16 it keeps what is above the brightest.
//
// It also gives blank pictures where one dimension alone becomes smaller. Then the
// other is made three times as large meanwhile: of its lines each third one is the
// picture's own, and the second step takes those.
func (b *branch) gpuChain(f *astiav.Frame) string {
	w, h := f.Width(), f.Height()
	if w == b.width && h == b.height {
		return "scale_cuda=format=" + b.format
	}
	to := func(w, h int) string {
		return fmt.Sprintf("scale_cuda=format=p016le:interp_algo=nearest,scale_cuda=w=%d:h=%d:interp_algo=%s", w, h, gpuKernel(b.scaler))
	}
	nearest := fmt.Sprintf(",scale_cuda=w=%d:h=%d:interp_algo=nearest:format=%s", b.width, b.height, b.format)
	switch {
	case h == b.height && b.width < w:
		return to(b.width, 3*h) + nearest
	case w == b.width && b.height < h:
		return to(3*w, b.height) + nearest
	}
	return to(b.width, b.height) + ":format=" + b.format
}

// widened tells whether samples become 16 bits as those of full range do: their
// high bits are repeated in the low ones, which what is cut off later does not
// reach. Where they become more bits in the end it would make them brighter.
func (b *branch) widened(f *astiav.Frame) bool {
	same := f.Width() == b.width && f.Height() == b.height
	return !same && bitDepth(samplesOf(f)) >= bitDepth(astiav.FindPixelFormatByName(b.format))
}

// gpuKernel is scale_cuda's name of a kernel. It has no spline, which is nearest
// to lanczos; its bicubic is the sharp one of its kind when it is told so.
func gpuKernel(s ladders.Scaler) string {
	switch s.Or() {
	case ladders.Bilinear:
		return "bilinear"
	case ladders.Bicubic:
		return "bicubic:param=0.5"
	}
	return "lanczos"
}

// fail is what went wrong on the device, and why where the device says it.
func (g *gpu) fail(what string, err error) *media.Error {
	if e := g.why(err, false); e != nil {
		e.Err = err
		return e
	}
	return &media.Error{Code: media.EncoderError, Retryable: true, Message: g.model + ": " + what, Err: err, Advice: "the worker's log has the driver's own words; `--cpu only` runs the job without a GPU"}
}
