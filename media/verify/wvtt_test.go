package verify

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/webvtt"
)

// boxes adds the segment of number n of live subtitles in boxes: a cue until its
// middle, then nothing.
func (f *fixture) boxes(t testing.TB, out map[string][]byte, n int64, c webvtt.Cue) {
	t.Helper()
	init, err := cmaf.InitText(ladders.Text{Language: "en"}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	out["text/"+init.Name] = init.Bytes
	g := f.grid(t)
	start, end := g.TimeOf(g.FirstFrame(n)).Milliseconds(), g.TimeOf(g.FirstFrame(n)+f.framesOf(g, n)).Milliseconds()
	frag := cmaf.Fragment{Sequence: uint32(n), Decode: start}
	for _, s := range []struct {
		until int64
		cues  []cmaf.Cue
	}{{c.End / 1000, []cmaf.Cue{{Source: 1, Text: c.Text, Settings: c.Settings}}}, {end, nil}} {
		data, err := cmaf.CueSample(s.cues)
		if err != nil {
			t.Fatal(err)
		}
		frag.Samples = append(frag.Samples, cmaf.Sample{Data: data, Duration: uint32(s.until - start), Sync: true})
		start = s.until
	}
	if f.fragment != nil {
		f.fragment("text", n, &frag)
	}
	seg, err := cmaf.Encode(frag)
	if err != nil {
		t.Fatal(err)
	}
	out[fmt.Sprintf("text/%d.m4s", n)] = seg.Bytes
	if n == f.first {
		f.reps = append(f.reps, dash.Representation{Name: "text", Bandwidth: 32000, Text: &dash.Subtitles{Language: "en"},
			Runs: []dash.Run{{Init: init.Name, Codecs: init.Codecs, From: f.first, To: f.first + f.segments}}})
	}
}

func airedText() *fixture {
	f := onAir()
	f.texts = true
	return f
}

func TestGoodLiveSubtitles(t *testing.T) {
	r := judge(t, Options{Target: write(t, airedText().files(t)), Decoder: paper{}})
	wantOnly(t, r, brief...)
	for _, res := range r.Results {
		if slices.Contains([]string{"wvtt", "dash-text", "dash-times", "webvtt", "text-aligned"}, res.ID) && res.Status != Pass {
			t.Errorf("%s: %s %s", res.ID, res.Status, res.Reason)
		}
	}
}

// brief are what a live tree of a few seconds is warned about.
var brief = append(slices.Clone(short), "apple-8.12")

func TestBrokenLiveSubtitles(t *testing.T) {
	name := func(n int64, ending string) string { return fmt.Sprintf("text/%d.%s", 900_000_000+n, ending) }
	change := func(file, old, fresh string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			for have := range files {
				if strings.HasPrefix(have, file) && bytes.Contains(files[have], []byte(old)) {
					files[have] = bytes.Replace(files[have], []byte(old), []byte(fresh), 1)
					return
				}
			}
			t.Fatalf("no %s says %q", file, old)
		}
	}
	third := func(spoil func(*cmaf.Fragment)) func(string, int64, *cmaf.Fragment) {
		return func(rendition string, n int64, f *cmaf.Fragment) {
			if rendition == "text" && n == 900_000_002 {
				spoil(f)
			}
		}
	}
	for what, c := range map[string]struct {
		fragment func(string, int64, *cmaf.Fragment)
		spoil    func(map[string][]byte)
		rules    []string
	}{
		"begins later":       {third(func(f *cmaf.Fragment) { f.Decode++ }), nil, []string{"dash-times", "wvtt"}},
		"a hole after it":    {third(func(f *cmaf.Fragment) { f.Samples[1].Duration -= 40 }), nil, []string{"wvtt"}},
		"gone too early":     {third(func(f *cmaf.Fragment) { f.Samples[0].Duration -= 40; f.Samples[1].Duration += 40 }), nil, []string{"wvtt"}},
		"another text":       {nil, change(name(2, "m4s"), "over", "Over"), []string{"wvtt"}},
		"another WebVTT":     {nil, change(name(2, "vtt"), "over", "Over"), []string{"wvtt"}},
		"no boxes in it":     {nil, change(name(2, "m4s"), "vttc", "free"), []string{"wvtt"}},
		"no segment":         {nil, func(files map[string][]byte) { files[name(2, "m4s")] = []byte("WEBVTT") }, []string{"wvtt"}},
		"not there":          {nil, func(files map[string][]byte) { delete(files, name(2, "m4s")) }, []string{"files"}},
		"an init of another": {nil, change("text/init-", "WEBVTT", "WEBVTX"), []string{"init-name"}},
		"no init segment":    {nil, change("text/init-", "wvtt", "stpp"), []string{"wvtt"}},
		"not in DASH":        {nil, change("manifest.mpd", `contentType="text"`, `contentType="other"`), []string{"dash-same", "dash-text"}},
		"another type":       {nil, change("manifest.mpd", `mimeType="application/mp4"`, `mimeType="text/vtt"`), []string{"dash-text"}},
		"another codec":      {nil, change("manifest.mpd", `codecs="wvtt"`, `codecs="stpp"`), []string{"dash-text"}},
		"no language":        {nil, change("manifest.mpd", `lang="en" contentType="text"`, `contentType="text"`), []string{"dash-text"}},
		"nobody's":           {nil, change("manifest.mpd", `Representation id="text"`, `Representation id="subs"`), []string{"dash-text"}},
		"a lost init segment": {nil, func(files map[string][]byte) {
			maps.DeleteFunc(files, func(have string, _ []byte) bool { return strings.HasPrefix(have, "text/init-") })
		}, []string{"dash-segments"}},
	} {
		t.Run(what, func(t *testing.T) {
			f := airedText()
			f.fragment = c.fragment
			files := f.files(t)
			if c.spoil != nil {
				c.spoil(files)
			}
			wantOnly(t, judge(t, Options{Target: write(t, files), Decoder: paper{}}), append(c.rules, brief...)...)
		})
	}
}
