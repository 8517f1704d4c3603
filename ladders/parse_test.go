package ladders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row is a ladder with one video rung, which the test completes.
func row(keys string) string {
	return "name: t\nvideo:\n  - {" + keys + "}\n"
}

const good = "name: a, height: 480, codec: h264, bitrate: 1M"

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "t.yaml:1:1: the file is empty; a ladder has a name and video or audio rungs"},
		{"comment only", "# nothing\n", "t.yaml:1:1: the file is empty; a ladder has a name and video or audio rungs"},
		{"scalar", "hd", `t.yaml:1:1: is "hd", want a mapping with the keys name, about, segment, gop, deinterlace, scaler, scale_from, crop, pad, denoise, overlays, video, audio, subtitles, thumbnails`},
		{"list", "- a", `t.yaml:1:1: is a list, want a mapping with the keys name, about, segment, gop, deinterlace, scaler, scale_from, crop, pad, denoise, overlays, video, audio, subtitles, thumbnails`},
		{"no rungs", "name: t", "t.yaml:1:1: the ladder has no rungs; give video or audio"},
		{"two documents", "name: a\n---\nname: b\n", "t.yaml:3:5: a second document; a file holds one ladder"},
		{"not yaml", "name: [t\n", "t.yaml:1:7: not readable as YAML: sequence end token ']' not found"},
		{"name missing", "audio: [{name: s, codec: aac, bitrate: 96k}]", `t.yaml:1:1: the key "name" is missing`},
		{"name a number", "name: 12\n", `t.yaml:1:7: name: is "12", want a name of letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 40 long; put it in quotes`},
		{"name a path", row("name: ../a, height: 480, codec: h264, bitrate: 1M"), `t.yaml:3:12: video[0].name: "../a" is not allowed, want a name of letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 40 long`},
		{"name a playlist", row("name: master.m3u8, height: 480, codec: h264, bitrate: 1M"), `t.yaml:3:12: video[0].name: "master.m3u8" is not allowed, want a name of letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 40 long`},
		{"unknown key", row(good + ", max_rate: 1M"), `t.yaml:3:54: video[0]: unknown key "max_rate", did you mean "maxrate"?; allowed are name, height, width, size, fps, codec, profile, level, depth, range, bitrate, maxrate, bufsize, preset, upscale, scaler`},
		{"unknown key, no idea", "foo: 1\nname: t\naudio: [{name: s, codec: aac, bitrate: 96k}]", `t.yaml:1:1: unknown key "foo"; allowed are name, about, segment, gop, deinterlace, scaler, scale_from, crop, pad, denoise, overlays, video, audio, subtitles, thumbnails`},
		{"key twice", "name: t\nname: u\naudio: [{name: s, codec: aac, bitrate: 96k}]", "t.yaml:2:1: name: is given twice; first on line 1"},
		{"name twice", row(good) + "audio:\n  - {name: A, codec: aac, bitrate: 96k}\n", `t.yaml:5:12: audio[0].name: "A" is taken by video[0] on line 3; names are folders and must differ by more than case`},
		{"required", row("height: 480"), "t.yaml:3:6: video[0]: the key \"name\" is missing\nt.yaml:3:6: video[0]: the key \"codec\" is missing\nt.yaml:3:6: video[0]: the key \"bitrate\" is missing"},
		{"no size", row("name: a, codec: h264, bitrate: 1M"), "t.yaml:3:6: video[0]: give exactly one of height (720), width (1280) and size (1280x720); 0 are given"},
		{"two sizes", row(good + ", width: 640"), "t.yaml:3:6: video[0]: give exactly one of height (720), width (1280) and size (1280x720); 2 are given"},
		{"hex height", row("name: a, height: 0x1E0, codec: h264, bitrate: 1M"), `t.yaml:3:23: video[0].height: 0x1E0 is not allowed, want a whole number from 16 to 8192`},
		{"height a word", row("name: a, height: 480p, codec: h264, bitrate: 1M"), `t.yaml:3:23: video[0].height: is "480p", want a whole number from 16 to 8192`},
		{"size", row("name: a, size: 640×360, codec: h264, bitrate: 1M"), `t.yaml:3:21: video[0].size: "640×360" is not allowed, want a size such as 1280x720, each side from 16 to 8192`},
		{"codec", row("name: a, height: 480, codec: vp9, bitrate: 1M"), `t.yaml:3:35: video[0].codec: "vp9" is not allowed, want one of h264, hevc, av1`},
		{"profile of another codec", row(good + ", profile: main10"), `t.yaml:3:63: video[0].profile: "main10" is not a profile of h264, want one of high, main, baseline`},
		{"level", row(good + ", level: 4.5"), `t.yaml:3:61: video[0].level: "4.5" is not a level of h264, want one of 1.0, 1.1, 1.2, 1.3, 2.0, 2.1, 2.2, 3.0, 3.1, 3.2, 4.0, 4.1, 4.2, 5.0, 5.1, 5.2, 6.0, 6.1, 6.2`},
		{"bit rate unit", row("name: a, height: 480, codec: h264, bitrate: 6000kbps"), `t.yaml:3:50: video[0].bitrate: "6000kbps" is not allowed, want 16k to 240M, written as 6000k, 6M or 6000000`},
		{"bit rate fraction of a bit", row("name: a, height: 480, codec: h264, bitrate: 6000000.5"), `t.yaml:3:50: video[0].bitrate: "6000000.5" is not allowed, want 16k to 240M, written as 6000k, 6M or 6000000`},
		{"maxrate", row(good + ", maxrate: 900k"), "t.yaml:3:63: video[0].maxrate: 900k is below the bitrate of 1000k; maxrate is the peak"},
		{"10 bits of h264", row(good + ", depth: 10"), "t.yaml:3:61: video[0].depth: 10 is not offered for h264: players cannot play 10-bit H.264; use hevc or av1"},
		{"HDR in h264", row(good + ", range: source"), "t.yaml:3:61: video[0].range: h264 rungs are SDR: HDR needs 10 bits, and players cannot play 10-bit H.264; use hevc or av1 (hevc with profile main10, av1 with depth 10), or range: sdr"},
		{"HDR in 8 bits of hevc", row("name: v, height: 480, codec: hevc, profile: main, range: source, bitrate: 1M"), `t.yaml:3:63: video[0].range: "source" keeps HDR pictures, which need 10 bits; use profile main10`},
		{"HDR in 8 bits of av1", row("name: v, height: 480, codec: av1, depth: 8, range: source, bitrate: 1M"), `t.yaml:3:57: video[0].range: "source" keeps HDR pictures, which need 10 bits; use depth 10`},
		{"depth against profile", row("name: v, height: 480, codec: hevc, profile: main10, depth: 8, bitrate: 1M"), "t.yaml:3:65: video[0].depth: 8 does not go with profile main10; main is 8 bits, main10 is 10"},
		{"depth of 9", row("name: v, height: 480, codec: av1, depth: 9, bitrate: 1M"), "t.yaml:3:47: video[0].depth: 9 is not allowed, want 8 or 10"},
		{"bufsize", row(good + ", bufsize: 50k"), "t.yaml:3:63: video[0].bufsize: 50k is less than a tenth of a second of maxrate (110k); one picture would not fit"},
		{"fps", row(good + ", fps: source<=1000"), `t.yaml:3:59: video[0].fps: "source<=1000" is not allowed, want source, source<=60, source/2, source/2<=30, or a rate from 5 to 300 such as 50 or 30000/1001`},
		{"upscale", row(good + ", upscale: yes please"), `t.yaml:3:63: video[0].upscale: is "yes please", want true or false`},
		{"empty value", row(good + ", preset:"), `t.yaml:3:61: video[0].preset: is empty, want one of fastest, fast, balanced, quality`},
		{"alias", "name: &n t\n", `t.yaml:1:7: name: is an anchor or alias (not used in ladders), want a name of letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 40 long`},
		{"gop", "gop: 1.5s\n" + row(good), "t.yaml:1:6: gop: 1.5s does not divide the live segment of 2s; a segment is a whole number of GOPs"},
		{"segment without unit", "segment: {live: 2}\n" + row(good), `t.yaml:1:17: segment.live: "2" is not allowed, want a duration from 500ms to 30s with its unit, such as 2s or 1.92s`},
		{"stated and followed rates", row(good+", fps: 50") + "  - {name: b, height: 360, codec: h264, bitrate: 500k}\n", `t.yaml:3:3: video: "a" states the frame rate 50 while others follow the source; state it for every rung or for none (source<=50 limits)`},
		{"stated rates that do not divide", row(good+", fps: 50") + "  - {name: b, height: 360, codec: h264, bitrate: 500k, fps: 30}\n", `t.yaml:3:3: video: "b" has the frame rate 30, of which the fastest rung's 50 is no whole multiple`},
		{"scale_from", "scale_from: half\n" + row(good), `t.yaml:1:13: scale_from: "half" is not allowed, want one of larger, source`},
		{"scaler", row(good + ", scaler: nearest"), `t.yaml:3:62: video[0].scaler: "nearest" is not allowed, want one of bilinear, bicubic, spline, lanczos`},
		{"odd crop", "crop: 641x360+0+0\n" + row(good), `t.yaml:1:7: crop: "641x360+0+0" is not allowed, want sides from 16 on and even numbers: half of a colour sample cannot be cut away`},
		{"odd side", "crop: {left: 3}\n" + row(good), `t.yaml:1:14: crop.left: 3 is not allowed, want even numbers: half of a colour sample cannot be cut away`},
		{"pad", "pad: 1.78\n" + row(good), `t.yaml:1:6: pad: "1.78" is not allowed, want a shape such as 16:9 or 4:3`},
		{"overlay of nothing", "overlays: [{at: top}]\n" + row(good), "t.yaml:1:13: overlays[0]: give exactly one of logo (a PNG file) and text; 0 are given"},
		{"overlay of both", "overlays: [{logo: a.png, text: a}]\n" + row(good), "t.yaml:1:13: overlays[0]: give exactly one of logo (a PNG file) and text; 2 are given"},
		{"overlay anywhere", "overlays: [{logo: a.png, at: centre}]\n" + row(good), `t.yaml:1:30: overlays[0].at: "centre" is not allowed, want one of top-left, top, top-right, left, middle, right, bottom-left, bottom, bottom-right`},
		{"overlay of another shape", "overlays: [{logo: a.png, width: 12%, height: 9%}]\n" + row(good), "t.yaml:1:46: overlays[0].height: does not go with width: a logo keeps its shape"},
		{"wide text", "overlays: [{text: a, width: 12%}]\n" + row(good), "t.yaml:1:29: overlays[0].width: is for logos; the size of text is its height"},
		{"width in pixels", "overlays: [{logo: a.png, width: 200}]\n" + row(good), `t.yaml:1:33: overlays[0].width: "200" is not allowed, want 1% to 100%, written with the sign`},
		{"margin", "overlays: [{logo: a.png, margin: 50%}]\n" + row(good), `t.yaml:1:34: overlays[0].margin: "50%" is not allowed, want 0% to 40%, written with the sign`},
		{"opacity", "overlays: [{logo: a.png, opacity: 0.8}]\n" + row(good), `t.yaml:1:35: overlays[0].opacity: "0.8" is not allowed, want 5% to 100%, written with the sign`},
		{"unknown field", "overlays: [{text: \"at {time}\"}]\n" + row(good), `t.yaml:1:19: overlays[0].text: "{time}" is no field; there are {timecode} and {job}`},
		{"half a field", "overlays: [{text: \"{job\"}]\n" + row(good), `t.yaml:1:19: overlays[0].text: "{" is no field; there are {timecode} and {job}`},
		{"text without shapes", "overlays: [{text: \"GOAL ⚽\"}]\n" + row(good), `t.yaml:1:19: overlays[0].text: the font has no character '⚽'; it has Latin, Greek and Cyrillic letters: draw other text as a logo`},
		{"no text", "overlays: [{text: \"  \"}]\n" + row(good), `t.yaml:1:19: overlays[0].text: "  " is not allowed, want one line of 1 to 80 characters, with {timecode} and {job} where they shall stand`},
		{"five overlays", "overlays: [{text: a}, {text: b}, {text: c}, {text: d}, {text: e}]\n" + row(good), "t.yaml:1:11: overlays: has 5 entries, at most 4 are allowed"},
		{"denoise", "denoise: max\n" + row(good), `t.yaml:1:10: denoise: "max" is not allowed, want one of light, medium, strong`},
		{"map against channels", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, channels: 1, map: [1, 2]}]", "t.yaml:2:63: audio[0].map: names 2 channels, and channels says 1"},
		{"map of three", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, map: [1, 2, 3]}]", "t.yaml:2:50: audio[0].map: names 3 channels, want 1 (mono), 2 (stereo), 6 (5.1) or 8 (7.1)"},
		{"map with half the tracks", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, map: [1, \"2:1\"]}]", "t.yaml:2:50: audio[0].map: names a track for some channels and none for others; give all of them one, or none"},
		{"map of channel 0", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, map: [0, 1]}]", "t.yaml:2:51: audio[0].map[0]: \"0\" is not allowed, want a channel such as 2, or with its track \"3:1\", each from 1 on"},
		{"gain", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, gain: loud}]", "t.yaml:2:51: audio[0].gain: \"loud\" is not allowed, want -60 to 30 dB"},
		{"gain and loudness", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, gain: 3dB, loudness: -23}]", "t.yaml:2:51: audio[0].gain: does not go with loudness, which sets the gain itself"},
		{"loudness", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, loudness: 23}]", "t.yaml:2:55: audio[0].loudness: \"23\" is not allowed, want -23 (LUFS), measure, or a mapping with target and true_peak; targets go from -40 to -8 LUFS"},
		{"channels", "name: t\naudio: [{name: s, codec: ac-3, channels: 8, bitrate: 448k}]", "t.yaml:2:42: audio[0].channels: 8 is not allowed, ac-3 has at most 6"},
		{"channel layout", "name: t\naudio: [{name: s, codec: aac, channels: 5, bitrate: 448k}]", "t.yaml:2:41: audio[0].channels: 5 is not allowed, want 1 (mono), 2 (stereo), 6 (5.1) or 8 (7.1)"},
		{"sample rate", "name: t\naudio: [{name: s, codec: opus, sample_rate: 44100, bitrate: 64k}]", "t.yaml:2:45: audio[0].sample_rate: 44100 is not a sample rate of opus"},
		{"ac-3 rate", "name: t\naudio: [{name: s, codec: ac-3, bitrate: 100k}]", "t.yaml:2:41: audio[0].bitrate: 100k is not a bit rate of ac-3; near ones are 112k"},
		{"too much aac", "name: t\naudio: [{name: s, codec: aac, bitrate: 1M}]", "t.yaml:2:40: audio[0].bitrate: 1000k is not allowed, want 16k to 528k for aac with 2 channels"},
		{"languages", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, languages: [en, eng, english!]}]", "t.yaml:2:61: audio[0].languages[1]: \"eng\" is listed twice\nt.yaml:2:66: audio[0].languages[2]: \"english!\" is not allowed, want a language such as en or pt-BR"},
		{"no languages", "name: t\naudio: [{name: s, codec: aac, bitrate: 96k, languages: []}]", "t.yaml:2:56: audio[0].languages: is empty, want all, first, or a list of languages such as [en, de]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Parse("t.yaml", []byte(c.text))
			if err == nil {
				t.Fatalf("no error, got %+v", l)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if !errors.Is(err, ErrBadLadder) {
				t.Errorf("%v is not ErrBadLadder", err)
			}
		})
	}
}

