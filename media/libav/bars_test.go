package libav

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/asticode/go-astiav"
)

// rgb3 is a colour, 0 to 1.
type rgb3 [3]float64

// bars are the columns of the clips that colours are checked with: greys, what
// a face looks like, and colours as strong as all gamuts hold: zimg cuts off what
// lies outside of one (seen with AVX2), and the clip would not show them.
func bars() []rgb3 {
	var out []rgb3
	for _, c := range [][3]float64{{235, 235, 235}, {128, 128, 128}, {46, 46, 46}, {191, 70, 70}, {70, 191, 70}, {70, 70, 191}, {191, 191, 70}, {200, 150, 125}} {
		out = append(out, rgb3{c[0] / 255, c[1] / 255, c[2] / 255})
	}
	return out
}

// ffmpegTool is the program of the same FFmpeg, which makes clips for tests.
func ffmpegTool(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GALA_FFMPEG")
	if dir == "" {
		out, err := exec.Command("../../tools/setup/ffmpeg.sh", "--prefix").Output()
		if err != nil {
			t.Fatal(err)
		}
		dir = strings.TrimSpace(string(out))
	}
	name := filepath.Join(dir, "bin", "ffmpeg")
	if _, err := os.Stat(name); err != nil {
		t.Skip("NO FFMPEG PROGRAM: `make deps` builds it")
	}
	return name
}

// barsClip makes a clip of half a second of bars: through filter, encoded by args.
func barsClip(t *testing.T, name string, w, h int, filter string, args ...string) string {
	t.Helper()
	all := bars()
	frame := make([]byte, 0, 3*w*h)
	for range h {
		for x := range w {
			for _, v := range all[x*len(all)/w] {
				frame = append(frame, byte(math.Round(255*v)))
			}
		}
	}
	file := filepath.Join(t.TempDir(), name)
	in := []string{"-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", strconv.Itoa(w) + "x" + strconv.Itoa(h), "-r", "25", "-i", "-",
		"-vf", "setparams=color_primaries=bt709:color_trc=bt709:range=pc,format=gbrp," + filter}
	cmd := exec.Command(ffmpegTool(t), append(append(in, args...), "-y", file)...)
	cmd.Stdin = bytes.NewReader(bytes.Repeat(frame, 12))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return file
}

// barsOf reads the middle of every bar of a 4:2:0 picture as Y, Cb and Cr, 0 to 1
// and -½ to ½, by limited range.
func barsOf(t *testing.T, f *astiav.Frame) []rgb3 {
	t.Helper()
	data, err := frameBytes(f)
	if err != nil {
		t.Fatal(err)
	}
	w, h, depth := f.Width(), f.Height(), bitDepth(f.PixelFormat())
	sample := func(at int) float64 {
		if depth == 8 {
			return float64(data[at])
		}
		return float64(int(data[2*at])|int(data[2*at+1])<<8) / float64(int(1)<<(depth-8))
	}
	n := len(bars())
	var out []rgb3
	for i := range n {
		x, y := (2*i+1)*w/(2*n), h/2
		c := w*h + y/2*(w/2) + x/2
		out = append(out, rgb3{(sample(y*w+x) - 16) / 219, (sample(c) - 128) / 224, (sample(c+w*h/4) - 128) / 224})
	}
	return out
}

// toRGB is Y, Cb, Cr by the luma weights of red and blue.
func (c rgb3) toRGB(kr, kb float64) rgb3 {
	r, b := c[0]+2*(1-kr)*c[2], c[0]+2*(1-kb)*c[1]
	return rgb3{r, (c[0] - kr*r - kb*b) / (1 - kr - kb), b}
}

func (c rgb3) each(f func(float64) float64) rgb3 { return rgb3{f(c[0]), f(c[1]), f(c[2])} }

// The transfer functions by their standards: BT.1886, ST 2084 and BT.2100 with
// a display of 1000 cd/m²; light of 1 is reference white. HLG's system gamma is
// taken channel by channel, as the clips are made: strong colours differ a
// little from BT.2100, which takes it of the luminance; greys do not.
func sdrToLight(v float64) float64   { return math.Pow(max(v, 0), 2.4) }
func sdrFromLight(v float64) float64 { return math.Pow(max(v, 0), 1/2.4) }

func pqToLight(v float64) float64 {
	const m1, m2, c1, c2, c3 = 2610.0 / 16384, 2523.0 / 32, 3424.0 / 4096, 2413.0 / 128, 2392.0 / 128
	p := math.Pow(max(v, 0), 1/m2)
	return 10000 / 203.0 * math.Pow(max(p-c1, 0)/(c2-c3*p), 1/m1)
}

func hlgToLight(v float64) float64 {
	const a, b, c = 0.17883277, 0.28466892, 0.55991073
	scene := max(v, 0) * v / 3
	if v > 0.5 {
		scene = (math.Exp((v-c)/a) + b) / 12
	}
	return 1000 / 203.0 * math.Pow(scene, 1.2)
}

// from2020 is light of BT.2020's primaries in those of BT.709 (BT.2407).
func from2020(c rgb3) rgb3 {
	return rgb3{
		1.6605*c[0] - 0.5876*c[1] - 0.0728*c[2],
		-0.1246*c[0] + 1.1329*c[1] - 0.0083*c[2],
		-0.0182*c[0] - 0.1006*c[1] + 1.1187*c[2],
	}
}

// toneMapped is what the tone curve makes of light whose peak is at peak: below
// 0.3 nothing, above it a hyperbola that reaches 1 at the peak.
func toneMapped(c rgb3, peak float64) rgb3 {
	const j = 0.3
	sig := max(c[0], c[1], c[2])
	if sig <= j {
		return c
	}
	a := -j * j * (peak - 1) / (j*j - 2*j + peak)
	b := (j*j - 2*j*peak + peak) / (peak - 1)
	scale := (b*b + 2*b*j + j*j) / (b - a) * (sig + a) / (sig + b) / sig
	return c.each(func(v float64) float64 { return v * scale })
}

// wantBars compares colours, in 255ths.
func wantBars(t *testing.T, got, want []rgb3, tolerance float64) {
	t.Helper()
	worst := 0.0
	for i := range want {
		for k := range 3 {
			off := 255 * math.Abs(got[i][k]-want[i][k])
			worst = max(worst, off)
			if off > tolerance || math.IsNaN(off) {
				t.Errorf("bar %d is %.0f, want %.0f", i, got[i].each(in255), want[i].each(in255))
				break
			}
		}
	}
	t.Logf("worst difference %.1f of 255", worst)
}

func in255(v float64) float64 { return 255 * v }
