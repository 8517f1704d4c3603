package libav

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/overlay"
	"github.com/galafarm/gala/timeline"
)

// flag is a logo: red, white and see-through in three columns.
func flag(t testing.TB) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 60, 30))
	for i := range 60 * 30 {
		switch x := i % 60; {
		case x < 20:
			img.Set(x, i/60, color.NRGBA{255, 0, 0, 255})
		case x < 40:
			img.Set(x, i/60, color.NRGBA{255, 255, 255, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	flagInTheMiddle = ladders.Overlay{Logo: "flag.png", At: "middle", Width: 3000, Opacity: 10000}
	running         = ladders.Overlay{Text: "{timecode}", At: "bottom", Height: 1200, Margin: 1500, Opacity: 10000}
)

func burnt(r ladders.Rendition, list ...ladders.Overlay) ladders.Rendition {
	r.Video.Picture = &ladders.Picture{Overlays: list}
	return r
}

// reader tells which frame's text a picture shows: it holds the picture against
// what is drawn for each candidate.
type reader struct {
	t     *testing.T
	board *overlay.Board
	f     overlay.Format
}

// newReader is for pictures of a size on a grid. What was drawn on pictures of
// another size looks nearly the same.
func newReader(t *testing.T, w, h int, words overlay.Words, o ladders.Overlay) *reader {
	t.Helper()
	f := overlay.Format{Width: w, Height: h, ChromaX: true, ChromaY: true, BetweenY: true, Depth: 8, Primaries: 1, Transfer: 1, Matrix: 1}
	b, err := overlay.New(f, []ladders.Overlay{o}, nil, words)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t, b, f}
}

// off is how far a picture is from showing frame n, where something is drawn.
func (r *reader) off(p picture, n int64) float64 {
	drawn := bytes.Clone(p.luma)
	plane := r.board.Plates(n)[0].Planes[0]
	plane.Draw(drawn, p.w, 8)
	sum, count := 0.0, 0
	for y := plane.Rect.Min.Y; y < plane.Rect.Max.Y; y++ {
		for x := plane.Rect.Min.X; x < plane.Rect.Max.X; x++ {
			d := float64(drawn[y*p.w+x]) - float64(p.luma[y*p.w+x])
			sum, count = sum+d*d, count+1
		}
	}
	return math.Sqrt(sum / float64(count))
}

// wantNumber checks that frame n is what a picture shows, and none of those near
// to it or a second away.
func (r *reader) wantNumber(p picture, n int64, apart int64) {
	r.t.Helper()
	best, at := math.Inf(1), int64(0)
	for _, d := range []int64{-100, -10, -3, -2, -1, 0, 1, 2, 3, 10, 100} {
		if n+d*apart < 0 {
			continue
		}
		if o := r.off(p, n+d*apart); o < best {
			best, at = o, n+d*apart
		}
	}
	if at != n || best > 25 {
		r.t.Fatalf("grid frame %d shows the text of frame %d (%.1f off), want that of %d", p.index, at, best, n)
	}
}

// The card's own numbers and the burnt ones are the same, at each rung's rate.
func TestBurntTimecodeIsTheFrames(t *testing.T) {
	for _, rate := range []timeline.Rate{{Num: 50, Den: 1}, {Num: 30000, Den: 1001}} {
		half := small("half")
		half.Video.Divisor = 2
		spec := cardSpec5(t, rate, burnt(small("v"), running), burnt(half, running))
		spec.Grid = newGrid(t, rate, time.Second, 2, 2)
		out, _ := play(t, Options{Spec: spec})
		r := newReader(t, 320, 180, overlay.Words{Rate: rate}, running)
		for name, step := range map[string]int64{"v": 1, "half": 2} {
			pics := pictures(t, astiav.CodecIDH264, out.configs[name], out.packets[name])
			if len(pics) < 70 {
				t.Fatalf("%d pictures", len(pics))
			}
			for i, p := range pics {
				if p.card != int64(i)*step {
					t.Fatalf("%s: picture %d shows card %d", name, i, p.card)
				}
				r.wantNumber(p, p.card, step)
			}
		}
	}
}

// A picture that is repeated shows the number of each frame that it stands for.
func TestRepeatedPicturesShowTheirOwnNumber(t *testing.T) {
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, burnt(small("v"), running))
	spec.Grid = newGrid(t, timeline.Rate{Num: 50, Den: 1}, time.Second, 2)
	out, st := play(t, Options{Spec: spec})
	if st.Doubled < 100 {
		t.Fatalf("%d repeated: the test shows nothing", st.Doubled)
	}
	r := newReader(t, 320, 180, overlay.Words{Rate: spec.Grid.Rate}, running)
	for _, p := range pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"]) {
		r.wantNumber(p, p.index, 1)
	}
}

