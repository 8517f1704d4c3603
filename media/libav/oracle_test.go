package libav

import (
	"image"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// waveFile is two seconds of CTA WAVE test content: 25 fps, and in every
// picture a QR code that says which frame it is, from 1 to 50.
const waveFile, waveFrames = "wave_croatia_1080p25_qr.mp4", 50

// waveNumber reads a picture's QR code: "L1;00:00:00.040;0000001;25". It is
// white on black, in one of the quarters of a black square at the left.
func waveNumber(t *testing.T, p picture) int64 {
	t.Helper()
	area := image.Rect(p.w*94/960, p.h*133/540, p.w*366/960, p.h*405/540)
	g := image.NewGray(image.Rect(0, 0, area.Dx(), area.Dy()))
	for y := range area.Dy() {
		for x := range area.Dx() {
			g.Pix[y*g.Stride+x] = 255 - p.luma[(area.Min.Y+y)*p.w+area.Min.X+x]
		}
	}
	text, err := readCode(g)
	if err != nil {
		t.Fatalf("grid frame %d: no QR code: %v", p.index, err)
	}
	fields := strings.Split(text, ";")
	if len(fields) != 4 {
		t.Fatalf("grid frame %d: QR code says %q", p.index, text)
	}
	n, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// readCode reads a QR code of a few pixels a cell. What an encoder's ringing
// hides from one threshold or sampling another still reads.
func readCode(g *image.Gray) (text string, err error) {
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	for scale := 1; scale <= 4; scale++ {
		big := image.NewGray(image.Rect(0, 0, g.Rect.Dx()*scale, g.Rect.Dy()*scale))
		draw.CatmullRom.Scale(big, big.Rect, g, g.Rect, draw.Src, nil)
		source := gozxing.NewLuminanceSourceFromImage(big)
		for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
			var bitmap *gozxing.BinaryBitmap
			if bitmap, err = gozxing.NewBinaryBitmap(binarizer); err != nil {
				return "", err
			}
			var r *gozxing.Result
			if r, err = qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil {
				return r.GetText(), nil
			}
		}
	}
	return "", err
}

// readable is a rendition large enough for QR codes.
func readable(name string) ladders.Rendition {
	r := small(name)
	r.Video.Width, r.Video.Height = 640, 360
	// At a twentieth of these bits codes are blurred beyond reading.
	r.Video.Bitrate, r.Video.Maxrate, r.Video.Bufsize = 4_000_000, 6_000_000, 8_000_000
	return r
}

func waveSpec(t *testing.T, rate timeline.Rate) media.Spec {
	t.Helper()
	return media.Spec{Job: "wave", Input: filepath.Join(mediaDir(t), waveFile), Grid: newGrid(t, rate, 500*time.Millisecond, 1), Renditions: []ladders.Rendition{readable("v"), sound("a")}}
}

func waveNumbers(t *testing.T, out *collector) []int64 {
	t.Helper()
	var all []int64
	for _, p := range pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"]) {
		all = append(all, waveNumber(t, p))
	}
	return all
}

// Every frame of the source is shown once, in order.
func TestWaveFramesOnce(t *testing.T) {
	out, _ := play(t, Options{Spec: waveSpec(t, timeline.Rate{Num: 25, Den: 1})})
	numbers := waveNumbers(t, out)
	if len(numbers) != waveFrames {
		t.Errorf("%d pictures, want %d", len(numbers), waveFrames)
	}
	for i, n := range numbers {
		if n != int64(i+1) {
			t.Fatalf("picture %d shows frame %d of %v", i, n, numbers)
		}
	}
}

