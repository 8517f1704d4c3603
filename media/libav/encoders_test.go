package libav

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// encoderRow is a row of the encoder table as a test wants it.
type encoderRow struct {
	encoder, codec, profile, level string
	depth                          int
	decoder                        astiav.CodecID
}

// cpuRows are the rows that run anywhere, with the level that a ladder would
// declare and what a stream must then say.
var cpuRows = []encoderRow{
	{"libx264", "h264", "high", "3.1", 8, astiav.CodecIDH264},
	{"libx265", "hevc", "main", "3.1", 8, astiav.CodecIDHevc},
	{"libx265", "hevc", "main10", "3.1", 10, astiav.CodecIDHevc},
	{"libsvtav1", "av1", "main", "3.1", 8, astiav.CodecIDAv1},
	{"libsvtav1", "av1", "main", "3.1", 10, astiav.CodecIDAv1},
}

func rungOf(name, encoder, codec, profile, level string, depth int, preset string) ladders.Rendition {
	return ladders.Rendition{Name: name, Video: &ladders.Video{
		Width: 640, Height: 360, Divisor: 1, Codec: codec, Profile: profile, Level: level, Depth: depth, Encoder: encoder,
		Bitrate: 1_200_000, Maxrate: 1_500_000, Bufsize: 3_000_000, Preset: preset,
	}}
}

// Every CPU row, for real: key frames exactly on the grid at one and three GOPs
// to a segment, every frame once, the declared level in the stream.
func TestCPUEncoders(t *testing.T) {
	for _, row := range cpuRows {
		for _, live := range []bool{false, true} {
			name := fmt.Sprintf("%s %d bits %s", row.encoder, row.depth, map[bool]string{false: "clip", true: "live"}[live])
			t.Run(name, func(t *testing.T) {
				if astiav.FindEncoderByName(row.encoder) == nil {
					t.Skipf("%s is not in this build (a build without GPL parts)", row.encoder)
				}
				wantRow(t, row, live, "fastest")
			})
		}
	}
}

// wantRow encodes the test card with one row of the table.
func wantRow(t *testing.T, row encoderRow, live bool, preset string) {
	t.Helper()
	r := timeline.Rate{Num: 30000, Den: 1001}
	spec := cardSpec5(t, r, rungOf("v", row.encoder, row.codec, row.profile, row.level, row.depth, preset))
	spec.Grid = newGrid(t, r, 700*time.Millisecond, 3)
	var out *collector
	number := int64(0)
	if live {
		spec.Input = "testcard:?size=640x360&fps=29.97"
		spec.Grid.GOPsPerSegment = 1
		var p *Pipeline
		out, p = onAir(t, spec, evening, 50)
		wantWhole(t, spec, out)
		number = p.anchor.Source
	} else {
		out, _ = play(t, Options{Spec: spec})
		out.wantRun(t, "v", spec.Grid, 0, 150, 1)
	}
	wantCards(t, pictures(t, row.decoder, out.configs["v"], out.packets["v"]), number)
	wantLevel(t, row.codec, row.depth, out.configs["v"].Extradata)
}

// wantLevel checks that a decoder configuration declares 3.1, in its codec's way.
func wantLevel(t *testing.T, codec string, depth int, config []byte) {
	t.Helper()
	switch codec {
	case "h264":
		rec, err := avc.DecodeAVCDecConfRec(config)
		if err != nil || rec.AVCLevelIndication != 31 || rec.AVCProfileIndication != 100 {
			t.Errorf("avcC says profile %d level %d, %v", rec.AVCProfileIndication, rec.AVCLevelIndication, err)
		}
	case "hevc":
		rec, err := hevc.DecodeHEVCDecConfRec(config)
		if err != nil || rec.GeneralLevelIDC != 93 || rec.GeneralTierFlag || int(rec.GeneralProfileIDC) != (depth-6)/2 || int(rec.BitDepthLumaMinus8) != depth-8 {
			t.Errorf("hvcC says profile %d level %d high tier %v, %v", rec.GeneralProfileIDC, rec.GeneralLevelIDC, rec.GeneralTierFlag, err)
		}
	case "av1":
		rec, err := av1.DecodeAV1CodecConfRec(config)
		if err != nil || rec.SeqLevelIdx0 != 5 || rec.SeqTier0 != 0 || rec.SeqProfile != 0 || int(rec.HighBitdepth) != (depth-8)/2 { // 5 is 3.1
			t.Errorf("av1C says profile %d level index %d tier %d, %v", rec.SeqProfile, rec.SeqLevelIdx0, rec.SeqTier0, err)
		}
	}
}

