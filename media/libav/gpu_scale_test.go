package libav

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
)

// edges is a picture of all that a scaler finds hard: the brightest beside the
// darkest, in stripes that become finer, over a ramp.
func edges(t *testing.T, format string, w, h int) *astiav.Frame {
	t.Helper()
	f := grey(t, format, w, h)
	deep := bitDepth(f.PixelFormat()) - 8
	for i := range 3 {
		stride, rows, columns := f.Linesize()[i], h, w
		if i > 0 {
			rows, columns = h/2, w/2
		}
		samples := plane(f, i, stride*rows)
		for y := range rows {
			for x := range columns {
				v := 16 + 219*x/columns
				if y < rows/2 {
					v = 16 + 219*(x*(1+4*y/rows)/24%2)
				}
				if i > 0 {
					v = 40 + 176*y/rows
				}
				if deep > 0 {
					binary.LittleEndian.PutUint16(samples[y*stride+2*x:], uint16(v<<deep))
				} else {
					samples[y*stride+x] = byte(v)
				}
			}
		}
	}
	lookOf(f).put(f)
	setChromaLocation(f, 2) // in the middle, where scale_cuda has it whatever the picture says
	return f
}

// samples8 are a picture's luma samples in units of 8 bits.
func samples8(f *astiav.Frame) (out []float64) {
	stride, high := f.Linesize()[0], f.PixelFormat().Name() == "p010le"
	luma := plane(f, 0, stride*f.Height())
	for y := range f.Height() {
		for x := range f.Width() {
			switch {
			case bitDepth(f.PixelFormat()) == 8:
				out = append(out, float64(luma[y*stride+x]))
			case high:
				out = append(out, float64(binary.LittleEndian.Uint16(luma[y*stride+2*x:]))/256)
			default:
				out = append(out, float64(binary.LittleEndian.Uint16(luma[y*stride+2*x:]))/4)
			}
		}
	}
	return out
}

// unlike is how far two pictures are from each other: in dB, and at most, in codes
// of 8 bits.
func unlike(a, b []float64) (psnr, most float64) {
	sum := 0.0
	for i := range a {
		d := math.Abs(a[i] - b[i])
		sum, most = sum+d*d, max(most, d)
	}
	return 10 * math.Log10(255*255*float64(len(a))/sum), most
}

