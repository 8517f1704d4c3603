package libav

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// What players are shown may differ by this much of 255 from what the source
// shows: rounding to 8 bits twice, and two lossy encoders.
const sdrTolerance, hdrTolerance = 5, 7

const (
	hdr10Display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
	toPQ         = "zscale=p=2020:t=smpte2084:m=2020_ncl:r=limited:npl=203:c=topleft,format=yuv420p10le"
	toHLG        = "zscale=p=2020:t=arib-std-b67:m=2020_ncl:r=limited:npl=203:c=topleft,format=yuv420p10le"
)

// ways are the descriptions in which one picture comes.
var ways = []struct {
	name, filter string
	w, h         int
	args         []string
	is           ladders.Range
}{
	{"601.mp4", "zscale=p=170m:t=601:m=170m:r=limited,format=yuv420p", 320, 240, x264Clip, ladders.SDR},
	{"601-untagged.mp4", "zscale=p=170m:t=601:m=170m:r=limited,format=yuv420p,setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown", 640, 480, x264Clip, ladders.SDR},
	{"625-untagged.mp4", "zscale=p=bt470bg:t=601:m=470bg:r=limited,format=yuv420p,setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown", 720, 576, x264Clip, ladders.SDR},
	{"709-untagged.mp4", "zscale=p=709:t=709:m=709:r=limited,format=yuv420p,setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown", 1280, 720, x264Clip, ladders.SDR},
	{"709-full.mp4", "zscale=p=709:t=709:m=709:r=full,format=yuv420p", 320, 180, x264Clip, ladders.SDR},
	{"601-full.mp4", "zscale=p=170m:t=601:m=170m:r=full,format=yuv420p", 320, 180, x264Clip, ladders.SDR},
	{"709-10bit.mp4", "zscale=p=709:t=709:m=709:r=limited,format=yuv420p10le", 320, 180, x265Clip(""), ladders.SDR},
	{"2020-sdr.mp4", "zscale=p=2020:t=2020_10:m=2020_ncl:r=limited,format=yuv420p10le", 320, 180, x265Clip(""), ladders.SDR},
	{"rgb.mkv", "null", 320, 180, []string{"-c:v", "png"}, ladders.SDR},
	{"hdr10.mp4", toPQ, 320, 180, x265Clip(":hdr10=1:max-cll=1000,400:" + hdr10Display), ladders.PQ},
	{"hlg.mp4", toHLG, 320, 180, x265Clip(""), ladders.HLG},
}

var x264Clip = []string{"-c:v", "libx264", "-qp", "6"}

func x265Clip(params string) []string {
	return []string{"-c:v", "libx265", "-x265-params", "qp=4:log-level=error" + params}
}

// colourRungs are an SDR rung in 8 and one in 10 bits, and one in each codec
// that keeps the source's range.
func colourRungs(w, h int, r ladders.Range) []ladders.Rendition {
	rung := func(name, codec, profile string, depth int, shows ladders.Range) ladders.Rendition {
		return ladders.Rendition{Name: name, Video: &ladders.Video{Width: w, Height: h, Divisor: 1, Codec: codec, Profile: profile, Depth: depth, Range: shows,
			Bitrate: 8_000_000, Maxrate: 9_000_000, Bufsize: 9_000_000, Preset: "fast"}}
	}
	return []ladders.Rendition{
		rung("h264", "h264", "high", 8, ladders.SDR), rung("hevc-sdr", "hevc", "main10", 10, ladders.SDR),
		rung("hevc", "hevc", "main10", 10, r), rung("av1", "av1", "main", 10, r),
	}
}

var decoders = map[string]astiav.CodecID{"h264": astiav.CodecIDH264, "hevc": astiav.CodecIDHevc, "av1": astiav.CodecIDAv1}

// One picture in eleven descriptions: SDR rungs show it in BT.709 limited range,
// source rungs as it came, whatever the codec. What is seen is computed here by
// the standards' formulas.
func TestColours(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			file := barsClip(t, way.name, way.w, way.h, way.filter, way.args...)
			facts, err := Probe(t.Context(), file, anything)
			if err != nil {
				t.Fatal(err)
			}
			if got := ladders.RangeOf(facts.BestVideo().Transfer); got != way.is {
				t.Errorf("probed %s", got)
			}
			renditions := colourRungs(way.w, way.h, way.is)
			out, _ := play(t, Options{Spec: media.Spec{Job: "c", Input: file, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Renditions: renditions}})
			for _, r := range renditions {
				t.Run(r.Name, func(t *testing.T) { wantColours(t, r, way.is, out) })
			}
		})
	}
}