// Every preset of the ladder's scale opens on every CPU row.
func TestPresets(t *testing.T) {
	for _, row := range cpuRows {
		for _, preset := range []string{"fastest", "fast", "balanced", "quality"} {
			if astiav.FindEncoderByName(row.encoder) == nil {
				continue
			}
			rung := rungOf("v", row.encoder, row.codec, row.profile, row.level, row.depth, preset)
			rung.Video.Width, rung.Video.Height = 160, 90
			spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rung)
			spec.Input = "testcard:?size=160x90&fps=25&duration=600ms"
			out, _ := play(t, Options{Spec: spec})
			out.wantRun(t, "v", spec.Grid, 0, 15, 1)
		}
	}
}

// A rung for a GPU on a machine without one: the job learns what is missing, and
// what to do.
func TestNVENCWithoutAGPU(t *testing.T) {
	if _, err := os.Stat("/dev/nvidiactl"); err == nil {
		t.Skip("this machine has an NVIDIA driver")
	}
	for _, row := range encoders.Table() {
		if !row.GPU || astiav.FindEncoderByName(row.Name) == nil {
			continue
		}
		profile := map[string]string{"h264": "high", "hevc": "main", "av1": "main"}[row.Codec]
		spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rungOf("v", row.Name, row.Codec, profile, "3.1", 8, "balanced"))
		err := open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context())
		wantError(t, err, media.DeviceLost, "open the worker's GPU", "libcuda.so.1", "gala doctor")
	}
}

func TestUnknownEncoder(t *testing.T) {
	for _, r := range []ladders.Rendition{rungOf("v", "", "theora", "", "", 8, ""), rungOf("v", "libfoo", "h264", "", "", 8, "")} {
		spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, r)
		wantError(t, open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context()), media.EncoderError, "no encoder", "use codec h264, hevc or av1")
	}
}

func TestUnknownAudioCodec(t *testing.T) {
	a := sound("a")
	a.Audio.Codec = "mp1"
	wantError(t, open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, a), Output: newCollector()}).Run(t.Context()), media.EncoderError, `codec "mp1" has no encoder`)
}

// High 10 is not offered: the row says so before anything is opened.
func TestTenBitsOfH264(t *testing.T) {
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rungOf("v", "libx264", "h264", "high", "3.1", 10, "fast"))
	wantError(t, open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context()), media.EncoderError, "encoder libx264 has no 10 bits")
}

// everyRung calls f for everything that the table distinguishes.
func everyRung(f func(encoders.Encoder, encoders.Rung)) {
	profiles := map[string][]string{"h264": {"high", "main", "baseline"}, "hevc": {"main", "main10"}, "av1": {"main", "main"}}
	levels := map[string][]string{"h264": {"1.0", "4.0", "5.1", "6.2"}, "hevc": {"1.0", "4.1", "6.2"}, "av1": {"2.0", "3.1", "5.3"}}
	for _, row := range encoders.Table() {
		for i, profile := range profiles[row.Codec] {
			depth := 8
			if row.Codec != "h264" && i == 1 {
				depth = 10
			}
			for _, level := range levels[row.Codec] {
				for n, preset := range []string{"fastest", "fast", "balanced", "quality"} {
					v := *rungOf("v", row.Name, row.Codec, profile, level, depth, preset).Video
					if depth == 10 {
						v.Range = []ladders.Range{ladders.SDR, ladders.PQ, ladders.HLG}[n%3]
					}
					for _, cpus := range []int{1, 2, 64} {
						for _, live := range []bool{false, true} {
							f(row, encoders.Rung{Video: v, Rate: timeline.Rate{Num: 25, Den: 1}, GOP: 50, Live: live, CPUs: cpus})
						}
					}
				}
			}
		}
	}
}

// What the encoder table says is what this libavcodec declares: every name and
// every value is set on a context of the encoder, the ones for GPUs too.
func TestEncoderTable(t *testing.T) {
	everyRung(func(row encoders.Encoder, r encoders.Rung) {
		codec := astiav.FindEncoderByName(row.Name)
		if codec == nil {
			return // a build without GPL parts
		}
		if f := row.PixelFormat(r.Video); astiav.FindPixelFormatByName(f) == astiav.PixelFormatNone {
			t.Fatalf("%s: no pixel format %q", row.Name, f)
		}
		cc := astiav.AllocCodecContext(codec)
		defer cc.Free()
		options := row.Options(r)
		for _, o := range options {
			if len(o.Reason) < 10 || o.Key == "" || strings.ContainsAny(o.Value, " :=") {
				t.Fatalf("%s: odd option %+v", row.Name, o)
			}
		}
		for _, o := range encoders.Joined(options) {
			if err := setOption(cc, o.Key, o.Value); err != nil {
				t.Fatalf("%s: %v", row.Name, err)
			}
		}
	})
}

