package ladders

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/timeline"
)

func applied(t *testing.T, keys string, src Source, kind Kind) (*Resolved, error) {
	t.Helper()
	l, err := Parse("t.yaml", []byte("name: t\n"+keys))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse("m.yaml", l.Marshal()); err != nil || cmp.Diff(l, again) != "" {
		t.Errorf("written and read it is another ladder: %v\n%s\n%s", err, l.Marshal(), cmp.Diff(l, again))
	}
	return Resolve(l, src, kind)
}

func interlacedHD() Source {
	return Source{Video: &SourceVideo{Width: 1920, Height: 1080, Rate: timeline.Rate{Num: 25, Den: 1}, Interlaced: true}}
}

const hdRung = "video: [{name: v, height: 1080, codec: h264, bitrate: 5M"

func TestInterlacedSourcesGetTheRateThatRungsAskFor(t *testing.T) {
	for _, c := range []struct {
		keys, rate string
		fields     bool
	}{
		{hdRung + "}]", "25", false},
		{hdRung + ", fps: 25}]", "25", false},
		{hdRung + ", fps: 50}]", "50", true},
		{"deinterlace: frame\n" + hdRung + ", fps: 50}]", "50", false},
		{"deinterlace: field\n" + hdRung + "}]", "50", true},
		{"deinterlace: field\n" + hdRung + ", fps: source<=30}]", "50", true},
	} {
		r, err := applied(t, c.keys, interlacedHD(), Live)
		if err != nil {
			t.Fatal(err)
		}
		if v := r.Renditions[0].Video; r.Grid.Rate.String() != c.rate || v.Picture.Fields != c.fields {
			t.Errorf("%s: grid of %s, fields %t; want %s, %t", c.keys, r.Grid.Rate, v.Picture.Fields, c.rate, c.fields)
		}
		if repeated := strings.Contains(strings.Join(r.Notes, "|"), "repeated or dropped"); repeated != (c.rate == "50" && !c.fields) {
			t.Errorf("%s: notes %q", c.keys, r.Notes)
		}
	}
}

func TestCropAndPadMakeTheShape(t *testing.T) {
	sd := Source{Video: &SourceVideo{Width: 720, Height: 576, SampleAspectNum: 16, SampleAspectDen: 15, Rate: timeline.Rate{Num: 25, Den: 1}}}
	phone := Source{Video: &SourceVideo{Width: 1920, Height: 1080, Rotation: 90, Rate: timeline.Rate{Num: 25, Den: 1}}}
	for _, c := range []struct {
		keys string
		src  Source
		w, h int
		crop string
	}{
		{hdRung + ", upscale: true}]", sd, 1440, 1080, ""},
		{"pad: 16:9\n" + hdRung + ", upscale: true}]", sd, 1920, 1080, ""},
		{"crop: 1920x800+0+140\n" + hdRung + "}]", interlacedHD(), 1920, 800, "1920x800+0+140"},
		{"crop: {left: 240, right: 240}\n" + hdRung + "}]", interlacedHD(), 1440, 1080, "1440x1080+240+0"},
		{"crop: {left: 240, right: 240}\npad: 16:9\n" + hdRung + "}]", interlacedHD(), 1920, 1080, "1440x1080+240+0"},
		{"crop: {top: 420, bottom: 420}\n" + hdRung + "}]", phone, 1080, 1080, "1080x1080+0+420"},
	} {
		r, err := applied(t, c.keys, c.src, VOD)
		if err != nil {
			t.Fatal(err)
		}
		v, crop := r.Renditions[0].Video, ""
		if v.Picture.Crop != nil {
			crop = v.Picture.Crop.String()
		}
		if v.Width != c.w || v.Height != c.h || crop != c.crop {
			t.Errorf("%s: %dx%d of %q, want %dx%d of %q", c.keys, v.Width, v.Height, crop, c.w, c.h, c.crop)
		}
	}
	if _, err := applied(t, "crop: 1920x1080+2+0\n"+hdRung+"}]", interlacedHD(), VOD); !errors.Is(err, ErrNoMatch) || !strings.Contains(err.Error(), "1920x1080+2+0") {
		t.Errorf("a crop beside the picture: %v", err)
	}
}

func TestMapsAreHeldAgainstTheSource(t *testing.T) {
	eight := Source{Audio: make([]SourceAudio, 8)}
	for i := range eight.Audio {
		eight.Audio[i] = SourceAudio{Channels: 1, SampleRate: 48000}
	}
	stereo := Source{Audio: []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}, {Channels: 2, SampleRate: 48000, Language: "de"}}}
	const rung = "audio: [{name: a, codec: aac, bitrate: 128k, map: "
	for _, c := range []struct {
		m      string
		src    Source
		tracks []int
		says   string
	}{
		{"[2, 1]", stereo, []int{0, 1}, ""},
		{"[2]", stereo, []int{0, 1}, ""},
		{`["3:1", "4:1"]`, eight, []int{2}, ""},
		{`["8:1", "8:1"]`, eight, []int{7}, ""},
		{"[1, 3]", stereo, nil, "a.map[1] asks for channel 3 of track 1, which has 2"},
		{`["1:1", "9:1"]`, eight, nil, "a.map[1] asks for channel 9:1 and the source has 8 audio tracks"},
		{`["1:1", "2:2"]`, eight, nil, "a.map[1] asks for channel 2 of track 2, which has 1"},
	} {
		r, err := applied(t, rung+c.m+"}]", c.src, Live)
		if c.says != "" {
			if !errors.Is(err, ErrNoMatch) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", c.m, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var tracks []int
		for _, x := range r.Renditions {
			tracks = append(tracks, x.Audio.Track)
			if n := strings.Count(c.m, ",") + 1; x.Audio.Channels != n {
				t.Errorf("%s: %d channels", c.m, x.Audio.Channels)
			}
		}
		if cmp.Diff(c.tracks, tracks) != "" {
			t.Errorf("%s: of tracks %v, want %v", c.m, tracks, c.tracks)
		}
	}
}

func TestLoudnessIsForFiles(t *testing.T) {
	src := Source{Audio: []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}}
	const keys = "audio: [{name: a, codec: aac, bitrate: 128k, loudness: -23}]"
	if _, err := applied(t, keys, src, Live); !errors.Is(err, ErrNoMatch) || !strings.Contains(err.Error(), "gain: 3dB") {
		t.Errorf("live: %v, want a refusal that offers gain", err)
	}
	r, err := applied(t, keys, src, VOD)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&Loudness{Target: -2300, TruePeak: -100}); cmp.Diff(want, r.Renditions[0].Audio.Loudness) != "" {
		t.Errorf("%+v, want %+v", r.Renditions[0].Audio.Loudness, want)
	}
}

func TestDecibels(t *testing.T) {
	for s, want := range map[string]Decibel{"-23": -2300, "-23 LUFS": -2300, "3dB": 300, "-1.5 dBTP": -150, "+0.25": 25, "0": 0} {
		if got, err := ParseDecibel(s); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", s, got, err, want)
		}
		if again, err := ParseDecibel(want.String()); err != nil || again != want {
			t.Errorf("%d is written %q, read as %d", want, want, again)
		}
	}
	for _, s := range []string{"", "dB", "1e3", "--3", "3 Pa", "-1234", "1.234"} {
		if got, err := ParseDecibel(s); err == nil {
			t.Errorf("%q is taken as %d", s, got)
		}
	}
}