func wantColours(t *testing.T, r ladders.Rendition, source ladders.Range, out *collector) {
	var got []rgb3
	n := 0
	framesOf(t, decoders[r.Video.Codec], out.configs[r.Name], out.packets[r.Name], func(f *astiav.Frame) {
		if n++; n == 6 {
			got = barsOf(t, f)
		}
		p, c := colorDesc(f)
		wantP, wantC, wantM := r.Video.Range.CodePoints()
		if p != wantP || c != wantC || int(f.ColorSpace()) != wantM || f.ColorRange() == astiav.ColorRangeJpeg || bitDepth(f.PixelFormat()) != r.Video.Depth {
			t.Fatalf("frame %d says %d/%d/%d %v %s", f.Pts(), p, c, int(f.ColorSpace()), f.ColorRange(), f.PixelFormat())
		}
		if (mastering(f) != nil) != (r.Video.Range == ladders.PQ) {
			t.Errorf("frame %d: mastering display %+v", f.Pts(), mastering(f))
		}
	})
	if n != 12 {
		t.Fatalf("%d pictures", n)
	}
	want := bars()
	switch {
	case r.Video.Range.HDR():
		for i, c := range got {
			got[i] = fromHDR(c, r.Video.Range)
		}
		wantBars(t, got, want, hdrTolerance)
		return
	case source.HDR():
		for i, c := range want {
			want[i] = toneMapped(c.each(sdrToLight), 1000/203.0).each(sdrFromLight)
		}
	}
	for i, c := range got {
		got[i] = c.toRGB(0.2126, 0.0722)
	}
	tolerance := float64(sdrTolerance)
	if source.HDR() {
		tolerance = hdrTolerance
	}
	wantBars(t, got, want, tolerance)
}

// fromHDR is a colour of BT.2100 as an SDR display of BT.709 would need it.
func fromHDR(c rgb3, r ladders.Range) rgb3 {
	light := c.toRGB(0.2627, 0.0593)
	if r == ladders.HLG {
		light = light.each(hlgToLight)
	} else {
		light = light.each(pqToLight)
	}
	return from2020(light).each(sdrFromLight)
}

// Dolby Vision: the base layer is taken, and the job says so; of profile 5,
// whose base layer is for nobody else, that it will look wrong.
func TestDolbyVisionIsSaid(t *testing.T) {
	clip := barsClip(t, "hdr10.mp4", 320, 180, toPQ, x265Clip("")...)
	for _, c := range []struct {
		profile, compatible uint16
		want                string
	}{{8, 1, "Dolby Vision profile 8: its base layer is decoded"}, {5, 0, "Dolby Vision profile 5: its base layer is made for Dolby decoders alone, and the colours will be wrong"}} {
		f, err := mp4.ReadMP4File(clip)
		if err != nil {
			t.Fatal(err)
		}
		body := binary.BigEndian.AppendUint16([]byte{1, 0}, c.profile<<9|6<<3|5)
		body = append(append(body, byte(c.compatible<<4)), make([]byte, 19)...)
		f.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].(*mp4.VisualSampleEntryBox).AddChild(mp4.CreateUnknownBox("dvcC", uint64(8+len(body)), body))
		var b bytes.Buffer
		if err := f.Encode(&b); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "dolby.mp4")
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		facts, err := Probe(t.Context(), name, anything)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(facts.Notes, "; "), c.want) {
			t.Errorf("notes %q do not say %q", facts.Notes, c.want)
		}
	}
}

// Real HDR: a phone's HLG and a portrait HDR10 keep their range in both codecs,
// beside an SDR rung; every picture is there, and keys are on the grid.
func TestRealHDR(t *testing.T) {
	for file, is := range map[string]ladders.Range{"hlg_hevc10_360p30.mov": ladders.HLG, "hdr10_av1_portrait_720x1280_2997.mp4": ladders.PQ} {
		t.Run(file, func(t *testing.T) {
			name := filepath.Join(mediaDir(t), file)
			facts, err := Probe(t.Context(), name, anything)
			if err != nil {
				t.Fatal(err)
			}
			v := facts.BestVideo()
			renditions := colourRungs(v.Width/2, v.Height/2, is)
			spec := media.Spec{Job: "hdr", Input: name, Grid: newGrid(t, v.Rate, time.Second, 1), Renditions: renditions}
			out, st := play(t, Options{Spec: spec})
			for _, r := range renditions {
				out.wantRun(t, r.Name, spec.Grid, 0, st.Renditions[r.Name].Frames, 1)
				framesOf(t, decoders[r.Video.Codec], out.configs[r.Name], out.packets[r.Name], func(f *astiav.Frame) {
					_, transfer := colorDesc(f)
					if _, want, _ := r.Video.Range.CodePoints(); transfer != want || bitDepth(f.PixelFormat()) != r.Video.Depth {
						t.Fatalf("%s: frame %d has transfer %d, %s", r.Name, f.Pts(), transfer, f.PixelFormat())
					}
				})
			}
		})
	}
}

// Ten bits that become eight are dithered: a shade between two codes is a mix of
// both, so that skies have no steps.
func TestFewerBitsAreDithered(t *testing.T) {
	f := grey(t, "yuv420p10le", 64, 64)
	defer f.Free()
	luma := plane(f, 0, f.Linesize()[0]*64)
	for i := 0; i < len(luma); i += 2 {
		binary.LittleEndian.PutUint16(luma[i:], 402) // 100.5 in 8 bits
	}
	lookOf(f).put(f)
	b := &branch{branchKey: branchKey{width: 64, height: 64, divisor: 1, format: "yuv420p"}}
	seen := map[byte]int{}
	if err := b.scaled(f, func(out *astiav.Frame) error {
		for _, v := range plane(out, 0, 64) {
			seen[v]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.scale.Close()
	if seen[100] < 16 || seen[101] < 16 || len(seen) != 2 {
		t.Errorf("luma %v, want as much of 100 as of 101", seen)
	}
}