func TestParseReportsEverythingAtOnceInOrder(t *testing.T) {
	_, err := Parse("t.yaml", []byte("name: 12\nvideo:\n  - {name: a, hieght: 7, codec: h265, bitrate: 6x}\n  - {name: A, height: 3, codec: h264, bitrate: [1]}\nfoo: 1\n"))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var at []string
	for _, p := range problems {
		at = append(at, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Path))
	}
	want := []string{"1:7 name", "3:6 video[0]", "3:15 video[0]", "3:33 video[0].codec", "3:48 video[0].bitrate",
		"4:12 video[1].name", "4:23 video[1].height", "4:48 video[1].bitrate", "5:1 "}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHostileFilesEndQuickly(t *testing.T) {
	for name, text := range map[string]string{
		"huge":            strings.Repeat("a", 1<<20),
		"deep brackets":   strings.Repeat("[", 30000),
		"deep braces":     strings.Repeat("{a: ", 8000),
		"deep lines":      strings.Repeat("[\n", 15000),
		"deep dashes":     strings.Repeat("- ", 15000) + "a",
		"deep questions":  strings.Repeat("? ", 15000) + "a",
		"staircase":       staircase(300),
		"many keys":       strings.Repeat("a: 1\n", 6000),
		"many rungs":      "name: t\nvideo:\n" + strings.Repeat("  - {}\n", 5000),
		"many anchors":    "name: &a t\nvideo: [" + strings.Repeat("*a, ", 6000) + "]",
		"control":         "name: \x00\x01\nabout: \xff\xfe",
		"byte order mark": "\ufeffname: \ufeff",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := Parse("t.yaml", []byte(text)); err == nil {
				t.Error("no error")
			} else if len(err.Error()) > 2<<20 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestSampleShowsEveryKey(t *testing.T) {
	l, err := Parse("sample.yaml", Sample())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Video) != 3 || len(l.Audio) != 2 {
		t.Errorf("%d video and %d audio rungs", len(l.Video), len(l.Audio))
	}
	allowed := regexp.MustCompile(`allowed are (.*)`)
	_, err = Parse("t", []byte("x: 1\nsegment: {x: 1}\noverlays: [{x: 1}]\nvideo: [{x: 1}]\naudio: [{x: 1}]"))
	for _, m := range allowed.FindAllStringSubmatch(err.Error(), -1) {
		for key := range strings.SplitSeq(m[1], ", ") {
			if !regexp.MustCompile(`(?m)(^|[{ #-])`+key+`: `).Match(Sample()) && !strings.Contains(string(Sample()), key+":\n") {
				t.Errorf("the sample does not show %q", key)
			}
		}
	}
}

// The comments of the sample state the defaults; this holds them to it.
func TestDefaults(t *testing.T) {
	l, err := Parse("t", []byte("name: t\nvideo: [{name: v, height: 480, codec: h264, bitrate: 1M}]\naudio: [{name: a, codec: aac, bitrate: 96k}]"))
	if err != nil {
		t.Fatal(err)
	}
	fps, err := ParseFPS("source<=60")
	if err != nil {
		t.Fatal(err)
	}
	want := &Ladder{
		Name: "t", Segment: Segment{2 * time.Second, 6 * time.Second}, Deinterlace: AutoRate, Scaler: Lanczos, ScaleFrom: FromLarger,
		Video: []VideoRung{{Name: "v", Height: 480, FPS: fps, Codec: "h264", Profile: "high", Depth: 8, Range: KeepSDR, Bitrate: 1_000_000, Maxrate: 1_100_000, Bufsize: 1_100_000, Preset: "balanced", Scaler: Lanczos}},
		Audio: []AudioRung{{Name: "a", Codec: "aac", Channels: 2, Bitrate: 96_000, SampleRate: 48000}},
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPresetsAreNamedLikeTheirFiles(t *testing.T) {
	files, err := filepath.Glob("presets/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		l, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); l.Name != want || l.About == "" {
			t.Errorf("%s is named %q, about %q", file, l.Name, l.About)
		}
		if again, err := Load(l.Name); err != nil || cmp.Diff(l, again) != "" {
			t.Errorf("preset %s: %v", l.Name, err)
		}
	}
	if len(Presets()) != len(files) {
		t.Errorf("%d presets, %d files", len(Presets()), len(files))
	}
}

func TestLoadNamesWhatThereIs(t *testing.T) {
	_, err := Load("4k")
	if !errors.Is(err, ErrUnknownPreset) || !strings.Contains(err.Error(), "hd, hdr, low, mini") {
		t.Error(err)
	}
	if _, err := Load("nowhere/ladder.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Load("../../etc/passwd"); errors.Is(err, ErrUnknownPreset) {
		t.Error("a path was taken for a preset:", err)
	}
}

func TestFPSRules(t *testing.T) {
	for _, c := range []struct{ rule, source, want string }{
		{"source", "50", "50"}, {"source", "240", "240"},
		{"source<=60", "50", "50"}, {"source<=60", "59.94", "60000/1001"}, {"source<=60", "120", "60"},
		{"source<=60", "119.88", "60000/1001"}, {"source<=60", "100", "50"}, {"source<=60", "240", "60"},
		{"source<=30", "50", "25"}, {"source<=30", "59.94", "30000/1001"}, {"source<=30", "60", "30"}, {"source<=30", "24", "24"},
		{"source<=30", "23.976", "24000/1001"}, {"source<=30", "30", "30"}, {"source<=30", "25", "25"}, {"source<=30", "48", "24"},
		{"source<=30", "120", "30"}, {"source<=30", "100", "25"},
		{"source<=25", "50", "25"}, {"source<=25", "60", "20"}, {"source<=15", "50", "25/2"}, {"source<=15", "30", "15"},
		{"source/2", "50", "25"}, {"source/2", "24", "12"}, {"source/2<=30", "120", "30"}, {"source/2<=30", "50", "25"},
		{"source/3", "60", "20"}, {"source/3<=15", "120", "40/3"},
		// within one per cent of the limit
		{"source<=30", "30.02", "1501/50"}, {"source<=60", "61", "61/2"},
	} {
		rule, err := ParseFPS(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		source := rate(t, c.source)
		if got := source.Div(rule.divisor(source)); got.String() != c.want {
			t.Errorf("%s of %s is %s, want %s", c.rule, c.source, got, c.want)
		}
	}
}

func TestFPSRulesRefused(t *testing.T) {
	for _, s := range []string{"", "source<=", "source/0", "source/5", "source/2/2", "source<60", "source>=30", "0", "-25", "4", "301", "1e2", "30000/0", "NaN", "source <= 60", "source<=1/3"} {
		if f, err := ParseFPS(s); err == nil {
			t.Errorf("%q is taken as %s", s, f)
		}
	}
}

func TestBits(t *testing.T) {
	for s, want := range map[string]int64{"6000k": 6_000_000, "6M": 6_000_000, "128000": 128_000, "6.5M": 6_500_000, "0.128M": 128_000, "160.5k": 160_500} {
		if got, err := parseBits(s); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", s, got, err, want)
		}
		if back, err := parseBits(formatBits(want)); err != nil || back != want {
			t.Errorf("%d is written %s, read %d", want, formatBits(want), back)
		}
	}
	for _, s := range []string{"", "k", "6K", "6m", "6 M", "-1k", "+1", "1e6", "0x10", "1_000", "6Mbit", "9999999999999999999M"} {
		if got, err := parseBits(s); err == nil {
			t.Errorf("%q is taken as %d", s, got)
		}
	}
}
