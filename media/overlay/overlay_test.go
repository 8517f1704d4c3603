package overlay

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

var (
	red   = color.NRGBA{255, 0, 0, 255}
	white = color.NRGBA{255, 255, 255, 255}
)

func hd() Format {
	return Format{Width: 1920, Height: 1080, ChromaX: true, ChromaY: true, BetweenY: true, Depth: 8, Primaries: 1, Transfer: 1, Matrix: 1}
}

func logo(at ladders.Place, width, margin ladders.Percent) ladders.Overlay {
	return ladders.Overlay{Logo: "l", At: at, Width: width, Margin: margin, Opacity: 10000}
}

func text(s string) ladders.Overlay {
	return ladders.Overlay{Text: s, At: "bottom-left", Height: 500, Margin: 500, Opacity: 10000}
}

// halves is red at the left and white at the right.
func halves(w, h int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, red)
		if i%w >= w/2 {
			img.Set(i%w, i/w, white)
		}
	}
	return img
}

func plain(w, h int, c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, c)
	}
	return img
}

// canvas is a picture of one value in every plane.
type canvas struct {
	f      Format
	planes [3][]byte
	stride [3]int
	lines  [3]int
}

func newCanvas(f Format, value int) *canvas {
	c := &canvas{f: f}
	for i := range c.planes {
		w, h := f.Width, f.Height
		if i > 0 && f.ChromaX {
			w = (w + 1) / 2
		}
		if i > 0 && f.ChromaY {
			h = (h + 1) / 2
		}
		c.stride[i], c.lines[i] = w, h
		if f.Depth > 8 {
			c.stride[i] *= 2
		}
		c.planes[i] = make([]byte, c.stride[i]*h)
		for j := range c.planes[i] {
			switch {
			case f.Depth == 8:
				c.planes[i][j] = byte(value)
			case j%2 == 0:
				c.planes[i][j], c.planes[i][j+1] = byte(value), byte(value>>8)
			}
		}
	}
	return c
}

func (c *canvas) draw(b *Board, n int64) {
	for _, p := range b.Plates(n) {
		for i := range p.Planes {
			p.Planes[i].Draw(c.planes[i], c.stride[i], c.f.Depth)
		}
	}
}

// sample is Y, Cb and Cr at a pixel.
func (c *canvas) sample(x, y int) (out [3]int) {
	for i, p := range c.planes {
		px, py := x, y
		if i > 0 && c.f.ChromaX {
			px /= 2
		}
		if i > 0 && c.f.ChromaY {
			py /= 2
		}
		if c.f.Depth == 8 {
			out[i] = int(p[py*c.stride[i]+px])
		} else {
			out[i] = int(p[py*c.stride[i]+2*px]) | int(p[py*c.stride[i]+2*px+1])<<8
		}
	}
	return out
}