// On other grids every frame is shown as often as the grid asks, nearest in time.
func TestWaveOnOtherGrids(t *testing.T) {
	for _, rate := range []timeline.Rate{{Num: 50, Den: 1}, {Num: 30000, Den: 1001}, {Num: 24, Den: 1}} {
		t.Run(rate.String(), func(t *testing.T) {
			out, st := play(t, Options{Spec: waveSpec(t, rate)})
			numbers := waveNumbers(t, out)
			for i, n := range numbers {
				// Grid frame i lies at i/rate; within a source frame of n's time.
				at := float64(i) * float64(rate.Den) / float64(rate.Num) * 25
				if off := at - float64(n-1); off < -1 || off >= 2 || i > 0 && n < numbers[i-1] {
					t.Fatalf("picture %d shows frame %d of %v", i, n, numbers)
				}
			}
			if rate.Num >= 25*rate.Den && len(slices.Compact(slices.Clone(numbers))) != waveFrames {
				t.Errorf("some frames are missing in %v", numbers)
			}
			if want := int64(len(numbers)) - (waveFrames - st.Dropped); st.Doubled != want {
				t.Errorf("%d doubled, %d dropped, %d shown", st.Doubled, st.Dropped, len(numbers))
			}
		})
	}
}

// An interlaced source on a grid of its field rate: every field is a picture of
// its own moment. On its frame rate: one picture a frame.
func TestFieldsBecomePictures(t *testing.T) {
	name := filepath.Join(mediaDir(t), "svt_576i25_tff_mpeg2_mp2.ts")
	// Sound begins 10 ms before the picture: half a frame of lead at 50 fps.
	for _, c := range []struct{ rate, frames, lead int64 }{{50, 251, 1}, {25, 125, 0}} {
		spec := media.Spec{Job: "i", Input: name, Grid: newGrid(t, timeline.Rate{Num: c.rate, Den: 1}, time.Second, 2), Renditions: []ladders.Rendition{small("v")}}
		spec.Renditions[0].Video.Bitrate, spec.Renditions[0].Video.Maxrate, spec.Renditions[0].Video.Bufsize = 3_000_000, 4_000_000, 4_000_000
		out, st := play(t, Options{Spec: spec})
		out.wantRun(t, "v", spec.Grid, 0, c.frames, 1)
		if st.Doubled != c.lead || st.Dropped != 0 {
			t.Errorf("%d fps: %d doubled, %d dropped", c.rate, st.Doubled, st.Dropped)
		}
		var steps []int
		pics := pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"])
		for i := int(c.lead) + 1; i < len(pics)-1; i++ {
			steps = append(steps, difference(pics[i-1], pics[i]))
		}
		slices.Sort(steps)
		if median := steps[len(steps)/2]; steps[0] < median/4 || median == 0 {
			t.Errorf("%d fps: the pan stands still: smallest step %d, median %d", c.rate, steps[0], median)
		}
	}
}

// difference is the sum of absolute luma differences.
func difference(a, b picture) (sum int) {
	for i, v := range a.luma {
		sum += max(int(v)-int(b.luma[i]), int(b.luma[i])-int(v))
	}
	return sum
}

// Pictures stand upright: what was at the top left of the stored picture is
// where a clockwise turn puts it.
func TestRotation(t *testing.T) {
	for _, c := range []struct{ rotation, x, y int }{{0, 0, 0}, {90, 1, 0}, {180, 1, 1}, {270, 0, 1}} {
		f := astiav.AllocFrame()
		f.SetWidth(64)
		f.SetHeight(32)
		f.SetPixelFormat(astiav.PixelFormatYuv420P)
		if err := f.AllocBuffer(0); err != nil {
			t.Fatal(err)
		}
		img := yuv(f)
		for y := range 32 {
			for x := range 64 {
				img.Y[y*img.YStride+x] = 20
				if x < 16 && y < 8 {
					img.Y[y*img.YStride+x] = 220
				}
			}
		}
		f.SetPts(0)
		pre := &preFilter{facts: VideoInfo{Rotation: c.rotation}}
		var got picture
		if err := pre.push(f, timeline.Timebase{Num: 1, Den: 25}, func(f *astiav.Frame) error { got = pictureOf(t, f); return nil }); err != nil {
			t.Fatal(err)
		}
		pre.Close()
		f.Free()
		corner := got.luma[(c.y*(got.h-1))*got.w+c.x*(got.w-1)]
		if portrait := c.rotation%180 != 0; portrait != (got.h > got.w) || corner < 200 {
			t.Errorf("turned by %d: %dx%d, luma %d in the corner", c.rotation, got.w, got.h, corner)
		}
	}
}
