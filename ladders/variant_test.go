package ladders

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func listed(r *Resolved) string {
	var out []string
	for _, v := range Variants(r.Grid, r.Renditions) {
		name := "-"
		if v.Video != nil {
			name = v.Video.Name
		}
		var members []string
		for _, a := range v.Audio {
			members = append(members, a.Name)
		}
		out = append(out, fmt.Sprintf("%s+%s(%s) %s", name, v.AudioGroup, strings.Join(members, " "), v.Codecs))
	}
	return strings.Join(out, "\n")
}

func TestVariants(t *testing.T) {
	pictureAndSound := func(tracks ...SourceAudio) Source {
		s := picture(1280, 720, whole(25))
		s.Audio = tracks
		return s
	}
	const two = "name: t\nvideo:\n  - {name: a, height: 720, codec: h264, bitrate: 3M}\n  - {name: b, height: 240, codec: h264, bitrate: 200k}\n"
	for _, c := range []struct {
		name, ladder string
		src          Source
		want         []string
	}{
		{"silent", two, pictureAndSound(), []string{"b+() avc1.640015", "a+() avc1.64001F"}},
		{"one group, two languages, sound alone for cellular", two + "audio: [{name: s, codec: aac, bitrate: 128k}]\n", pictureAndSound(SourceAudio{Channels: 2, SampleRate: 48000, Language: "en"}, SourceAudio{Channels: 2, SampleRate: 48000, Language: "de"}),
			[]string{"b+s(s-en s-de) avc1.640015,mp4a.40.2", "a+s(s-en s-de) avc1.64001F,mp4a.40.2", "-+s(s-en s-de) mp4a.40.2"}},
		{"steps of quality", two + "audio: [{name: lo, codec: aac, bitrate: 32k}, {name: hi, codec: aac, bitrate: 160k}]\n", pictureAndSound(SourceAudio{Channels: 2, SampleRate: 48000, Language: "en"}),
			[]string{"b+lo(lo) avc1.640015,mp4a.40.2", "a+hi(hi) avc1.64001F,mp4a.40.2", "-+lo(lo) mp4a.40.2"}},
		{"alternatives", two + "audio: [{name: s, codec: aac, bitrate: 32k}, {name: d, codec: ec-3, channels: 6, bitrate: 384k}]\n", pictureAndSound(SourceAudio{Channels: 6, SampleRate: 48000, Language: "en"}),
			[]string{"b+d(d) avc1.640015,ec-3", "a+d(d) avc1.64001F,ec-3", "a+s(s) avc1.64001F,mp4a.40.2", "b+s(s) avc1.640015,mp4a.40.2", "-+s(s) mp4a.40.2"}},
		{"radio", two + "audio: [{name: lo, codec: aac, bitrate: 32k}, {name: hi, codec: aac, bitrate: 160k}]\n", Source{Audio: []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}},
			[]string{"-+hi(hi) mp4a.40.2", "-+lo(lo) mp4a.40.2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := listed(resolve(t, parse(t, c.ladder), c.src, Live))
			if diff := cmp.Diff(strings.Join(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rendition that came over the wire without its group has it in its name.
func TestGroupsFromNames(t *testing.T) {
	src := picture(1280, 720, whole(25))
	src.Audio = []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}, {Channels: 2, SampleRate: 48000, Language: "pt-BR"}}
	r := resolve(t, preset(t, "apple-h264"), src, Live)
	want := listed(r)
	for _, x := range r.Renditions {
		if x.Audio != nil {
			x.Audio.Group = ""
		}
	}
	if diff := cmp.Diff(want, listed(r)); diff != "" {
		t.Error(diff)
	}
}

func TestVariantSums(t *testing.T) {
	r := resolve(t, parse(t, row(good)+"audio: [{name: s, codec: aac, bitrate: 96k}]"), Source{
		Video: picture(1280, 720, rate(t, "59.94")).Video, Audio: []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}, {Channels: 1, SampleRate: 48000, Language: "de"}},
	}, Live)
	v := Variants(r.Grid, r.Renditions)[0]
	video, dearest := r.Renditions[0], r.Renditions[1]
	if v.Bandwidth != video.Bandwidth+dearest.Bandwidth || v.AverageBandwidth != video.AverageBandwidth+dearest.AverageBandwidth {
		t.Errorf("%+v", v)
	}
	if v.Width != 854 || v.Height != 480 || v.FrameRate.String() != "60000/1001" {
		t.Errorf("%+v", v)
	}
}

// Apple 9.21 and 9.10, for what every preset makes of a usual source.
func TestPresetsKeepApplesRules(t *testing.T) {
	for _, l := range Presets() {
		src := picture(1920, 1080, whole(50))
		src.Audio = []SourceAudio{{Channels: 2, SampleRate: 48000, Language: "en"}}
		r := resolve(t, l, src, Live)
		cellular, top := false, map[int]int{} // variants at the top size, by reach
		for _, v := range Variants(r.Grid, r.Renditions) {
			cellular = cellular || v.Bandwidth <= cellularBandwidth
			if v.Width == 1920 {
				top[v.reach()]++
			}
		}
		if !cellular {
			t.Errorf("%s: no variant up to 192 kb/s (9.21)", l.Name)
		}
		if advice := l.advice(); l.Name != "mini" && l.Name != "low" && len(l.Video) > 0 {
			for reach, n := range top {
				if n != 2 {
					t.Errorf("%s: %d variants at the top size, group %d (9.10)", l.Name, n, reach)
				}
			}
			for _, a := range advice {
				if !strings.Contains(a, "2160") {
					t.Errorf("%s: %s", l.Name, a)
				}
			}
		}
	}
}

// Two qualities at the largest size, whatever that size is.
func TestTopSizeHasTwoVariantsForAnySource(t *testing.T) {
	for _, name := range []string{"hd", "sports", "av1", "apple-h264", "apple-hevc"} {
		l := preset(t, name)
		for h := 64; h <= 2160; h += 2 {
			r := resolve(t, l, picture(h*16/9, h, whole(25)), Live)
			sizes, top := map[int]int{}, 0
			for _, x := range r.Renditions {
				sizes[x.Video.Height]++
				top = max(top, x.Video.Height)
			}
			if sizes[top] < 2 {
				t.Errorf("%s of %dp: %s", name, h, shown(r))
			}
		}
	}
}
