package libav

import (
	"fmt"
	"runtime"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// view is the pictures in the colours of one range, made once for all rungs
// that show it. Pictures that have them already pass by reference.
type view struct {
	to    look
	depth int            // the most bits that a rung of it has
	sizes [][2]int       // of its rungs, and of those that they are scaled from
	by    ladders.Scaler // of the largest of them

	g     *graph
	built string
	shown *astiav.Frame // of the picture at hand, nil until it is asked for

	up     *lifter       // nil: no rung of it is encoded on a GPU
	lifted *astiav.Frame // the picture at hand in the GPU's memory, nil until it is asked for
}

func newView(r ladders.Range) *view { return &view{to: target(r), depth: 8} }

func (v *view) add(r ladders.Video) {
	v.depth = max(v.depth, r.Depth)
	for _, s := range [][2]int{{r.Width, r.Height}, {r.ScaledFrom.W, r.ScaledFrom.H}} {
		if w, h := v.largest(); s[0]*s[1] > w*h {
			v.by = r.Scaler
		}
		v.sizes = append(v.sizes, s)
	}
}

// of is f in the view's colours; the view keeps it.
func (v *view) of(f *astiav.Frame) (*astiav.Frame, error) {
	from := lookOf(f)
	if from.is(v.to) {
		return f, nil
	}
	if v.shown != nil {
		return v.shown, nil
	}
	chain := v.chain(from, f)
	if key := geometry(f) + chain; v.built != key {
		v.closeGraph()
		var err error
		if v.g, err = newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, chain, min(runtime.NumCPU(), 4)); err != nil {
			v.g = nil
			return nil, &media.Error{Code: media.EncoderError, Message: "convert the colours of " + geometry(f), Err: err, Advice: "the source's colour description is not supported: give a copy in BT.709, BT.2020, HDR10 or HLG"}
		}
		v.built = key
	}
	err := v.g.push(f, func(out *astiav.Frame) error {
		v.forget()
		if v.shown = out.Clone(); v.shown == nil {
			return fmt.Errorf("allocate frame")
		}
		v.to.put(v.shown)
		if !v.to.hdr() {
			dropHDR(v.shown)
		}
		return nil
	})
	if err == nil && v.shown == nil {
		err = fmt.Errorf("convert colours: no picture came out")
	}
	return v.shown, err
}

// onGPU is f, which is in the view's colours, in the GPU's memory: one copy for all
// rungs. The view keeps it.
func (v *view) onGPU(f *astiav.Frame) (*astiav.Frame, error) {
	if v.lifted != nil {
		return v.lifted, nil
	}
	format := "yuv420p"
	if v.depth == 10 && bitDepth(f.PixelFormat()) > 8 {
		format = "yuv420p10le"
	}
	var err error
	v.lifted, err = v.up.lift(f, format, v.by)
	return v.lifted, err
}

// forget lets go of the picture at hand: there is a new one.
func (v *view) forget() {
	for _, f := range []**astiav.Frame{&v.shown, &v.lifted} {
		if *f != nil {
			(*f).Free()
			*f = nil
		}
	}
}

func (v *view) closeGraph() {
	if v.g != nil {
		v.g.Close()
		v.g, v.built = nil, ""
	}
}

func (v *view) close() {
	v.forget()
	v.closeGraph()
	v.up.Close()
}

// White of SDR pictures in an HDR one, in cd/m² (BT.2408 §2): what is as bright
// stays as it is, what is brighter is pressed into the rest.
const referenceWhite = 203

// chain converts pictures like f. Transfer functions of SDR are taken for one:
// displays show them alike.
func (v *view) chain(from look, f *astiav.Frame) string {
	format := "yuv420p"
	if v.depth == 10 {
		format = "yuv420p10le"
	}
	in := evened(f) + fmt.Sprintf("zscale=filter=%s:primariesin=%d:transferin=%d:matrixin=%d:rangein=%s:chromalin=%s", zimgKernel(v.by), from.primaries, from.nominal(), from.matrix, from.limits(), chromaName(f))
	out := fmt.Sprintf("primaries=%d:transfer=%d:matrix=%d:range=limited:chromal=left:dither=ordered", v.to.primaries, v.to.transfer, v.to.matrix)
	if v.to.hdr() {
		out = fmt.Sprintf("primaries=%d:transfer=%d:matrix=%d:range=limited:chromal=topleft", v.to.primaries, v.to.transfer, v.to.matrix)
	}
	if !from.hdr() || v.to.hdr() {
		return fmt.Sprintf("%s:npl=%d:%s,format=%s", in, referenceWhite, out, format)
	}
	// To linear light in which reference white is 1, where what is above 0.3 of
	// it is bent until the peak fits.
	return fmt.Sprintf("%s%s:transfer=8:npl=%d,format=gbrpf32le,zscale=primaries=%d,tonemap=tonemap=mobius:param=0.3:desat=0:peak=%.4g,zscale=%s,format=%s",
		in, v.smaller(f), referenceWhite, v.to.primaries, float64(peakNits(f, from))/referenceWhite, out, format)
}

// evened brings pictures to even sizes, without which there is no half chroma.
func evened(f *astiav.Frame) string {
	w, h := f.Width(), f.Height()
	if w%2 == 0 && h%2 == 0 {
		return ""
	}
	return fmt.Sprintf("scale=w=%d:h=%d:flags=bicubic,", w+w%2, h+h%2)
}

func (l look) nominal() int {
	if l.hdr() {
		return l.transfer
	}
	return bt709
}

func (l look) limits() string {
	if l.full {
		return "full"
	}
	return "limited"
}

// chromaName is zscale's word for where the chroma samples lie.
func chromaName(f *astiav.Frame) string {
	names := []string{"left", "left", "center", "topleft", "top", "bottomleft", "bottom"}
	if loc := chromaLocation(f); loc > 0 && loc < len(names) {
		return names[loc]
	}
	return names[0]
}

// peakNits is the brightest that the pictures get: as the clip's light level
// says, else the display it was graded on, else the usual 1000.
func peakNits(f *astiav.Frame, from look) int {
	nits := 1000
	if from.transfer == smpte2084 {
		if m := mastering(f); m != nil && m.Max > 0 {
			nits = int(m.Max / 10000)
		}
		if l := lightLevel(f); l != nil && l.Max > 0 {
			nits = int(l.Max)
		}
	}
	return min(max(nits, referenceWhite+1), 10000)
}

// smaller: tone mapping is dear, so pictures larger than every rung are scaled
// to the largest one first, where that keeps their shape.
func (v *view) smaller(f *astiav.Frame) string {
	w, h := v.largest()
	sar := f.SampleAspectRatio()
	square := sar.Num() == 0 || sar.Num() == sar.Den()
	if w >= f.Width() || h >= f.Height() || !square || otherShape(f, w, h) {
		return ""
	}
	return fmt.Sprintf(":w=%d:h=%d", w, h)
}

func (v *view) largest() (w, h int) {
	for _, s := range v.sizes {
		if s[0]*s[1] > w*h {
			w, h = s[0], s[1]
		}
	}
	return w, h
}
