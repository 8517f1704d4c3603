package card

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rates = []timeline.Rate{{Num: 24000, Den: 1001}, {Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 50, Den: 1}, {Num: 60000, Den: 1001}}

func newCard(t testing.TB, w, h int, r timeline.Rate) *Card {
	t.Helper()
	c, err := New(w, h, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// when is the time on screen of frame n.
func when(n int64, r timeline.Rate) time.Time {
	return time.UnixMicro(timeline.Rescale(n, timeline.Timebase{Num: r.Den, Den: r.Num}, timeline.Timebase{Num: 1, Den: 1_000_000}))
}

// The number on the strip is the frame's, on any size of card, and still after
// a ladder made the picture smaller.
func TestStripReadsBack(t *testing.T) {
	sizes := [][2]int{{160, 90}, {176, 144}, {320, 180}, {426, 240}, {640, 360}, {360, 640}, {855, 481}}
	cards := map[[2]int]*Card{}
	for _, s := range sizes {
		cards[s] = newCard(t, s[0], s[1], rates[0])
	}
	rapid.Check(t, func(t *rapid.T) {
		c := cards[rapid.SampledFrom(sizes).Draw(t, "size")]
		n := rapid.Int64Range(0, 1<<40).Draw(t, "n")
		img := c.Frame(n, when(n, c.Rate))
		wantNumber(t, img.Y, img.YStride, c.Width, c.Height, n)
		w, h := rapid.IntRange(160, c.Width).Draw(t, "w"), rapid.IntRange(90, c.Height).Draw(t, "h")
		wantNumber(t, shrink(img, w, h), w, w, h, n)
	})
}

func TestStripAtTheBottomOfALadder(t *testing.T) {
	c := newCard(t, 1920, 1080, rates[4])
	for n := int64(1_000_000_000_000); n < 1_000_000_000_008; n++ {
		img := c.Frame(n, when(n, c.Rate))
		for _, s := range [][2]int{{1280, 720}, {640, 360}, {426, 240}, {256, 144}} {
			wantNumber(t, shrink(img, s[0], s[1]), s[0], s[0], s[1], n)
		}
	}
}

func wantNumber(t interface{ Fatalf(string, ...any) }, luma []byte, stride, w, h int, n int64) {
	if got, ok := Read(luma, stride, w, h); !ok || got != uint32(n) {
		t.Fatalf("%dx%d: frame %d reads as %d, %v", w, h, uint32(n), got, ok)
	}
}

// shrink is the luma at another size, each pixel the mean of its box.
func shrink(img *image.YCbCr, w, h int) []byte {
	out := make([]byte, w*h)
	W, H := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		for x := range w {
			sum, n := 0, 0
			for sy := y * H / h; sy < max((y+1)*H/h, y*H/h+1); sy++ {
				for sx := x * W / w; sx < max((x+1)*W/w, x*W/w+1); sx++ {
					sum, n = sum+int(img.Y[sy*img.YStride+sx]), n+1
				}
			}
			out[y*w+x] = byte(sum / n)
		}
	}
	return out
}

// What is no strip is not read as one.
func TestReadRefusesOtherPictures(t *testing.T) {
	c := newCard(t, 640, 360, rates[1])
	img := c.Frame(7, when(7, c.Rate))
	for name, spoil := range map[string]func([]byte){
		"grey":         func(y []byte) { fillBytes(y, 128) },
		"black":        func(y []byte) { fillBytes(y, 16) },
		"one bit":      func(y []byte) { fillBytes(y[20*640:][:0], 0); flipCell(y, 640, 30) },
		"no end mark":  func(y []byte) { flipCell(y, 640, stripCells-2) },
		"no start":     func(y []byte) { flipCell(y, 640, 0) },
		"upside down":  func(y []byte) { reverse(y) },
		"faint cells":  func(y []byte) { faint(y) },
		"end not dark": func(y []byte) { flipCell(y, 640, stripCells-1) },
	} {
		luma := bytes.Clone(img.Y)
		spoil(luma)
		if n, ok := Read(luma, 640, 640, 360); ok {
			t.Errorf("%s: read %d", name, n)
		}
	}
	if _, ok := Read(img.Y, 640, 80, 15); ok {
		t.Error("read a picture too small for a strip")
	}
}

func fillBytes(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

func flipCell(luma []byte, w, i int) {
	x0, x1 := cell(w, i)
	for y := range 36 {
		for x := x0; x < x1; x++ {
			luma[y*w+x] = 251 - luma[y*w+x]
		}
	}
}

func reverse(b []byte) {
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
}

func faint(b []byte) {
	for i := range b {
		b[i] = 100 + b[i]/4
	}
}

// The same number paints the same picture: by another card, over any picture,
// with any stride.
func TestFrameIsAPureFunction(t *testing.T) {
	a, b := newCard(t, 322, 184, rates[2]), newCard(t, 322, 184, rates[2])
	for _, n := range []int64{0, 1, 29, 30, 31, 1 << 33, 53_000_000_011} {
		at := when(n, a.Rate)
		want := a.Frame(n, at)
		a.Frame(n+1, at) // whatever was painted before
		wide := image.NewYCbCr(image.Rect(0, 0, 400, 200), image.YCbCrSubsampleRatio420)
		fillBytes(wide.Y, 77)
		part := wide.SubImage(image.Rect(0, 0, 322, 184)).(*image.YCbCr)
		b.Paint(part, n, at.In(time.FixedZone("", 3600)))
		for y := range 184 {
			if !bytes.Equal(want.Y[want.YOffset(0, y):][:322], part.Y[part.YOffset(0, y):][:322]) ||
				!bytes.Equal(want.Cb[want.COffset(0, y):][:161], part.Cb[part.COffset(0, y):][:161]) ||
				!bytes.Equal(want.Cr[want.COffset(0, y):][:161], part.Cr[part.COffset(0, y):][:161]) {
				t.Fatalf("frame %d differs in line %d", n, y)
			}
		}
	}
}

// Every frame looks different from its neighbour: bar and hand both move.
func TestEveryFrameMoves(t *testing.T) {
	for _, r := range rates {
		c := newCard(t, 640, 360, r)
		lane := image.Rect(0, c.places.lane.Min.Y, c.Width, c.places.lane.Max.Y)
		for n := int64(1000); n < 1130; n++ {
			a, b := c.Frame(n, when(n, r)), c.Frame(n+1, when(n+1, r))
			for name, area := range map[string]image.Rectangle{"bar": lane, "hand": c.places.dial} {
				if sameLuma(a, b, area) {
					t.Fatalf("%v fps: the %s stands still from frame %d to the next", r, name, n)
				}
			}
		}
	}
}

func sameLuma(a, b *image.YCbCr, r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		if !bytes.Equal(a.Y[a.YOffset(r.Min.X, y):][:r.Dx()], b.Y[b.YOffset(r.Min.X, y):][:r.Dx()]) {
			return false
		}
	}
	return true
}

// The hand points up when a second begins and turns clockwise, evenly.
func TestHandTurns(t *testing.T) {
	for _, r := range rates {
		c := newCard(t, 320, 180, r)
		for s := int64(1_800_000_000); s < 1_800_000_003; s++ {
			first := c.firstFrame(s)
			last := c.firstFrame(s + 1)
			before := 0.0
			for n := first; n < last; n++ {
				dx, dy := c.turn(n)
				angle := math.Atan2(float64(dx), float64(-dy)) / (2 * math.Pi)
				want := float64(n*r.Den%r.Num) / float64(r.Num)
				if off := math.Mod(angle-want+1.5, 1) - 0.5; want < before || math.Abs(off) > 1e-3 {
					t.Fatalf("%v fps: frame %d points %.4f of a turn away from %.4f", r, n, off, want)
				}
				before = want
			}
		}
	}
}

// The first frame of each second flashes and its beep starts on the very
// sample; both last the same to within a frame.
func TestFlashAndBeepCoincide(t *testing.T) {
	for _, r := range append(rates, timeline.Rate{Num: 120000, Den: 1001}, timeline.Rate{Num: 10, Den: 1}) {
		c := newCard(t, 160, 90, r)
		for _, s := range []int64{0, 1, 2, 3, 1000, 1001, 1_800_000_000, 1_800_000_123} {
			n := c.firstFrame(s)
			if s > 0 && (c.Flash(n-1) || c.second(n-1) != s-1) || !c.Flash(n) || c.second(n) != s {
				t.Errorf("%v fps: second %d does not begin its flash with frame %d", r, s, n)
			}
			frames := int64(0)
			for c.Flash(n + frames) {
				frames++
			}
			onScreen := time.Duration(frames * r.Den * int64(time.Second) / r.Num)
			frame := time.Duration(r.Den * int64(time.Second) / r.Num)
			if onScreen > max(flashLength, frame)+1 || onScreen < flashLength-frame {
				t.Errorf("%v fps: the flash lasts %v", r, onScreen)
			}
			// The exact time of frame n in samples, floored.
			at := timeline.Rescale(n, timeline.Timebase{Num: r.Den, Den: r.Num}, timeline.Timebase{Num: 1, Den: SampleRate * 1000}) / 1000
			if start := c.beepStart(s); start != at {
				t.Errorf("%v fps: the beep of second %d starts at sample %d, its frame at %d", r, s, start, at)
			}
			wantBeep(t, c, c.beepStart(s))
		}
	}
}

// wantBeep checks that sound begins right after the sample at start, which is
// 0 as a sine's first, and ends after flashLength.
func wantBeep(t *testing.T, c *Card, start int64) {
	t.Helper()
	const margin = 500
	first := max(start-margin, 0)
	out := make([]float32, start-first+beepSamples+margin)
	c.Audio(first, out)
	for i, v := range out {
		d := first + int64(i) - start
		loud := d >= 0 && d < beepSamples && d%24 != 0 // a sine crosses zero twice a period
		if loud != (math.Abs(float64(v)) > 1e-3) {
			t.Fatalf("%v fps: sample %d after the beep's start is %v", c.Rate, d, v)
		}
	}
}

// However the samples are asked for, they are the same.
func TestAudioIsAPureFunction(t *testing.T) {
	c := newCard(t, 160, 90, rates[2])
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 1_800_000_000*SampleRate).Draw(t, "from")
		whole := make([]float32, 3*SampleRate)
		c.Audio(from, whole)
		cut := rapid.IntRange(1, len(whole)-1).Draw(t, "cut")
		parts := make([]float32, len(whole))
		fillFloats(parts, 9) // Audio overwrites
		c.Audio(from, parts[:cut])
		c.Audio(from+int64(cut), parts[cut:])
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("sample %d cut at %d: %v, want %v", i, cut, parts[i], whole[i])
			}
		}
	})
}

