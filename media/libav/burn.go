package libav

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/overlay"
	"github.com/galafarm/gala/timeline"
)

// burner lays a ladder's overlays over pictures, once for all rungs and where
// the frame's index is known: a picture that is repeated shows its new number.
//
// Pictures are passed by reference, so they are copied first, and a few lines of
// the copy are written. libavfilter's overlay would copy as much, and would want
// a second picture for every first one, in step with it, in fewer formats. A
// device that holds its pictures in its own memory takes the same plates.
type burner struct {
	list  []ladders.Overlay
	logos overlay.Logos
	words overlay.Words

	board   *overlay.Board
	made    string // kind of pictures that the board was made for
	convert *graph // brings pictures of a rare form to one that can be drawn on
	drawn   *astiav.Frame
	shows   int64 // the frame that drawn was made for
}

func newBurner(s media.Spec, asked *ladders.Picture) (*burner, error) {
	b := &burner{words: overlay.Words{Job: s.Job, Rate: s.Grid.Rate, OfDay: s.Live}}
	if asked == nil || len(asked.Overlays) == 0 {
		return b, nil
	}
	var err error
	if b.logos, err = overlay.ReadLogos(s.Logos); err != nil {
		return nil, &media.Error{Code: media.EncoderError, Message: "read the job's logos", Err: err, Advice: "submit the job again, so that it brings its logos"}
	}
	b.list = asked.Overlays
	return b, nil
}

// idle: pictures pass as they are.
func (b *burner) idle() bool { return len(b.list) == 0 }

// of is picture f as frame n shows it; fresh tells that it was made now. The
// burner keeps it.
func (b *burner) of(f *astiav.Frame, n int64) (out *astiav.Frame, fresh bool, err error) {
	if b.idle() {
		return f, false, nil
	}
	if b.drawn != nil && (b.shows == n || !b.board.Runs()) {
		return b.drawn, false, nil
	}
	b.forget()
	if b.drawn, err = b.copy(f); err == nil {
		err = b.draw(n)
	}
	if err != nil {
		b.forget()
		return nil, false, &media.Error{Code: media.EncoderError, Message: "draw overlays on " + geometry(f), Err: err, Advice: "take the overlays out of the ladder, or give a copy of the source in 4:2:0"}
	}
	b.shows = n
	return b.drawn, true, nil
}

// forget lets go of the picture at hand: there is a new one.
func (b *burner) forget() {
	if b.drawn != nil {
		b.drawn.Free()
		b.drawn = nil
	}
}

func (b *burner) close() {
	b.forget()
	if b.convert != nil {
		b.convert.Close()
	}
}

// copy is a picture that may be written.
func (b *burner) copy(f *astiav.Frame) (*astiav.Frame, error) {
	key := fmt.Sprint(geometry(f), lookOf(f), chromaName(f))
	if key != b.made {
		if err := b.prepare(f); err != nil {
			return nil, err
		}
		b.made = key
	}
	out := (*astiav.Frame)(nil)
	if b.convert == nil {
		out = f.Clone()
	} else {
		err := b.convert.push(f, func(c *astiav.Frame) error {
			out = c.Clone()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if out == nil {
		return nil, fmt.Errorf("allocate frame")
	}
	if b.convert != nil {
		drawableLook(f).put(out)
	}
	if err := out.MakeWritable(); err != nil {
		out.Free()
		return nil, fmt.Errorf("copy frame: %w", err)
	}
	return out, nil
}

// prepare is for pictures like f.
func (b *burner) prepare(f *astiav.Frame) (err error) {
	if b.convert != nil {
		b.convert.Close()
		b.convert = nil
	}
	b.board, b.made = nil, ""
	if _, ok := drawable(f.PixelFormat()); !ok {
		b.convert, err = newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, drawableChain(f), 1)
	}
	return err
}

func (b *burner) draw(n int64) (err error) {
	format := formatOf(b.drawn)
	if b.board == nil {
		if b.board, err = overlay.New(format, b.list, b.logos, b.words); err != nil {
			return err
		}
	}
	strides := b.drawn.Linesize()
	for _, plate := range b.board.Plates(n) {
		for i := range plate.Planes {
			p := &plate.Planes[i]
			p.Draw(plane(b.drawn, i, p.Rect.Max.Y*strides[i]), strides[i], format.Depth)
		}
	}
	return nil
}

var planarYUV = regexp.MustCompile(`^yuv[aj]?4(20|22|44)p(?:([0-9]+)le)?$`)

// drawable are the formats whose planes the overlays know: planar Y'CbCr.
func drawable(p astiav.PixelFormat) (f overlay.Format, ok bool) {
	m := planarYUV.FindStringSubmatch(p.Name())
	if m == nil {
		return f, false
	}
	f.ChromaX, f.ChromaY, f.Depth = m[1] != "44", m[1] == "20", 8
	if m[2] != "" {
		f.Depth, _ = strconv.Atoi(m[2])
	}
	return f, true
}

// formatOf is the format of a drawable picture.
func formatOf(p *astiav.Frame) overlay.Format {
	f, _ := drawable(p.PixelFormat())
	f.Width, f.Height = p.Width(), p.Height()
	sar := p.SampleAspectRatio()
	f.SARNum, f.SARDen = sar.Num(), sar.Den()
	l := lookOf(p)
	f.Primaries, f.Transfer, f.Matrix, f.Full = l.primaries, l.nominal(), l.matrix, l.full
	where := chromaName(p)
	f.BetweenX = where == "center" || where == "top" || where == "bottom"
	f.BetweenY = where == "left" || where == "center"
	return f
}

// drawableChain brings any other picture to a format that can be drawn on, with
// no less chroma and, up to ten, no fewer bits.
func drawableChain(f *astiav.Frame) string {
	format := "yuv420p"
	switch name := f.PixelFormat().Name(); {
	case rgb(name), drawsFine(name):
		format = "yuv444p"
	case drawsHalf(name):
		format = "yuv422p"
	}
	if bitDepth(f.PixelFormat()) > 8 {
		format += "10le"
	}
	matrix := ""
	if l := lookOf(f); l.matrix == rgbMatrix {
		matrix = ":out_color_matrix=" + swscaleMatrix(drawableLook(f).matrix) + ":out_range=tv"
	}
	return "scale=flags=bicubic+accurate_rnd+full_chroma_int" + matrix + ",format=" + format
}

var (
	fineChroma = regexp.MustCompile(`^(yuv[aj]?444|yuvj?440|yuvj?411|nv24|p4|vuy|ayuv|xv|uyyvyy411)`)
	halfChroma = regexp.MustCompile(`^(yuva?422|nv16|nv20|p2|yuyv|uyvy|yvyu|y2)`)
)

func drawsFine(name string) bool { return fineChroma.MatchString(name) }
func drawsHalf(name string) bool { return halfChroma.MatchString(name) }

func swscaleMatrix(m int) string {
	if m == bt2020 {
		return "bt2020"
	}
	return "bt709"
}

// drawableLook is the look of what drawableChain makes of a picture: RGB becomes
// Y'CbCr of its own primaries' usual matrix.
func drawableLook(f *astiav.Frame) look {
	l := lookOf(f)
	if l.matrix != rgbMatrix {
		return l
	}
	l.full, l.matrix = false, bt709
	if l.primaries == bt2020 {
		l.matrix = bt2020
	}
	return l
}
