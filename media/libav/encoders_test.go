package libav

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// cpuRows are the rows that run anywhere, with the level that a ladder would
// declare and what a stream must then say.
var cpuRows = []struct {
	encoder, codec, profile, level string
	decoder                        astiav.CodecID
}{
	{"libx264", "h264", "high", "3.1", astiav.CodecIDH264},
	{"libx265", "hevc", "main", "3.1", astiav.CodecIDHevc},
	{"libsvtav1", "av1", "main", "3.1", astiav.CodecIDAv1},
}

func rungOf(name, encoder, codec, profile, level, preset string) ladders.Rendition {
	return ladders.Rendition{Name: name, Video: &ladders.Video{
		Width: 640, Height: 360, Divisor: 1, Codec: codec, Profile: profile, Level: level, Encoder: encoder,
		Bitrate: 1_200_000, Maxrate: 1_500_000, Bufsize: 3_000_000, Preset: preset,
	}}
}

// Every CPU row, for real: key frames exactly on the grid at one and three GOPs
// to a segment, every frame once, the declared level in the stream.
func TestCPUEncoders(t *testing.T) {
	for _, row := range cpuRows {
		for _, live := range []bool{false, true} {
			name := row.encoder + map[bool]string{false: " clip", true: " live"}[live]
			t.Run(name, func(t *testing.T) {
				if astiav.FindEncoderByName(row.encoder) == nil {
					t.Skipf("%s is not in this build (a build without GPL parts)", row.encoder)
				}
				r := timeline.Rate{Num: 30000, Den: 1001}
				rung := rungOf("v", row.encoder, row.codec, row.profile, row.level, "fastest")
				spec := cardSpec5(t, r, rung)
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
				wantLevel(t, row.codec, out.configs["v"].Extradata)
			})
		}
	}
}

// wantLevel checks that a decoder configuration declares 3.1, in its codec's way.
func wantLevel(t *testing.T, codec string, config []byte) {
	t.Helper()
	switch codec {
	case "h264":
		rec, err := avc.DecodeAVCDecConfRec(config)
		if err != nil || rec.AVCLevelIndication != 31 || rec.AVCProfileIndication != 100 {
			t.Errorf("avcC says profile %d level %d, %v", rec.AVCProfileIndication, rec.AVCLevelIndication, err)
		}
	case "hevc":
		rec, err := hevc.DecodeHEVCDecConfRec(config)
		if err != nil || rec.GeneralLevelIDC != 93 || rec.GeneralTierFlag || rec.GeneralProfileIDC != 1 {
			t.Errorf("hvcC says profile %d level %d high tier %v, %v", rec.GeneralProfileIDC, rec.GeneralLevelIDC, rec.GeneralTierFlag, err)
		}
	case "av1":
		rec, err := av1.DecodeAV1CodecConfRec(config)
		if err != nil || rec.SeqLevelIdx0 != 5 || rec.SeqTier0 != 0 || rec.SeqProfile != 0 { // 5 is 3.1
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
			rung := rungOf("v", row.encoder, row.codec, row.profile, row.level, preset)
			rung.Video.Width, rung.Video.Height = 160, 90
			spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rung)
			spec.Input = "testcard:?size=160x90&fps=25&duration=600ms"
			out, _ := play(t, Options{Spec: spec})
			out.wantRun(t, "v", spec.Grid, 0, 15, 1)
		}
	}
}

// A rung for a GPU on a machine without one: the job learns which rendition,
// which encoder, and what to do.
func TestNVENCWithoutAGPU(t *testing.T) {
	if _, err := os.Stat("/dev/nvidiactl"); err == nil {
		t.Skip("this machine has an NVIDIA driver")
	}
	for _, row := range Encoders() {
		if !row.GPU || astiav.FindEncoderByName(row.Name) == nil {
			continue
		}
		profile := map[string]string{"h264": "high", "hevc": "main", "av1": "main"}[row.Codec]
		spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rungOf("v", row.Name, row.Codec, profile, "3.1", "balanced"))
		err := open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context())
		wantError(t, err, media.EncoderError, "rendition v: encoder "+row.Name+" does not open", "gala doctor")
	}
}

func TestUnknownEncoder(t *testing.T) {
	for _, r := range []ladders.Rendition{rungOf("v", "", "theora", "", "", ""), rungOf("v", "libfoo", "h264", "", "", "")} {
		spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, r)
		wantError(t, open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context()), media.EncoderError, "no encoder", "use codec h264, hevc or av1")
	}
}

func TestUnknownAudioCodec(t *testing.T) {
	a := sound("a")
	a.Audio.Codec = "mp1"
	wantError(t, open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, a), Output: newCollector()}).Run(t.Context()), media.EncoderError, `codec "mp1" has no encoder`)
}

// What the encoder table says is what libav knows: every option has its reason,
// and every name exists where the encoder does.
func TestEncoderTable(t *testing.T) {
	for _, row := range Encoders() {
		for _, live := range []bool{false, true} {
			v := *rungOf("v", row.Name, row.Codec, "main", "4.0", "fast").Video
			for _, o := range row.opts(encodeContext{Video: v, rate: timeline.Rate{Num: 25, Den: 1}, gop: 50, live: live}) {
				if len(o.Reason) < 10 {
					t.Errorf("%s: option %s without a reason", row.Name, o.Key)
				}
				if o.Key == "" || strings.Contains(o.Value, " ") {
					t.Errorf("%s: odd option %+v", row.Name, o)
				}
			}
		}
	}
}