func scaledBy(t *testing.T, b *branch, f *astiav.Frame) []float64 {
	t.Helper()
	var out []float64
	if err := b.scaled(f, func(got *astiav.Frame) error {
		if b.gpu != nil {
			if poolOf(got) == 0 {
				t.Error("the picture is not in the GPU's memory")
			}
			got = fetched(t, got)
		}
		if got.Width() != b.width || got.Height() != b.height || got.PixelFormat().Name() != b.format || got.ColorRange() != astiav.ColorRangeMpeg || got.SampleAspectRatio().Num() > 1 {
			t.Errorf("%s, want %dx%d %s in limited range", geometry(got), b.width, b.height, b.format)
		}
		out = samples8(got)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// Pictures that a GPU scaled are those of the processor, as far as its kernels can:
// no dark specks where lanczos overshoots, no blank ones where one dimension alone
// becomes smaller, both of which FFmpeg 9.0's scale_cuda gives when it is asked plainly.
func TestGPUScaling(t *testing.T) {
	g := gpuOnTwin(t, "l4")
	if g == nil {
		return
	}
	for _, c := range []struct {
		name, from string
		w, h       int
		to         string
		by         ladders.Scaler
		psnr, most float64
	}{
		{"half", "yuv420p", 320, 180, "yuv420p", ladders.Lanczos, 48, 3},
		{"a third and odd", "yuv420p", 214, 120, "yuv420p", ladders.Lanczos, 48, 8},
		{"width alone", "yuv420p", 320, 360, "yuv420p", ladders.Lanczos, 48, 3},
		{"height alone", "yuv420p", 640, 180, "yuv420p", ladders.Lanczos, 48, 3},
		{"height alone, a little", "yuv420p", 640, 358, "yuv420p", ladders.Bilinear, 48, 3},
		{"larger", "yuv420p", 960, 540, "yuv420p", ladders.Bicubic, 48, 3},
		{"bilinear", "yuv420p", 320, 180, "yuv420p", ladders.Bilinear, 48, 3},
		{"spline", "yuv420p", 320, 180, "yuv420p", ladders.Spline, 45, 8},
		{"10 bits", "yuv420p10le", 320, 180, "p010le", ladders.Lanczos, 55, 2},
		{"10 bits that become 8", "yuv420p10le", 320, 180, "yuv420p", ladders.Lanczos, 48, 3},
		{"8 bits that become 10", "yuv420p", 320, 180, "p010le", ladders.Lanczos, 50, 2},
		{"its own size in 10 bits", "yuv420p10le", 640, 360, "p010le", ladders.Lanczos, 60, 1},
		{"its own size, 8 bits that become 10", "yuv420p", 640, 360, "p010le", ladders.Lanczos, 60, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := edges(t, c.from, 640, 360)
			defer f.Free()
			f.SetSampleAspectRatio(astiav.NewRational(c.w*360, c.h*640)) // no bars
			key := branchKey{width: c.w, height: c.h, divisor: 1, format: c.to, scaler: c.by}
			host := &branch{branchKey: key}
			defer host.closeScale()
			want := scaledBy(t, host, f)
			key.onGPU = true
			there := &branch{branchKey: key, gpu: g, up: newLifter(g), graphs: map[string]*graph{}}
			defer there.closeScale()
			up, err := there.up.lift(f, c.from, c.by)
			if err != nil {
				t.Fatal(err)
			}
			defer up.Free()
			psnr, most := unlike(scaledBy(t, there, up), want)
			t.Logf("%.1f dB, at most %.1f", psnr, most)
			if psnr < c.psnr || most > c.most {
				t.Errorf("%.1f dB like the processor's, want %.0f; at most %.1f codes off, want %.0f", psnr, c.psnr, most, c.most)
			}
		})
	}
}

// What no one lifts as it is - other formats, full range, upside down, odd sizes -
// is brought to one that is; what comes in another shape gets its bars on the
// processor, and goes up afterwards.
func TestGPULifts(t *testing.T) {
	g := gpuOnTwin(t, "l4")
	if g == nil {
		return
	}
	up := newLifter(g)
	defer up.Close()
	wantMemoryKept(t, up)
	for _, format := range []string{"yuv420p", "yuv422p", "yuv444p10le", "nv12", "rgb24", "yuvj420p"} {
		f := grey(t, format, 161, 90)
		lookOf(f).put(f)
		got, err := up.lift(f, "yuv420p", "")
		f.Free()
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		want := 16.0
		if format == "yuvj420p" { // what is black by its samples is grey by its range
			want = 16 + 16*219/255.0
		}
		if down := fetched(t, got); down.Width() != 162 || down.PixelFormat().Name() != "yuv420p" || math.Abs(samples8(down)[0]-want) > 1 {
			t.Errorf("%s: %s, luma %.0f", format, geometry(down), samples8(down)[0])
		}
		got.Free()
	}
	tall := edges(t, "yuv420p", 180, 320)
	defer tall.Free()
	b := &branch{branchKey: branchKey{width: 320, height: 180, divisor: 1, format: "yuv420p"}, gpu: g, up: up, graphs: map[string]*graph{}}
	defer b.closeGraphs()
	if b.wantsLifted(tall) {
		t.Error("a picture of another shape is to go up before it has bars")
	}
	luma := scaledBy(t, b, tall)
	if luma[0] != 16 || luma[319] != 16 || luma[150] == 16 && luma[160] == 16 && luma[170] == 16 {
		t.Errorf("no bars: %v", luma[:320])
	}
	b.scale.Close()
}

// wantMemoryKept: whatever a source sends meanwhile, a picture's memory is not another
// kind's while an encoder may know it.
func wantMemoryKept(t *testing.T, up *lifter) {
	t.Helper()
	var first *astiav.HardwareFramesContext
	for width := 160; width < 176; width += 2 {
		f := grey(t, "yuv420p", width, 90)
		got, err := up.lift(f, "yuv420p", "")
		f.Free()
		if err != nil {
			t.Fatal(err)
		}
		got.Free()
		if first == nil {
			first = up.pools["160x90 yuv420p"]
		}
	}
	if len(up.pools) != 8 || first == nil || up.pools["160x90 yuv420p"] != first {
		t.Errorf("of 8 kinds of pictures %d have memory, the first another than before", len(up.pools))
	}
}
