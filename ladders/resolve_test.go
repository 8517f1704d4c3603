package ladders

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/timeline"
)

func rate(t testing.TB, s string) timeline.Rate {
	t.Helper()
	r, err := timeline.ParseRate(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func preset(t testing.TB, name string) *Ladder {
	t.Helper()
	l, err := Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func parse(t testing.TB, text string) *Ladder {
	t.Helper()
	l, err := Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func resolve(t testing.TB, l *Ladder, src Source, kind Kind) *Resolved {
	t.Helper()
	r, err := Resolve(l, src, kind)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// picture is a progressive square-pixel source.
func picture(w, h int, fps timeline.Rate) Source {
	return Source{Video: &SourceVideo{Width: w, Height: h, Rate: fps}}
}

// shown is "name WxH@fps bitrate" of every video rendition.
func shown(r *Resolved) string {
	var out []string
	for _, x := range r.Renditions {
		if v := x.Video; v != nil {
			out = append(out, fmt.Sprintf("%s %dx%d@%s %s", x.Name, v.Width, v.Height, r.Grid.Rate.Div(v.Divisor), formatBits(v.Bitrate)))
		}
	}
	return strings.Join(out, "; ")
}

func heard(r *Resolved) string {
	var out []string
	for _, x := range r.Renditions {
		if a := x.Audio; a != nil {
			mark := ""
			if a.Default {
				mark = "*"
			}
			out = append(out, fmt.Sprintf("%s%s #%d %dch %s %q", x.Name, mark, a.Track, a.Channels, formatBits(a.Bitrate), a.Label))
		}
	}
	return strings.Join(out, "; ")
}

func TestSizes(t *testing.T) {
	one := func(size, extra string) *Ladder {
		return parse(t, row("name: a, "+size+", codec: h264, bitrate: 1M"+extra))
	}
	for _, c := range []struct {
		name, size, extra string
		video             SourceVideo
		want              string
	}{
		{"16:9", "height: 720", "", SourceVideo{Width: 1920, Height: 1080}, "1280x720"},
		{"odd result", "height: 480", "", SourceVideo{Width: 1920, Height: 1080}, "854x480"},
		{"4:3", "height: 720", "", SourceVideo{Width: 1440, Height: 1080}, "960x720"},
		{"2.39:1 keeps to the 16:9 box", "height: 720", "", SourceVideo{Width: 1920, Height: 804}, "1280x536"},
		{"2.39:1 at full width", "height: 1080", "", SourceVideo{Width: 1920, Height: 804}, "1920x804"},
		{"portrait turns the box", "height: 720", "", SourceVideo{Width: 1080, Height: 1920}, "720x1280"},
		{"portrait by rotation", "height: 720", "", SourceVideo{Width: 1920, Height: 1080, Rotation: 90}, "720x1280"},
		{"rotation against the clock", "height: 720", "", SourceVideo{Width: 1920, Height: 1080, Rotation: -90}, "720x1280"},
		{"upside down", "height: 720", "", SourceVideo{Width: 1920, Height: 1080, Rotation: 180}, "1280x720"},
		{"square", "height: 720", "", SourceVideo{Width: 2000, Height: 2000}, "720x720"},
		{"PAL 16:9", "height: 480", "", SourceVideo{Width: 720, Height: 576, SampleAspectNum: 64, SampleAspectDen: 45}, "854x480"},
		{"PAL 4:3", "height: 576", "", SourceVideo{Width: 720, Height: 576, SampleAspectNum: 16, SampleAspectDen: 15}, "768x576"},
		{"NTSC 4:3", "height: 480", "", SourceVideo{Width: 720, Height: 480, SampleAspectNum: 8, SampleAspectDen: 9}, "640x480"},
		{"NTSC 16:9", "height: 480", "", SourceVideo{Width: 720, Height: 480, SampleAspectNum: 32, SampleAspectDen: 27}, "854x480"},
		{"HDV", "height: 1080", "", SourceVideo{Width: 1440, Height: 1080, SampleAspectNum: 4, SampleAspectDen: 3}, "1920x1080"},
		{"anamorphic and rotated", "height: 1080", "", SourceVideo{Width: 1440, Height: 1080, SampleAspectNum: 4, SampleAspectDen: 3, Rotation: 270}, "1080x1920"},
		{"nonsense aspect", "height: 480", "", SourceVideo{Width: 640, Height: 480, SampleAspectNum: 1000, SampleAspectDen: 1}, "640x480"},
		{"aspect unknown", "height: 480", "", SourceVideo{Width: 640, Height: 480, SampleAspectNum: 0, SampleAspectDen: 1}, "640x480"},
		{"odd source", "height: 480", "", SourceVideo{Width: 641, Height: 361}, "640x360"},
		{"nearly the rung", "height: 1080", "", SourceVideo{Width: 1916, Height: 1076}, "1916x1076"},
		{"a little above the rung", "height: 1080", "", SourceVideo{Width: 1920, Height: 1088}, "1920x1088"},
		{"no upscaling", "height: 1080", "", SourceVideo{Width: 640, Height: 360}, "640x360"},
		{"upscaling", "height: 1080", ", upscale: true", SourceVideo{Width: 640, Height: 360}, "1920x1080"},
		{"by width", "width: 640", "", SourceVideo{Width: 1920, Height: 804}, "640x268"},
		{"by width, portrait", "width: 640", "", SourceVideo{Width: 1080, Height: 1920}, "360x640"},
		{"by size", "size: 640x640", "", SourceVideo{Width: 1920, Height: 1080}, "640x360"},
		{"thin", "height: 480", "", SourceVideo{Width: 16, Height: 4000}, "16x4000"},
		{"thinner", "height: 480", "", SourceVideo{Width: 1, Height: 65000}, "16x8192"},
		{"flat", "height: 480", "", SourceVideo{Width: 4000, Height: 20}, "3200x16"},
		{"one pixel", "height: 480", "", SourceVideo{Width: 1, Height: 1}, "16x16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.video.Rate = whole(25)
			got := resolve(t, one(c.size, c.extra), Source{Video: &c.video}, Live).Renditions[0].Video
			if s := fmt.Sprintf("%dx%d", got.Width, got.Height); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

func TestRungsAboveTheSource(t *testing.T) {
	for _, c := range []struct {
		name, ladder string
		w, h         int
		want         string
	}{
		{"all fit", "mini", 1920, 1080, "480p 854x480@25 1000k; 360p 640x360@25 550k; 240p 426x240@25 250k"},
		{"one left out", "mini", 640, 360, "360p 640x360@25 550k; 240p 426x240@25 250k"},
		{"between rungs: the next one up is reduced", "mini", 800, 450, "480p 800x450@25 908k; 360p 640x360@25 550k; 240p 426x240@25 250k"},
		{"just above a rung: that rung will do", "mini", 672, 378, "360p 640x360@25 550k; 240p 426x240@25 250k"},
		{"below all: one rung of the source's size", "mini", 160, 90, "240p 160x90@25 58k"},
		{"both at the top are kept", "hd", 1920, 1080, "1080p-high 1920x1080@25 7800k; 1080p 1920x1080@25 6000k; 720p-high 1280x720@25 4500k; 720p 1280x720@25 3000k; 540p 960x540@25 2000k; 432p 768x432@25 1100k; 360p 640x360@25 600k; 234p 416x234@25 250k"},
		{"both at the top are kept at 720", "hd", 1280, 720, "720p-high 1280x720@25 4500k; 720p 1280x720@25 3000k; 540p 960x540@25 2000k; 432p 768x432@25 1100k; 360p 640x360@25 600k; 234p 416x234@25 250k"},
		{"a second one is reduced to the top size", "hd", 960, 540, "720p 960x540@25 2600k; 540p 960x540@25 2000k; 432p 768x432@25 1100k; 360p 640x360@25 600k; 234p 416x234@25 250k"},
		{"both are reduced", "hd", 300, 168, "360p 300x168@25 201k; 234p 300x168@25 154k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shown(resolve(t, preset(t, c.ladder), picture(c.w, c.h, whole(25)), Live))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCodecsAreFittedSeparately(t *testing.T) {
	l := parse(t, "name: t\nvideo:\n  - {name: a, height: 1080, codec: hevc, bitrate: 4M}\n  - {name: b, height: 1080, codec: h264, bitrate: 6M}\n  - {name: c, height: 360, codec: h264, bitrate: 600k}\n")
	want := "a 1280x720@25 2178k; b 1280x720@25 3266k; c 640x360@25 600k"
	if got := shown(resolve(t, l, picture(1280, 720, whole(25)), Live)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestGridRates(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   timeline.Rate
		want   string
		frames int64 // in a GOP of mini
		noted  bool
	}{
		{"film", timeline.Rate{Num: 24000, Den: 1001}, "24000/1001", 48, false},
		{"PAL", timeline.Rate{Num: 50, Den: 1}, "50", 100, false},
		{"NTSC", timeline.Rate{Num: 60000, Den: 1001}, "60000/1001", 120, false},
		{"29.97 written so", timeline.Rate{Num: 2997, Den: 100}, "30000/1001", 60, false},
		{"23.98 written so", timeline.Rate{Num: 2398, Den: 100}, "24000/1001", 48, false},
		{"measured", timeline.Rate{Num: 25003, Den: 1000}, "25", 50, false},
		{"odd", timeline.Rate{Num: 19001, Den: 1317}, "19001/1317", 29, false},
		{"too fine for a timescale", timeline.Rate{Num: 13_371_337, Den: 1_000_000}, "13371/1000", 27, false},
		{"high speed", timeline.Rate{Num: 240, Den: 1}, "240", 480, false},
		{"a time base", timeline.Rate{Num: 90000, Den: 1}, "60", 120, true},
		{"milliseconds", timeline.Rate{Num: 1000, Den: 1}, "60", 120, true},
		{"unknown", timeline.Rate{}, "25", 50, true},
		{"negative", timeline.Rate{Num: -25, Den: 1}, "25", 50, true},
		{"slides", timeline.Rate{Num: 1, Den: 10}, "5", 10, true},
		{"one a second", timeline.Rate{Num: 1, Den: 1}, "5", 10, true},
		{"a still", timeline.Rate{Num: 1, Den: 1 << 60}, "5", 10, true},
		{"hostile", timeline.Rate{Num: 1<<63 - 1, Den: 1<<62 - 1}, "6", 12, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := resolve(t, preset(t, "mini"), picture(640, 480, c.rate), Live)
			if r.Grid.Rate.String() != c.want || r.Grid.FramesPerGOP != c.frames || (len(r.Notes) > 0) != c.noted {
				t.Errorf("%+v %q", r.Grid, r.Notes)
			}
		})
	}
}

func TestSegmentsAreWholeGOPs(t *testing.T) {
	for _, c := range []struct {
		keys string
		kind Kind
		gops int64
		gop  int64 // frames at 50 fps
	}{
		{"", Live, 1, 100}, {"", VOD, 3, 100},
		{"segment: {live: 6s}\n", Live, 3, 100},
		{"segment: {live: 1s}\n", Live, 1, 50},
		{"segment: {live: 3s}\n", Live, 2, 75},
		{"segment: {live: 4s, vod: 8s}\ngop: 4s\n", VOD, 2, 200},
		{"segment: {live: 1.92s, vod: 5.76s}\n", VOD, 3, 96},
	} {
		r := resolve(t, parse(t, c.keys+row(good)), picture(1280, 720, whole(50)), c.kind)
		if r.Grid.GOPsPerSegment != c.gops || r.Grid.FramesPerGOP != c.gop {
			t.Errorf("%q for %s: %+v", c.keys, c.kind, r.Grid)
		}
	}
}

func TestInterlacedSources(t *testing.T) {
	src := Source{Video: &SourceVideo{Width: 1920, Height: 1080, Rate: whole(25), Interlaced: true}}
	if r := resolve(t, preset(t, "hd"), src, Live); r.Grid.Rate != whole(25) {
		t.Errorf("one picture a frame: %v", r.Grid.Rate)
	}
	r := resolve(t, preset(t, "sports"), src, Live)
	if r.Grid.Rate != whole(50) || !strings.Contains(shown(r), "1080p 1920x1080@50") || !strings.Contains(shown(r), "360p 640x360@25") {
		t.Errorf("one picture a field: %v %s", r.Grid.Rate, shown(r))
	}
	src.Video.Interlaced = false
	if r := resolve(t, preset(t, "sports"), src, Live); r.Grid.Rate != whole(25) {
		t.Errorf("progressive: %v", r.Grid.Rate)
	}
}

func TestStatedRates(t *testing.T) {
	l := parse(t, row(good+", fps: 60")+"  - {name: b, height: 360, codec: h264, bitrate: 500k, fps: 30}\n")
	for source, want := range map[string]string{
		"60": "a 854x480@60 1000k; b 640x360@30 500k",
		"25": "a 854x480@60 1000k; b 640x360@30 500k",
		// 59.94 is what people mean by 60 when that is what there is
		"59.94": "a 854x480@60000/1001 1000k; b 640x360@30000/1001 500k",
	} {
		if got := shown(resolve(t, l, picture(1280, 720, rate(t, source)), Live)); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}

// Divisors whose common multiple is longer than a GOP would make ten-second
// GOPs at odd rates.
func TestDivisorsKeepTheGOPShort(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: t\nvideo:\n")
	for i, limit := range []int{60, 50, 30, 25, 24, 15, 12, 10} {
		fmt.Fprintf(&b, "  - {name: r%d, height: 480, codec: h264, bitrate: 1M, fps: source<=%d}\n", i, limit)
	}
	for n := int64(minSourceRate); n <= maxSourceRate; n++ {
		r := resolve(t, parse(t, b.String()), picture(1280, 720, whole(n)), Live)
		if r.Grid.FramesPerGOP > 4*n {
			t.Errorf("%d fps: %d frames a GOP", n, r.Grid.FramesPerGOP)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		codec, profile string
		w, h           int
		fps            int64
		bitrate        string
		want           string
	}{
		{"h264", "high", 1920, 1080, 30, "6M", "avc1.640028"},
		{"h264", "high", 1920, 1080, 50, "6M", "avc1.64002A"},
		{"h264", "high", 1920, 1080, 60, "6M", "avc1.64002A"},
		{"h264", "high", 1280, 720, 30, "3M", "avc1.64001F"},
		{"h264", "high", 1280, 720, 60, "3M", "avc1.640020"},
		{"h264", "main", 640, 360, 30, "600k", "avc1.4D401E"},
		{"h264", "baseline", 416, 234, 30, "145k", "avc1.42C00D"},
		{"h264", "high", 3840, 2160, 60, "20M", "avc1.640034"},
		// 12 Mb/s peak is within 3.1 (14), 16 is not for Main but is for High (17.5)
		{"h264", "main", 1280, 720, 25, "15M", "avc1.4D4020"},
		{"h264", "high", 1280, 720, 25, "15M", "avc1.64001F"},
		{"hevc", "main", 1920, 1080, 30, "4M", "hvc1.1.6.L120.90"},
		{"hevc", "main", 1920, 1080, 60, "4M", "hvc1.1.6.L123.90"},
		{"hevc", "main10", 3840, 2160, 60, "16M", "hvc1.2.4.L153.90"},
		{"hevc", "main", 640, 360, 30, "145k", "hvc1.1.6.L63.90"},
		{"av1", "main", 1920, 1080, 30, "3M", "av01.0.08M.08"},
		{"av1", "main", 1920, 1080, 60, "3M", "av01.0.09M.08"},
		{"av1", "main", 854, 480, 30, "1M", "av01.0.04M.08"},
	} {
		l := parse(t, row(fmt.Sprintf("name: a, size: %dx%d, codec: %s, profile: %s, bitrate: %s", c.w, c.h, c.codec, c.profile, c.bitrate)))
		r := resolve(t, l, picture(c.w, c.h, whole(c.fps)), Live)
		if got := r.Renditions[0].Codecs; got != c.want {
			t.Errorf("%s %dx%d at %d, %s: %s (level %s), want %s", c.codec, c.w, c.h, c.fps, c.bitrate, got, r.Renditions[0].Video.Level, c.want)
		}
	}
}

func TestAuthoredLevel(t *testing.T) {
	for level, want := range map[string]string{"4.0": "4.0", "4": "4.0", `"3.1"`: "3.1", "3.0": "3.1"} {
		r := resolve(t, parse(t, row("name: a, height: 720, codec: h264, bitrate: 3M, level: "+level)), picture(1280, 720, whole(25)), Live)
		if got := r.Renditions[0].Video.Level; got != want || (level == "3.0") != (len(r.Notes) == 1) {
			t.Errorf("%s: %s %q", level, got, r.Notes)
		}
	}
}

func TestAudioTracks(t *testing.T) {
	const (
		stereo   = "name: t\naudio: [{name: stereo, codec: aac, channels: 2, bitrate: 128k, languages: all}]"
		first    = "name: t\naudio: [{name: stereo, codec: aac, channels: 2, bitrate: 128k, languages: first}]"
		german   = "name: t\naudio: [{name: stereo, codec: aac, channels: 2, bitrate: 128k, languages: [de, en]}]"
		surround = "name: t\naudio: [{name: stereo, codec: aac, channels: 2, bitrate: 128k}, {name: surround, codec: ac-3, channels: 6, bitrate: 384k}]"
		only51   = "name: t\naudio: [{name: surround, codec: ac-3, channels: 6, bitrate: 384k}]"
		low      = "name: t\naudio: [{name: low, codec: aac, bitrate: 24k}]"
		clash    = "name: t\naudio: [{name: a, codec: aac, bitrate: 96k}, {name: a-en, codec: opus, bitrate: 64k}]"
	)
	for _, c := range []struct {
		name, ladder string
		tracks       []SourceAudio
		want         string
	}{
		{"one track", stereo, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "eng"}}, `stereo* #0 2ch 128k "English"`},
		{"unknown language", stereo, []SourceAudio{{Channels: 2, SampleRate: 44100, Language: ""}}, `stereo* #0 2ch 128k ""`},
		{"no language at all", stereo, []SourceAudio{{Channels: 2, SampleRate: 44100, Language: "\x00\x00\x00"}, {Channels: 2, SampleRate: 44100, Language: "de"}}, `stereo-und* #0 2ch 128k ""; stereo-de #1 2ch 128k "Deutsch"`},
		{"two languages", stereo, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "ger"}, {Channels: 2, SampleRate: 48000, Language: "eng"}}, `stereo-de* #0 2ch 128k "Deutsch"; stereo-en #1 2ch 128k "English"`},
		{"region", stereo, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "pt-BR"}, {Channels: 2, SampleRate: 48000, Language: "pt"}}, `stereo-pt-br* #0 2ch 128k "português"; stereo-pt #1 2ch 128k "português"`},
		{"same language twice: the first that has enough channels", stereo, []SourceAudio{{Channels: 1, SampleRate: 48000, Language: "de"}, {Channels: 6, SampleRate: 48000, Language: "de"}, {Channels: 2, SampleRate: 48000, Language: "de"}}, `stereo* #1 2ch 128k "Deutsch"`},
		{"only the first", first, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "ger"}, {Channels: 2, SampleRate: 48000, Language: "eng"}}, `stereo* #0 2ch 128k "Deutsch"`},
		{"listed, in the list's order", german, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "fra"}, {Channels: 2, SampleRate: 48000, Language: "en-GB"}, {Channels: 2, SampleRate: 48000, Language: "deu"}}, `stereo-de* #2 2ch 128k "Deutsch"; stereo-en-gb #1 2ch 128k "British English"`},
		{"none of the listed", german, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "fra"}}, `stereo* #0 2ch 128k "français"`},
		{"mono is sent as stereo", stereo, []SourceAudio{{Channels: 1, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"`},
		{"mono at a small rate", low, []SourceAudio{{Channels: 1, SampleRate: 48000, Language: "en"}}, `low* #0 2ch 24k "English"`},
		{"5.1 is mixed down", stereo, []SourceAudio{{Channels: 6, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"`},
		{"3 channels are stereo", stereo, []SourceAudio{{Channels: 3, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"`},
		{"unknown channel count", stereo, []SourceAudio{{Channels: 0, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"`},
		{"surround where there is", surround, []SourceAudio{{Channels: 6, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"; surround* #0 6ch 384k "English"`},
		{"7.1 becomes 5.1", surround, []SourceAudio{{Channels: 8, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"; surround* #0 6ch 384k "English"`},
		{"no surround rung for stereo", surround, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}, `stereo* #0 2ch 128k "English"`},
		{"unless there is no other", only51, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}, `surround* #0 2ch 128k "English"`},
		{"one language has surround", surround, []SourceAudio{{Channels: 6, SampleRate: 48000, Language: "en"}, {Channels: 2, SampleRate: 48000, Language: "de"}}, `stereo-en* #0 2ch 128k "English"; stereo-de #1 2ch 128k "Deutsch"; surround-en* #0 6ch 384k "English"; surround-de #1 2ch 128k "Deutsch"`},
		{"names that would clash", clash, []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}, {Channels: 2, SampleRate: 48000, Language: "de"}}, `a-en* #0 2ch 96k "English"; a-de #1 2ch 96k "Deutsch"; a-en-en* #0 2ch 64k "English"; a-en-de #1 2ch 64k "Deutsch"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := heard(resolve(t, parse(t, c.ladder), Source{Audio: c.tracks}, Live))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPassedOnTracks(t *testing.T) {
	l := parse(t, "name: t\naudio: [{name: stereo, codec: aac, bitrate: 128k}, {name: surround, codec: ac-3, channels: 6, bitrate: 384k, passthrough: true}]")
	dolby := SourceAudio{Channels: 6, SampleRate: 48000, Language: "en", Codec: "ac3", Bitrate: 448_000}
	plain := SourceAudio{Channels: 8, SampleRate: 48000, Language: "en", Codec: "aac", Bitrate: 192_000}
	for _, c := range []struct {
		name   string
		tracks []SourceAudio
		want   string
		passed bool
	}{
		{"as it is", []SourceAudio{dolby}, `stereo* #0 2ch 128k "English"; surround* #0 6ch 448k "English"`, true},
		{"the track that can pass is taken before one with more channels", []SourceAudio{plain, dolby}, `stereo* #0 2ch 128k "English"; surround* #1 6ch 448k "English"`, true},
		{"stereo passes too", []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en", Codec: "ac3", Bitrate: 192_000}}, `stereo* #0 2ch 128k "English"; surround* #0 2ch 192k "English"`, true},
		{"another codec is encoded", []SourceAudio{plain}, `stereo* #0 2ch 128k "English"; surround* #0 6ch 384k "English"`, false},
	} {
		r := resolve(t, l, Source{Audio: c.tracks}, Live)
		if diff := cmp.Diff(c.want, heard(r)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if got := r.Renditions[len(r.Renditions)-1].Audio.Passthrough; got != c.passed || c.passed != (len(r.Notes) == 0) {
			t.Errorf("%s: passed on %v, notes %q", c.name, got, r.Notes)
		}
	}
}

// SVT-AV1 takes no picture with a side under 64 pixels.
func TestAV1HasASmallestPicture(t *testing.T) {
	av1 := "name: t\nvideo: [{name: a, height: 480, codec: av1, bitrate: 700k}"
	if _, err := Resolve(parse(t, av1+"]"), picture(9841, 705, whole(30)), VOD); !errors.Is(err, ErrNoRung) || !strings.Contains(err.Error(), "854x62") {
		t.Errorf("a strip in AV1 alone: %v", err)
	}
	r := resolve(t, parse(t, av1+", {name: b, height: 480, codec: h264, bitrate: 1M}]"), picture(9841, 705, whole(30)), VOD)
	if len(r.Renditions) != 1 || r.Renditions[0].Name != "b" || len(r.Notes) == 0 {
		t.Errorf("a strip in both: %d renditions, notes %q", len(r.Renditions), r.Notes)
	}
}

func TestNothingToEncode(t *testing.T) {
	video, audio := picture(640, 360, whole(25)), Source{Audio: []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}}
	silent := parse(t, row(good))
	for _, c := range []struct {
		name   string
		ladder *Ladder
		src    Source
		want   error
	}{
		{"no tracks", preset(t, "mini"), Source{}, ErrNoTracks},
		{"audio ladder, silent source", preset(t, "audio"), video, ErrNoMatch},
		{"video ladder, radio", silent, audio, ErrNoMatch},
		{"no size", preset(t, "mini"), picture(0, 360, whole(25)), ErrBadSource},
		{"negative size", preset(t, "mini"), picture(640, -360, whole(25)), ErrBadSource},
	} {
		if r, err := Resolve(c.ladder, c.src, Live); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.name, r, err)
		}
	}
	if r := resolve(t, preset(t, "mini"), audio, Live); len(r.Renditions) != 1 || r.Grid.Rate != whole(audioOnlyRate) {
		t.Errorf("radio: %+v", r)
	}
	if r := resolve(t, preset(t, "mini"), video, Live); heard(r) != "" {
		t.Errorf("silent: %s", heard(r))
	}
	both := Source{Video: video.Video, Audio: audio.Audio}
	if r := resolve(t, preset(t, "audio"), both, Live); shown(r) != "" || len(r.Renditions) != 3 {
		t.Errorf("sound of a film: %s; %s", shown(r), heard(r))
	}
}