func board(t testing.TB, f Format, img image.Image, list ...ladders.Overlay) *Board {
	t.Helper()
	b, err := New(f, list, Logos{"l": img}, Words{Job: "derby", Rate: timeline.Rate{Num: 25, Den: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBox(t *testing.T) {
	portrait, sd, tiny := hd(), hd(), hd()
	portrait.Width, portrait.Height = 1080, 1920
	sd.Width, sd.Height, sd.SARNum, sd.SARDen = 720, 576, 64, 45 // 16:9
	tiny.Width, tiny.Height = 16, 9
	byHeight := ladders.Overlay{At: "bottom-left", Height: 1000, Margin: 500}
	for _, c := range []struct {
		name  string
		f     Format
		o     ladders.Overlay
		shape float64
		want  image.Rectangle
	}{
		{"top right", hd(), logo("top-right", 1200, 500), 2, image.Rect(1594, 54, 1824, 169)},
		{"middle", hd(), logo("middle", 1000, 0), 1, image.Rect(864, 444, 1056, 636)},
		{"by its height", hd(), byHeight, 3, image.Rect(96, 918, 420, 1026)},
		{"portrait, by its height", portrait, byHeight, 3, image.Rect(54, 1716, 378, 1824)},
		{"portrait", portrait, logo("top-right", 1200, 500), 2, image.Rect(896, 96, 1026, 161)},
		{"pixels that are wide", sd, logo("top-left", 1000, 0), 1, image.Rect(0, 0, 72, 102)},
		{"whole picture", hd(), logo("middle", 10000, 0), 16.0 / 9, image.Rect(0, 0, 1920, 1080)},
		{"too high", hd(), logo("right", 5000, 500), 0.1, image.Rect(1727, 54, 1824, 1026)},
		{"hardly a picture", tiny, logo("bottom-right", 100, 500), 10, image.Rect(14, 8, 15, 9)},
	} {
		if got := box(c.f, c.o, c.shape); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// anyFormat draws pictures of all kinds, the smallest among them.
func anyFormat(t *rapid.T) Format {
	side := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, 300))
	f := Format{
		Width: side.Draw(t, "w"), Height: side.Draw(t, "h"), SARNum: rapid.IntRange(0, 64).Draw(t, "sar"), SARDen: rapid.IntRange(0, 64).Draw(t, "sard"),
		ChromaX: rapid.Bool().Draw(t, "cx"), BetweenX: rapid.Bool().Draw(t, "bx"), BetweenY: rapid.Bool().Draw(t, "by"), Depth: rapid.SampledFrom([]int{8, 10, 12, 16}).Draw(t, "depth"),
		Primaries: rapid.SampledFrom([]int{1, 2, 5, 6, 9}).Draw(t, "primaries"), Transfer: rapid.SampledFrom([]int{1, 16, 18}).Draw(t, "transfer"), Matrix: rapid.SampledFrom([]int{1, 6, 9}).Draw(t, "matrix"),
		Full: rapid.Bool().Draw(t, "full"),
	}
	f.ChromaY = f.ChromaX && rapid.Bool().Draw(t, "cy")
	return f
}

// Whatever is asked for, it is drawn within the picture: a sample outside would
// be an index out of range here.
func TestAnythingFits(t *testing.T) {
	img := halves(40, 20)
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormat(t)
		list := []ladders.Overlay{
			logo(rapid.SampledFrom(ladders.Places()).Draw(t, "at"), ladders.Percent(rapid.IntRange(100, 10000).Draw(t, "width")), ladders.Percent(rapid.IntRange(0, 4000).Draw(t, "margin"))),
			text(rapid.SampledFrom([]string{"i", "REPLAY {timecode}", "{job}", "Ж", "   ."}).Draw(t, "text")),
		}
		list[1].At, list[1].Height = rapid.SampledFrom(ladders.Places()).Draw(t, "place"), ladders.Percent(rapid.IntRange(100, 10000).Draw(t, "height"))
		list[1].Margin = list[0].Margin
		b, err := New(f, list, Logos{"l": img}, Words{Job: "derby", Rate: timeline.Rate{Num: 25, Den: 1}})
		if err != nil {
			t.Fatal(err)
		}
		c := newCanvas(f, 1<<(f.Depth-1))
		c.draw(b, 0)
		c.draw(b, rapid.Int64Range(0, 1e12).Draw(t, "n"))
		for i, p := range c.planes {
			for j := 1; f.Depth > 8 && j < len(p); j += 2 {
				if v := int(p[j-1]) | int(p[j])<<8; v >= 1<<f.Depth {
					t.Fatalf("plane %d has the value %d of %d bits", i, v, f.Depth)
				}
			}
		}
	})
}

func TestColours(t *testing.T) {
	const pq, hlg = 16, 18
	for _, c := range []struct {
		name                        string
		primaries, transfer, matrix int
		depth                       int
		full                        bool
		white, red                  [3]int
	}{
		{"BT.709", 1, 1, 1, 8, false, [3]int{235, 128, 128}, [3]int{63, 102, 240}},
		{"BT.709, 10 bits", 1, 1, 1, 10, false, [3]int{940, 512, 512}, [3]int{250, 409, 960}},
		{"BT.709, full range", 1, 1, 1, 8, true, [3]int{255, 128, 128}, [3]int{54, 99, 255}},
		{"BT.601 of 625 lines", 5, 1, 5, 8, false, [3]int{235, 128, 128}, [3]int{79, 91, 236}},
		{"BT.2020", 9, 14, 9, 10, false, [3]int{940, 512, 512}, [3]int{458, 384, 739}},
		{"PQ", 9, pq, 9, 10, false, [3]int{572, 512, 512}, [3]int{392, 438, 608}},
		{"HLG", 9, hlg, 9, 10, false, [3]int{721, 512, 512}, [3]int{392, 395, 715}},
	} {
		for name, want := range map[string][3]int{"white": c.white, "red": c.red} {
			f := hd()
			f.Primaries, f.Transfer, f.Matrix, f.Depth, f.Full = c.primaries, c.transfer, c.matrix, c.depth, c.full
			img := plain(8, 8, white)
			if name == "red" {
				img = plain(8, 8, red)
			}
			pic := newCanvas(f, 100)
			pic.draw(board(t, f, img, logo("middle", 1000, 0)), 0)
			got := pic.sample(960, 540)
			for i := range got {
				if math.Abs(float64(got[i]-want[i])) > float64(int(2)<<(c.depth-8)) {
					t.Errorf("%s: %s is %v, want %v", c.name, name, got, want)
					break
				}
			}
		}
	}
}

func TestLogosLieOverThePicture(t *testing.T) {
	o := logo("middle", 1000, 0) // 192x96 from 864, 492
	o.Opacity = 5000
	pic := newCanvas(hd(), 100)
	pic.draw(board(t, hd(), halves(40, 20), o), 0)
	for _, c := range []struct {
		x, y int
		want [3]int
	}{
		{860, 500, [3]int{100, 100, 100}},
		{900, 540, [3]int{(100 + 63) / 2, 101, 170}},
		{1020, 540, [3]int{(100 + 235) / 2, 114, 114}},
		{1058, 500, [3]int{100, 100, 100}},
		{900, 590, [3]int{100, 100, 100}},
	} {
		got := pic.sample(c.x, c.y)
		for i := range got {
			if d := got[i] - c.want[i]; d < -1 || d > 1 {
				t.Errorf("at %d,%d: %v, want %v", c.x, c.y, got, c.want)
				break
			}
		}
	}
}

// Chroma is halved where it lies, and what covers the whole picture leaves none
// of it at any edge.
func TestChromaIsCoveredToTheEdge(t *testing.T) {
	for _, size := range [][2]int{{64, 36}, {63, 35}, {1, 1}, {2, 2}} {
		for i := range 16 {
			f := hd()
			f.Width, f.Height = size[0], size[1]
			f.ChromaX, f.ChromaY, f.BetweenX, f.BetweenY = i&1 != 0, i&1 != 0 && i&2 != 0, i&4 != 0, i&8 != 0
			o := ladders.Overlay{Logo: "l", At: "middle", Width: 10000, Opacity: 10000}
			pic := newCanvas(f, 100)
			pic.draw(board(t, f, plain(f.Width, f.Height, red), o), 0)
			for y := range f.Height {
				for x := range f.Width {
					if got := pic.sample(x, y); got != [3]int{63, 102, 240} {
						t.Fatalf("%+v: %v at %d,%d", f, got, x, y)
					}
				}
			}
		}
	}
}

func TestTimecode(t *testing.T) {
	day := int64(1_784_505_599) // 23:59:59 of some day
	for _, c := range []struct {
		num, den int64
		ofDay    bool
		n        int64
		want     string
	}{
		{25, 1, false, 0, "00:00:00:00"}, {25, 1, false, 24, "00:00:00:24"}, {25, 1, false, 25, "00:00:01:00"},
		{50, 1, false, 50*3600 + 7, "01:00:00:07"}, {25, 1, false, 25 * 3600 * 101, "101:00:00:00"},
		{30000, 1001, false, 29, "00:00:00:29"}, {30000, 1001, false, 30, "00:00:01:00"}, {30000, 1001, false, 107893, "01:00:00:00"}, {30000, 1001, false, 107892, "00:59:59:29"},
		{120, 1, false, 119, "00:00:00:119"}, {100, 1, false, 99, "00:00:00:99"}, {25, 2, false, 13, "00:00:01:00"},
		{25, 1, true, day*25 + 3, "23:59:59:03"}, {25, 1, true, (day + 1) * 25, "00:00:00:00"}, {60000, 1001, true, 0, "00:00:00:00"},
	} {
		w := Words{Rate: timeline.Rate{Num: c.num, Den: c.den}, OfDay: c.ofDay}
		if got := w.timecode(c.n); got != c.want {
			t.Errorf("frame %d at %d/%d: %s, want %s", c.n, c.num, c.den, got, c.want)
		}
	}
	for _, r := range []timeline.Rate{{Num: 24000, Den: 1001}, {Num: 30000, Den: 1001}, {Num: 60000, Den: 1001}, {Num: 15, Den: 2}} {
		w, last := Words{Rate: r}, ""
		for n := range int64(20000) {
			if s := w.timecode(n); s <= last {
				t.Fatalf("%s: frame %d is %s, after %s", r, n, s, last)
			} else {
				last = s
			}
		}
	}
}

// Text is white with a dark edge: it stands out against anything.
func TestTextIsLegible(t *testing.T) {
	for _, height := range []int{144, 240, 1080} {
		for _, ground := range []int{16, 126, 235} {
			f := hd()
			f.Width, f.Height = height*16/9, height
			pic := newCanvas(f, ground)
			pic.draw(board(t, f, nil, text("REPLAY {timecode}")), 0)
			low, high := slices.Min(pic.planes[0]), slices.Max(pic.planes[0])
			if high < 220 || low > 60 {
				t.Errorf("%d lines on %d: luma from %d to %d", height, ground, low, high)
			}
		}
	}
}

func TestEveryFrameHasItsOwnNumber(t *testing.T) {
	b, again := board(t, hd(), nil, text("{job} {timecode}")), board(t, hd(), nil, text("{job} {timecode}"))
	if !b.Runs() || board(t, hd(), nil, text("{job}")).Runs() {
		t.Error("what runs is not told from what stands")
	}
	var seen [][]byte
	for _, n := range []int64{0, 1, 10, 2_500_000, 1} {
		one, two := newCanvas(hd(), 126), newCanvas(hd(), 126)
		one.draw(b, n)
		two.draw(again, n)
		if !bytes.Equal(one.planes[0], two.planes[0]) {
			t.Errorf("frame %d is drawn in two ways", n)
		}
		if n != 1 || len(seen) == 1 {
			for _, s := range seen {
				if bytes.Equal(s, one.planes[0]) {
					t.Errorf("frame %d looks like another", n)
				}
			}
		} else if !bytes.Equal(seen[1], one.planes[0]) {
			t.Error("frame 1 looks another the second time")
		}
		seen = append(seen, one.planes[0])
	}
}

// Long lines become smaller, and the digits that run move nothing else.
func TestLinesFit(t *testing.T) {
	f := hd()
	f.Width, f.Height = 416, 234
	o := text(strings.Repeat("W", 80))
	p := board(t, f, nil, o).Plates(0)
	if r := p[0].Planes[0].Rect; r.Min.X < 17 || r.Max.X > 400 {
		t.Errorf("a long line reaches from %d to %d of 416", r.Min.X, r.Max.X)
	}
	b := board(t, hd(), nil, text("{timecode}"))
	first := b.Plates(0)[0].Planes[0].Rect
	for n := range int64(100) {
		if r := b.Plates(n)[0].Planes[0].Rect; r.Dy() != first.Dy() || max(r.Max.X-first.Max.X, first.Max.X-r.Max.X) > 4 {
			t.Fatalf("frame %d is drawn in %v, the first in %v", n, r, first)
		}
	}
}

func pngOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsNoLogo(t *testing.T) {
	good := pngOf(t, halves(4, 4))
	for says, b := range map[string][]byte{
		"want a PNG file": []byte("GIF89a"), "damaged PNG": good[:len(good)-20], "all of it is transparent": pngOf(t, plain(4, 4, color.NRGBA{})),
		"want at most 4096 pixels a side": pngOf(t, plain(5000, 1, red)), "it has 300000 bytes, want at most 262144": make([]byte, 300000),
	} {
		if _, err := ReadLogo(b); !errors.Is(err, ErrLogo) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	l := &ladders.Ladder{Overlays: []ladders.Overlay{{Logo: "a"}, {Text: "b"}, {Logo: "a"}}}
	for says, logos := range map[string]map[string][]byte{
		"does not bring a": nil, "brings 2 files, the ladder names 1": {"a": good, "b": good}, "": {"a": good},
	} {
		if err := CheckLogos(l, logos); says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func BenchmarkTimecodeOfA1080pFrame(b *testing.B) {
	board, pic := board(b, hd(), nil, text("REPLAY {timecode}")), newCanvas(hd(), 126)
	for n := range b.N {
		pic.draw(board, int64(n))
	}
}

func BenchmarkLogoOfA1080pFrame(b *testing.B) {
	board, pic := board(b, hd(), halves(400, 200), logo("top-right", 1200, 500)), newCanvas(hd(), 126)
	for n := range b.N {
		pic.draw(board, int64(n))
	}
}
