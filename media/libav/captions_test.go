package libav

import (
	"bytes"
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/timeline"
)

// spoken are the triplets that are no padding, of line 21 and of DTVCC.
func spoken(all []captions.Triplet) (lines, packets []byte) {
	for _, t := range all {
		switch {
		case t[0]&4 == 0:
		case t[0]&2 == 0:
			lines = append(lines, t[:]...)
		default:
			packets = append(packets, t[:]...)
		}
	}
	return lines, packets
}

// rung is small in another codec, at a divisor of the grid's rate.
func rung(name, codec string, divisor int64) ladders.Rendition {
	r := small(name)
	r.Video.Codec, r.Video.Divisor = codec, divisor
	if codec != "h264" {
		r.Video.Profile = ""
	}
	if codec == "hevc" {
		r.Video.Profile = "main"
	}
	return r
}

func (c *collector) captions(name, codec string) (all []captions.Triplet, most int) {
	packets := slices.Clone(c.packets[name])
	slices.SortFunc(packets, func(a, b media.Packet) int { return cmp.Compare(a.Index, b.Index) })
	for _, p := range packets {
		ts := captions.Extract(codec, p.Data)
		all, most = append(all, ts...), max(most, len(ts))
	}
	return all, most
}

// Every caption byte of a source comes out of every encoder, once and in order,
// at the source's rate, at half of it and at twice.
func TestCaptionsSurvive(t *testing.T) {
	for _, c := range []struct {
		file     string
		rate     int64
		channels []string
	}{
		{"sintel_cea608_170p24.ts", 24, []string{"CC1"}},
		{"hls_cea608/sd-hls0000000000.ts", 24, []string{"CC1"}},
		{"sintel_cea608_170p24.ts", 48, []string{"CC1"}},
		{"sintel_cea608_170p24.ts", 16, []string{"CC1"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var source []captions.Triplet
			decodedFrames(t, c.file, func(_ *astiav.Packet, f *astiav.Frame) {
				source = append(source, captions.Triplets(takeA53(f))...)
			})
			wantLines, wantPackets := spoken(source)
			if len(wantLines) == 0 {
				t.Fatal("the source has no captions")
			}
			name := mediaDir(t) + "/" + c.file
			facts, err := Probe(t.Context(), name, anything)
			if err != nil {
				t.Fatal(err)
			}
			if got := facts.BestVideo().Captions; !slices.Equal(got, c.channels) {
				t.Errorf("the probe finds %v, want %v", got, c.channels)
			}
			codecs := map[string]string{"full": "h264", "half": "h264", "hevc": "hevc", "av1": "av1", "cascaded": "h264"}
			cascaded := rung("cascaded", "h264", 1)
			cascaded.Video.Width, cascaded.Video.Height, cascaded.Video.ScaledFrom = 160, 90, ladders.Size{W: 320, H: 180}
			out, _ := play(t, Options{Spec: media.Spec{
				Job: "t", Input: name, Grid: newGrid(t, timeline.Rate{Num: c.rate, Den: 1}, 2*time.Second, 3, 1, 2),
				Renditions: []ladders.Rendition{rung("full", "h264", 1), rung("half", "h264", 2), rung("hevc", "hevc", 1), rung("av1", "av1", 1), cascaded},
			}})
			for name, codec := range codecs {
				got, most := out.captions(name, codec)
				lines, packets := spoken(got)
				if !bytes.Equal(lines, wantLines) || !bytes.Equal(packets, wantPackets) {
					t.Errorf("%s: %d and %d bytes, want %d and %d in the source's order", name, len(lines), len(packets), len(wantLines), len(wantPackets))
				}
				t.Logf("%s: %d bytes of line 21, %d of DTVCC, at most %d triplets in a frame", name, len(lines), len(packets), most)
			}
		})
	}
}

// Decoders read from our frames, in presentation order, what was put there.
func TestCaptionsDecode(t *testing.T) {
	name := mediaDir(t) + "/sintel_cea608_170p24.ts"
	out, _ := play(t, Options{Spec: media.Spec{
		Job: "t", Input: name, Grid: newGrid(t, timeline.Rate{Num: 24, Den: 1}, 2*time.Second, 3),
		Renditions: []ladders.Rendition{rung("h264", "h264", 1), rung("hevc", "hevc", 1), rung("av1", "av1", 1)},
	}})
	for codec, id := range map[string]astiav.CodecID{"h264": astiav.CodecIDH264, "hevc": astiav.CodecIDHevc, "av1": astiav.CodecIDAv1} {
		if codec == "av1" { // dav1d 1.0 drops the metadata of a frame that it has decoded before and only shows
			for i, p := range out.packets[codec] {
				if repeats(p.Data) {
					out.packets[codec][i].Data = p.Data[len(p.Data)-3:]
				}
			}
		}
		want, _ := out.captions(codec, codec)
		var got []captions.Triplet
		framesOf(t, id, out.configs[codec], out.packets[codec], func(f *astiav.Frame) {
			got = append(got, captions.Triplets(takeA53(f))...)
		})
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: the decoder finds %d triplets, want %d", codec, len(got), len(want))
		}
	}
}

// repeats tells temporal units that only show a frame decoded before: header,
// size, show_existing_frame.
func repeats(unit []byte) bool {
	i := bytes.LastIndexByte(unit, 3<<3|2)
	return i >= 0 && i == len(unit)-3 && unit[i+1] == 1 && unit[i+2]&0x80 != 0
}

// A picture's captions reach the field that A/53 gives them, and another
// reference of the picture keeps its own.
func TestShimCaptions(t *testing.T) {
	f := astiav.AllocFrame()
	defer f.Free()
	f.SetWidth(16)
	f.SetHeight(16)
	f.SetPixelFormat(astiav.PixelFormatYuv420P)
	if err := f.AllocBuffer(0); err != nil {
		t.Fatal(err)
	}
	if takeA53(f) != nil {
		t.Fatal("a new frame has captions")
	}
	want := []byte{0xfc, 0x94, 0x20, 0xfd, 0x80, 0x80}
	if !setA53(f, want) {
		t.Fatal("not set")
	}
	c := f.Clone()
	defer c.Free()
	for _, ref := range []*astiav.Frame{c, f} {
		if got := takeA53(ref); !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
		if takeA53(ref) != nil {
			t.Error("taken, and still there")
		}
	}
}