// A live card: the burnt time of day is that of the card's own clock, and a
// worker that takes over goes on with it.
func TestLiveTimecodeIsTheTimeOfDay(t *testing.T) {
	rate := timeline.Rate{Num: 25, Den: 1}
	spec := media.Spec{Job: "card", Input: "testcard:?size=640x360&fps=25", Grid: newGrid(t, rate, time.Second, 1), Renditions: []ladders.Rendition{burnt(small("v"), running), sound("a")}}
	midnight := time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC)
	whole, p := onAir(t, spec, midnight.Add(-3*time.Second), 150)
	first, _ := wantWhole(t, spec, whole)
	again := resumed(t, spec, p, midnight.Add(time.Second), first+3, 50)
	r := newReader(t, 320, 180, overlay.Words{Rate: rate, OfDay: true}, running)
	past := false
	for _, out := range []*collector{whole, again} {
		for _, p := range pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"]) {
			if p.card != int64(uint32(p.index)) {
				t.Fatalf("grid frame %d shows card %d", p.index, p.card)
			}
			r.wantNumber(p, p.index, 1)
			past = past || p.index >= midnight.Unix()*25
		}
	}
	if !past {
		t.Error("midnight did not come")
	}
}

// Two workers burn the same samples, one of them from where the other broke off.
func TestBurntPicturesAreTheSameFromTwoWorkers(t *testing.T) {
	name := filepath.Join(mediaDir(t), "svt_720p50_h264_aac.mkv")
	facts, err := Probe(t.Context(), name, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	spec.Grid = newGrid(t, timeline.Rate{Num: 50, Den: 1}, time.Second, 1)
	spec.Renditions, spec.Logos = []ladders.Rendition{burnt(small("v"), flagInTheMiddle, running)}, map[string][]byte{"flag.png": flag(t)}
	one, _ := play(t, Options{Spec: spec})
	two, _ := play(t, Options{Spec: spec})
	wantBytes(t, one, two)
	late, _, _ := resume(t, spec, 3, false)
	again, _, _ := resume(t, spec, 3, true)
	wantBytes(t, again, late)
	r := newReader(t, 320, 180, overlay.Words{Rate: spec.Grid.Rate}, running)
	pics := pictures(t, astiav.CodecIDH264, late.configs["v"], late.packets["v"])
	if len(pics) < 90 || pics[0].index != 150 {
		t.Fatalf("%d pictures from frame %d on", len(pics), pics[0].index)
	}
	for _, p := range pics {
		r.wantNumber(p, p.index, 1)
	}
}

// blank is a black picture, in a format and a look.
func blank(t testing.TB, w, h int, format string, l look) *astiav.Frame {
	t.Helper()
	f := astiav.AllocFrame()
	f.SetWidth(w)
	f.SetHeight(h)
	f.SetPixelFormat(astiav.FindPixelFormatByName(format))
	if err := f.AllocBuffer(0); err != nil {
		t.Fatal(err)
	}
	if err := f.ImageFillBlack(); err != nil {
		t.Fatal(err)
	}
	l.put(f)
	return f
}

func newTestBurner(t testing.TB, list ...ladders.Overlay) *burner {
	t.Helper()
	b, err := newBurner(media.Spec{Job: "t", Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Logos: map[string][]byte{"flag.png": flag(t)}}, &ladders.Picture{Overlays: list})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampled is Y, Cb, Cr of a picture at a pixel, brought to 4:4:4 by libav.
func sampled(t *testing.T, f *astiav.Frame, x, y int) (out [3]int) {
	t.Helper()
	format := "yuv444p"
	if bitDepth(f.PixelFormat()) > 8 {
		format += "10le"
	}
	g, err := newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, "format="+format, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	err = g.push(f, func(f *astiav.Frame) error {
		data, err := frameBytes(f)
		n, i := f.Width()*f.Height(), y*f.Width()+x
		for c := range out {
			if bitDepth(f.PixelFormat()) == 8 {
				out[c] = int(data[c*n+i])
			} else {
				out[c] = int(data[2*(c*n+i)]) | int(data[2*(c*n+i)+1])<<8
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every form of picture that decoders give is drawn on, in its own colours. For
// those that are not BT.709 the farm's own conversion by zimg says what they are.
func TestOverlaysHaveTheColoursOfThePicture(t *testing.T) {
	sdr, sd := look{bt709, bt709, bt709, false}, look{bt601of625, bt709, bt601of625, false}
	full, hdr10, hlg := look{bt709, bt709, bt709, true}, target(ladders.PQ), target(ladders.HLG)
	rgbLook := look{bt709, bt709, rgbMatrix, true}
	for _, c := range []struct {
		format     string
		look       look
		white, red [3]int
	}{
		{"yuv420p", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuv422p", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuv444p", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuv420p10le", sdr, [3]int{940, 512, 512}, [3]int{250, 409, 960}},
		{"yuv422p10le", sdr, [3]int{940, 512, 512}, [3]int{250, 409, 960}},
		{"yuvj420p", full, [3]int{255, 128, 128}, [3]int{54, 99, 255}},
		{"yuv420p", sd, [3]int{235, 128, 128}, [3]int{80, 91, 237}},
		{"nv12", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuv411p", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"uyvy422", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"p010le", sdr, [3]int{940, 512, 512}, [3]int{250, 409, 960}},
		{"gray", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"rgb24", rgbLook, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"gbrp", rgbLook, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuva420p", sdr, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"yuv420p10le", hdr10, zimgPQ(t, 1), zimgPQ(t, 0)},
		// By BT.2100; zimg bends each component by itself, which makes red paler.
		{"yuv420p10le", hlg, [3]int{721, 512, 512}, [3]int{392, 395, 715}},
	} {
		f := blank(t, 320, 180, c.format, c.look)
		before, err := frameBytes(f)
		if err != nil {
			t.Fatal(err)
		}
		b := newTestBurner(t, flagInTheMiddle)
		out, fresh, err := b.of(f, 7)
		if err != nil || !fresh {
			t.Fatalf("%s: %v", c.format, err)
		}
		if same, again, _ := b.of(f, 8); again || same != out {
			t.Errorf("%s: what does not change is drawn again", c.format)
		}
		// The logo is 96x48 from 112, 66.
		tolerance := 2
		if bitDepth(out.PixelFormat()) > 8 {
			tolerance = 4
		}
		if c.look.hdr() {
			tolerance = 8
		}
		for _, at := range []struct {
			x    int
			want [3]int
		}{{128, c.red}, {160, c.white}} {
			got := sampled(t, out, at.x, 90)
			for i := range got {
				if d := got[i] - at.want[i]; d < -tolerance || d > tolerance {
					t.Errorf("%s %+v: %v, want %v", c.format, c.look, got, at.want)
					break
				}
			}
		}
		// What is grey alone is of full range to libav, whatever it says.
		if black := sampled(t, out, 192, 90); c.format != "gray" && (black[0] > 70 || black[0] > 20 && bitDepth(out.PixelFormat()) == 8) {
			t.Errorf("%s: %v where the logo is see-through", c.format, black)
		}
		after, err := frameBytes(f)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, after) {
			t.Errorf("%s: the picture itself was written", c.format)
		}
		b.close()
		f.Free()
	}
}

// zimgPQ is the flag's red (0) or white (1) in PQ as the farm's own conversion
// of pictures makes it.
func zimgPQ(t *testing.T, column int) (out [3]int) {
	t.Helper()
	f := blank(t, 320, 180, "yuv420p", target(ladders.SDR))
	defer f.Free()
	b := newTestBurner(t, flagInTheMiddle)
	defer b.close()
	drawn, _, err := b.of(f, 0)
	if err != nil {
		t.Fatal(err)
	}
	v := newView(ladders.PQ)
	defer v.close()
	v.depth = 10
	if drawn, err = v.of(drawn); err != nil {
		t.Fatal(err)
	}
	return sampled(t, drawn, 128+32*column, 90)
}

// Without overlays nothing is copied.
func TestWithoutOverlaysPicturesPass(t *testing.T) {
	f := blank(t, 320, 180, "yuv420p", target(ladders.SDR))
	defer f.Free()
	b, err := newBurner(media.Spec{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, fresh, err := b.of(f, 3); out != f || fresh || err != nil {
		t.Errorf("%v %v %v", out, fresh, err)
	}
}

func TestAMissingLogoIsSaid(t *testing.T) {
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, burnt(small("v"), flagInTheMiddle))
	p := open(t, Options{Spec: spec, Output: newCollector()})
	wantError(t, p.Run(t.Context()), media.EncoderError, "flag.png")
}

// What it costs to copy a 1080p picture and to lay a logo and a running line over it.
func BenchmarkBurn1080p(b *testing.B) {
	for _, format := range []string{"yuv420p", "yuv420p10le"} {
		b.Run(format, func(b *testing.B) {
			f := blank(b, 1920, 1080, format, target(ladders.SDR))
			defer f.Free()
			burn := newTestBurner(b, ladders.Overlay{Logo: "flag.png", At: "top-right", Width: 1200, Margin: 500, Opacity: 8000}, ladders.Overlay{Text: "REPLAY {timecode}", At: "bottom-left", Height: 500, Margin: 500, Opacity: 10000})
			defer burn.close()
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for n := range b.N {
				if _, _, err := burn.of(f, int64(n)); err != nil {
					b.Fatal(err)
				}
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}
