package cmaf_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// boxes is the box tree as text.
func boxes(t *testing.T, b []byte) []byte {
	t.Helper()
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.Info(&out, "trun:1,styp:1", "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func clip(t testing.TB, name string, track int) cmaftest.Track {
	t.Helper()
	tracks, err := cmaftest.Clip(name)
	if err != nil {
		t.Fatal(err)
	}
	return tracks[track]
}

func initOf(t testing.TB, tr cmaftest.Track) cmaf.Init {
	t.Helper()
	var init cmaf.Init
	var err error
	if tr.Width > 0 {
		init, err = cmaf.InitVideo(ladders.Video{Codec: tr.Codec, Width: tr.Width, Height: tr.Height}, tr.Config, 25)
	} else {
		init, err = cmaf.InitAudio(ladders.Audio{Codec: tr.Codec, Channels: tr.Channels, SampleRate: tr.SampleRate, Language: "en"}, tr.Config)
	}
	if err != nil {
		t.Fatal(err)
	}
	return init
}

// TestInit shows every init segment as a box tree, with the CODECS of RFC 6381.
func TestInit(t *testing.T) {
	for _, c := range []struct {
		clip, codecs string
		track        int
	}{
		{"h264_aac", "avc1.64000A", 0}, {"h264_aac", "mp4a.40.2", 1}, {"hevc", "hvc1.1.6.L30.90", 0},
		{"av1", "av01.0.00M.08", 0}, {"opus", "opus", 0}, {"ac3", "ac-3", 0}, {"eac3", "ec-3", 0},
	} {
		t.Run(c.codecs, func(t *testing.T) {
			tr := clip(t, c.clip, c.track)
			init := initOf(t, tr)
			if init.Codecs != c.codecs {
				t.Errorf("CODECS %q, want %q", init.Codecs, c.codecs)
			}
			golden(t, "init-"+c.codecs+".txt", boxes(t, init.Bytes))
			if again := initOf(t, tr); again.Name != init.Name || !bytes.Equal(again.Bytes, init.Bytes) {
				t.Error("the same configuration gave another init segment")
			}
			track, err := cmaf.ParseInit(init.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if track.Format != init.Format || track.Video != (tr.Width > 0) || track.EditList {
				t.Errorf("read back %+v", track)
			}
		})
	}
}

// The decoder configuration reaches the sample entry unchanged.
func TestConfigurationIsKept(t *testing.T) {
	for name, track := range map[string]int{"h264_aac": 0, "hevc": 0, "av1": 0, "opus": 0, "ac3": 0, "eac3": 0} {
		tr := clip(t, name, track)
		if init := initOf(t, tr); !bytes.Contains(init.Bytes, tr.Config.Extradata) {
			t.Errorf("%s: the encoder's configuration is not in the init segment as it was", name)
		}
	}
	aac := clip(t, "h264_aac", 1)
	if init := initOf(t, aac); !bytes.Contains(init.Bytes, aac.Config.Extradata) {
		t.Error("aac: AudioSpecificConfig missing")
	}
}

// Encoders that hand out start codes give the same init segment.
func TestInitFromAnnexB(t *testing.T) {
	tr := clip(t, "h264_aac", 0)
	rec, err := avc.DecodeAVCDecConfRec(tr.Config.Extradata)
	if err != nil {
		t.Fatal(err)
	}
	want := initOf(t, tr)
	tr.Config.Extradata = append([]byte{0, 0, 0, 1}, rec.SPSnalus[0]...)
	tr.Config.Extradata = append(append(tr.Config.Extradata, 0, 0, 1), rec.PPSnalus[0]...)
	if got := initOf(t, tr); got.Name != want.Name {
		t.Errorf("got %s, want %s", got.Name, want.Name)
	}
}

func TestInitFromAnnexBHEVC(t *testing.T) {
	tr := clip(t, "hevc", 0)
	rec, err := hevc.DecodeHEVCDecConfRec(tr.Config.Extradata)
	if err != nil {
		t.Fatal(err)
	}
	want := initOf(t, tr)
	tr.Config.Extradata = nil
	for _, kind := range []hevc.NaluType{hevc.NALU_VPS, hevc.NALU_SPS, hevc.NALU_PPS} {
		tr.Config.Extradata = append(append(tr.Config.Extradata, 0, 0, 0, 1), rec.GetNalusForType(kind)[0]...)
	}
	got := initOf(t, tr)
	if got.Codecs != want.Codecs || !bytes.Contains(got.Bytes, rec.GetNalusForType(hevc.NALU_PPS)[0]) {
		t.Errorf("got %s, want %s", got.Codecs, want.Codecs)
	}
}

func TestShapeAndColour(t *testing.T) {
	tr := clip(t, "h264_aac", 0)
	cfg := tr.Config
	cfg.SARNum, cfg.SARDen = 4, 3
	cfg.Primaries, cfg.Transfer, cfg.Matrix, cfg.FullRange = 9, 16, 9, true
	init, err := cmaf.InitVideo(ladders.Video{Codec: "h264", Width: tr.Width, Height: tr.Height}, cfg, 25)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(init.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if w := f.Init.Moov.Trak.Tkhd.Width >> 16; w != 128 {
		t.Errorf("display width %d, want 96·4/3", w)
	}
	entry := f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].(*mp4.VisualSampleEntryBox)
	if entry.Pasp == nil || entry.Pasp.HSpacing != 4 || entry.Pasp.VSpacing != 3 {
		t.Errorf("pasp %+v", entry.Pasp)
	}
	want := &mp4.ColrBox{ColorType: "nclx", ColorPrimaries: 9, TransferCharacteristics: 16, MatrixCoefficients: 9, FullRangeFlag: true}
	for _, child := range entry.Children {
		if colr, ok := child.(*mp4.ColrBox); ok {
			if diff := cmp.Diff(want, colr); diff != "" {
				t.Error(diff)
			}
			return
		}
	}
	t.Error("no colr box")
}

func TestBadConfiguration(t *testing.T) {
	video := func(codec string, b []byte) error {
		_, err := cmaf.InitVideo(ladders.Video{Codec: codec, Width: 16, Height: 16}, media.CodecConfig{Extradata: b}, 25)
		return err
	}
	audio := func(codec string, b []byte) error {
		_, err := cmaf.InitAudio(ladders.Audio{Codec: codec, Channels: 2, SampleRate: 48000}, media.CodecConfig{Extradata: b})
		return err
	}
	for name, err := range map[string]error{
		"no extradata": video("h264", nil), "junk avcC": video("h264", []byte{1, 2, 3}), "junk hvcC": video("hevc", []byte{1, 2, 3}),
		"start code alone": video("h264", []byte{0, 0, 0, 1}), "hevc start code": video("hevc", []byte{0, 0, 0, 1, 0x40, 1}),
		"junk av1C": video("av1", []byte{1, 2, 3, 4}), "unknown": video("theora", []byte{1}),
		"no ASC": audio("aac", nil), "short ASC": audio("aac", []byte{0x12}), "null ASC": audio("aac", []byte{0, 0}),
		"junk dOps": audio("opus", []byte{1}), "unknown audio": audio("mp3", []byte{1}),
	} {
		if !errors.Is(err, cmaf.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}

func TestLanguage(t *testing.T) {
	tr := clip(t, "h264_aac", 1)
	for tag, want := range map[string]string{"en": "eng", "de-CH": "deu", "und": "und", "": "und", "eng": "eng", "zh-Hant": "zho", "??": "und"} {
		init, err := cmaf.InitAudio(ladders.Audio{Codec: "aac", Channels: 1, SampleRate: 48000, Language: tag}, tr.Config)
		if err != nil {
			t.Fatal(err)
		}
		track, err := cmaf.ParseInit(init.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if track.Language != want {
			t.Errorf("%q became %q, want %q", tag, track.Language, want)
		}
	}
}

// What HDR pictures say about themselves stands in the sample entry, and AV1's
// CODECS says their colours.
func TestHDR(t *testing.T) {
	tr := clip(t, "av1", 0)
	cfg := tr.Config
	cfg.Primaries, cfg.Transfer, cfg.Matrix = 9, 16, 9
	cfg.Mastering = &media.Mastering{Primaries: [3][2]uint16{{13250, 34500}, {7500, 3000}, {34000, 16000}}, White: [2]uint16{15635, 16450}, Max: 10_000_000, Min: 50}
	cfg.Light = &media.LightLevel{Max: 1000, Average: 400}
	init, err := cmaf.InitVideo(ladders.Video{Codec: "av1", Width: tr.Width, Height: tr.Height}, cfg, 25)
	if err != nil {
		t.Fatal(err)
	}
	if init.Codecs != "av01.0.00M.08.0.110.09.16.09.0" {
		t.Errorf("CODECS %q", init.Codecs)
	}
	mdcv := "\x00\x00\x00\x20mdcv" + "\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42\x00\x98\x96\x80\x00\x00\x00\x32"
	clli := "\x00\x00\x00\x0cclli" + "\x03\xe8\x01\x90"
	for _, box := range []string{mdcv, clli} {
		if !bytes.Contains(init.Bytes, []byte(box)) {
			t.Errorf("no box %x in the init segment", box)
		}
	}
}