// A typo is found, in a name and in a value.
func TestSetOptionFindsTypos(t *testing.T) {
	cc := astiav.AllocCodecContext(astiav.FindEncoderByName("h264_nvenc"))
	defer cc.Free()
	for key, value := range map[string]string{"force-idr": "1", "b_ref_mode": "midle", "rc-lookahead": "-5", "preset": "p9"} {
		if err := setOption(cc, key, value); err == nil {
			t.Errorf("%s=%s is taken", key, value)
		}
	}
}

// The parameter lists of the CPU encoders are read by the libraries alone, which
// only warn: every encoder is opened in every way, and none may say a word.
func TestEncodersHaveNothingToSay(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	astiav.SetLogLevel(astiav.LogLevelWarning)
	astiav.SetLogCallback(func(_ astiav.Classer, l astiav.LogLevel, _, msg string) {
		if l <= astiav.LogLevelWarning {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, msg)
		}
	})
	defer func() { astiav.ResetLogCallback(); astiav.SetLogLevel(astiav.LogLevelQuiet) }()
	everyRung(func(row encoders.Encoder, r encoders.Rung) {
		if row.GPU || r.CPUs == 64 || r.Level == "6.2" || r.Level == "1.0" || astiav.FindEncoderByName(row.Name) == nil || testing.Short() {
			return
		}
		f := grey(t, row.PixelFormat(r.Video), 128, 128)
		defer f.Free()
		r.Width, r.Height, r.Level = 128, 128, map[string]string{"h264": "2.1", "hevc": "3.0", "av1": "2.1"}[row.Codec]
		e, err := newVideoEncoder("v", r.Video, newGrid(t, r.Rate, 2*time.Second, 1), r.Live)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		err = e.open(f, 0)
		for _, f := range []*astiav.Frame{f, nil} {
			if err == nil {
				err = e.encode(f, 0, func(media.Packet) error { return nil })
			}
		}
		if err != nil || len(lines) > 0 {
			t.Fatalf("%s %+v: %v, said %q", row.Name, r, err, lines)
		}
	})
}

// grey is a picture of one colour.
func grey(t *testing.T, format string, w, h int) *astiav.Frame {
	t.Helper()
	f := astiav.AllocFrame()
	f.SetWidth(w)
	f.SetHeight(h)
	f.SetPixelFormat(astiav.FindPixelFormatByName(format))
	if err := errors.Join(f.AllocBuffer(0), f.ImageFillBlack()); err != nil {
		t.Fatal(err)
	}
	return f
}

// A job that breaks off leaves no encoder waiting: SVT-AV1 does when it is freed
// in mid-stream.
func TestEncodersBreakOff(t *testing.T) {
	for _, row := range cpuRows {
		if astiav.FindEncoderByName(row.encoder) == nil {
			continue
		}
		spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rungOf("v", row.encoder, row.codec, row.profile, row.level, row.depth, "fastest"))
		out := newCollector()
		full := errors.New("the disk is full")
		out.on = func(string, media.Packet) error { return full }
		if err := open(t, Options{Spec: spec, Output: out}).Run(t.Context()); !errors.Is(err, full) {
			t.Errorf("%s: %v", row.encoder, err)
		}
	}
}

// Key frames that cannot be forced: a rung of half the frame rate, from the
// middle of a clip, still has them where the grid wants them, and the same
// decoder configuration as one from the start.
func TestSVTKeepsTheGrid(t *testing.T) {
	if astiav.FindEncoderByName("libsvtav1") == nil {
		t.Skip("libsvtav1 is not in this build")
	}
	r := timeline.Rate{Num: 50, Den: 1}
	half := rungOf("half", "libsvtav1", "av1", "main", "3.1", 10, "fastest")
	half.Video.Divisor = 2
	spec := cardSpec5(t, r, half, rungOf("v", "libsvtav1", "av1", "main", "3.1", 8, "fastest"))
	spec.Input = "testcard:?size=640x360&fps=50&duration=3s"
	spec.Grid = newGrid(t, r, 480*time.Millisecond, 2, 2)
	whole, _ := play(t, Options{Spec: spec})
	whole.wantRun(t, "half", spec.Grid, 0, 75, 2)
	whole.wantRun(t, "v", spec.Grid, 0, 150, 1)
	spec.Resume, spec.FirstSegment = true, 2
	again, _ := play(t, Options{Spec: spec})
	first := spec.Grid.FirstFrame(2)
	again.wantRun(t, "half", spec.Grid, first, 75-first/2, 2)
	again.wantRun(t, "v", spec.Grid, first, 150-first, 1)
	for _, name := range []string{"half", "v"} {
		if !bytes.Equal(whole.configs[name].Extradata, again.configs[name].Extradata) {
			t.Errorf("%s: a resumed run has another decoder configuration", name)
		}
	}
}