func fillFloats(f []float32, v float32) {
	for i := range f {
		f[i] = v
	}
}

func TestFlashLightsItsArea(t *testing.T) {
	for _, s := range [][2]int{{1280, 720}, {426, 240}, {720, 1280}} {
		c := newCard(t, s[0], s[1], rates[1])
		lit, dark := c.Frame(25, when(25, c.Rate)), c.Frame(24, when(24, c.Rate))
		r := c.FlashArea()
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if lit.YCbCrAt(x, y).Y != lumaWhite || dark.YCbCrAt(x, y).Y > 60 {
					t.Fatalf("%v at %d,%d: lit %d, dark %d", s, x, y, lit.YCbCrAt(x, y).Y, dark.YCbCrAt(x, y).Y)
				}
			}
		}
	}
}

// Nothing lies on anything else, on any shape of card.
func TestNothingOverlaps(t *testing.T) {
	for _, s := range [][2]int{{160, 90}, {320, 240}, {640, 360}, {1280, 720}, {3840, 2160}, {720, 1280}, {1080, 1080}, {2560, 1080}} {
		w, h := s[0], s[1]
		l := arrange(w, h)
		c := newCard(t, w, h, rates[1])
		line := func(f *face, y, chars int) image.Rectangle {
			half := f.advance * chars / 2
			return image.Rect(w/2-half, y-f.ascent*3/4, w/2+half, y+f.ascent/4)
		}
		areas := map[string]image.Rectangle{
			"strip": image.Rect(0, 0, w, h/stripShare), "dial": l.dial, "flash": l.flash, "lane": l.lane, "bars": l.bars, "ramp": l.ramp,
			"clock": line(c.clock, l.clock, 12), "date": line(c.figure, l.date, 18), "frame": line(c.figure, l.frame, 20),
			"heading": image.Rect(l.margin, l.heading-int(l.textSize), w-l.margin, l.heading+int(l.textSize/4)),
		}
		for a, ra := range areas {
			if !ra.In(image.Rect(0, 0, w, h)) {
				t.Errorf("%dx%d: %s at %v leaves the picture", w, h, a, ra)
			}
			for b, rb := range areas {
				if a < b && ra.Overlaps(rb) {
					t.Errorf("%dx%d: %s at %v lies on %s at %v", w, h, a, ra, b, rb)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 1000: "1 000", 53_807_547_013: "53 807 547 013", -1200: "-1 200"} {
		if got := string(appendGrouped(nil, n)); got != want {
			t.Errorf("frame %d reads %q, want %q", n, got, want)
		}
	}
	for _, r := range []struct {
		rate timeline.Rate
		want string
	}{{rates[0], "23.976"}, {rates[1], "25"}, {rates[2], "29.97"}, {rates[4], "59.94"}} {
		if got := rateName(r.rate); got != r.want {
			t.Errorf("%v is called %q, want %q", r.rate, got, r.want)
		}
	}
}

func TestOddAndSmallSizes(t *testing.T) {
	for _, c := range []struct{ w, h, wantW, wantH int }{{1, 1, 160, 90}, {161, 91, 160, 90}, {1281, 721, 1280, 720}} {
		if got := newCard(t, c.w, c.h, rates[1]); got.Width != c.wantW || got.Height != c.wantH {
			t.Errorf("%dx%d became %dx%d", c.w, c.h, got.Width, got.Height)
		}
	}
}

func ExampleRead() {
	c, _ := New(640, 360, timeline.Rate{Num: 25, Den: 1})
	img := c.Frame(1234, time.Unix(49, 360_000_000))
	fmt.Println(Read(img.Y, img.YStride, 640, 360))
	// Output: 1234 true
}

// TestLook writes a picture for a person to look at where GALA_CARD_PNG says.
func TestLook(t *testing.T) {
	path := os.Getenv("GALA_CARD_PNG")
	if path == "" {
		t.Skip("set GALA_CARD_PNG=FILE to see the card")
	}
	c, err := New(1280, 720, timeline.Rate{Num: 30000, Den: 1001})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 20, 15, 0, 0, time.UTC)
	n := at.Unix() * 30000 / 1001
	img := c.Frame(n+61, at.Add(2035*time.Millisecond))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, onScreen(img)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// onScreen is the picture as a screen shows it: BT.709, limited range.
func onScreen(img *image.YCbCr) image.Image {
	out := image.NewRGBA(img.Rect)
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			l := (float64(img.Y[img.YOffset(x, y)]) - 16) / 219
			o := img.COffset(x, y)
			cb, cr := (float64(img.Cb[o])-128)/224, (float64(img.Cr[o])-128)/224
			r, b := l+1.5748*cr, l+1.8556*cb
			g := (l - 0.2126*r - 0.0722*b) / 0.7152
			p := out.Pix[out.PixOffset(x, y):]
			for i, v := range [3]float64{r, g, b} {
				p[i] = uint8(clamp(v) * 255)
			}
			p[3] = 255
		}
	}
	return out
}

func BenchmarkFrame720p(b *testing.B) {
	c, err := New(1280, 720, timeline.Rate{Num: 25, Den: 1})
	if err != nil {
		b.Fatal(err)
	}
	img := image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio420)
	at := time.Unix(1_800_000_000, 0)
	b.ReportAllocs()
	for n := int64(45_000_000_000); b.Loop(); n++ {
		c.Paint(img, n, at)
	}
}
