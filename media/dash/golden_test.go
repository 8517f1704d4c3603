package dash_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
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

func encode(t *testing.T, m dash.Manifest) string {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func grid(t *testing.T, num, den int64, gop time.Duration, gops int64) timeline.Grid {
	t.Helper()
	g, err := timeline.NewGrid(timeline.Rate{Num: num, Den: den}, gop, gops, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// first is a segment number of the year 2026 at two seconds each.
const first = 890_000_000

func pictures(name string, width, height int, rate timeline.Rate, runs ...dash.Run) dash.Representation {
	return dash.Representation{Name: name, Bandwidth: int64(width) * 4000, Runs: runs,
		Video: &dash.Video{Codec: "h264", Width: width, Height: height, Rate: rate, Colour: dash.Colour{Primaries: 1, Transfer: 1, Matrix: 1}}}
}

func sound(name, language string, main bool, runs ...dash.Run) dash.Representation {
	return dash.Representation{Name: name, Bandwidth: 136_000, Runs: runs,
		Audio: &dash.Audio{Codec: "aac", Language: language, Label: strings.ToUpper(language), Channels: 2, SampleRate: 48000, Default: main}}
}

func run(init, codecs string, from, to int64) dash.Run {
	return dash.Run{Init: init, Codecs: codecs, From: from, To: to}
}

// onAir is three renditions from segment first on, twenty of them listed.
func onAir(t *testing.T) dash.Manifest {
	g := grid(t, 60000, 1001, 2*time.Second, 1)
	return dash.Manifest{Grid: g, Live: true, Window: 30, Start: time.Unix(2, 137_400_000), Published: time.Unix(1_781_780_040, 0),
		Representations: []dash.Representation{
			pictures("720p", 1280, 720, g.Rate, run("init-a.mp4", "avc1.64001F", first, first+20)),
			pictures("360p", 640, 360, g.Rate.Div(2), run("init-b.mp4", "avc1.64001E", first, first+20)),
			sound("stereo", "en", true, run("init-c.mp4", "mp4a.40.2", first+1, first+20)),
		}}
}

// clip is 10.01 s of video in two segments of 6.006 s, and its sound.
func clip(t *testing.T) dash.Manifest {
	g := grid(t, 30000, 1001, 2*time.Second, 3)
	video := run("init-a.mp4", "avc1.64001F", 0, 2)
	video.Times = []int64{0, g.SegmentTicks(), g.Ticks(300)}
	audio := run("init-c.mp4", "mp4a.40.2", 0, 2)
	audio.Times = []int64{0, 282 * 1024, 470 * 1024}
	return dash.Manifest{Grid: g, Ended: true, Representations: []dash.Representation{
		pictures("720p", 1280, 720, g.Rate, video), pictures("360p", 640, 360, g.Rate.Div(2), video),
		sound("stereo-en", "en", true, audio), sound("stereo-de", "de", false, audio),
	}}
}

// subtitled is a clip with captions in its pictures and subtitles beside them.
func subtitled(t *testing.T) dash.Manifest {
	m := clip(t)
	m.Representations = m.Representations[1:3]
	m.Representations[0].Video.Captions = []string{"CC1", "CC3", "SERVICE1", "SERVICE12"}
	m.Texts = []dash.Text{
		{Name: "text-en", File: "whole.vtt", Bandwidth: 120, Subtitles: dash.Subtitles{Language: "en", Label: "English", Impaired: true}},
		{Name: "text-de", File: "whole.vtt", Subtitles: dash.Subtitles{Language: "de"}},
		{Name: "text-de-forced", File: "whole.vtt", Bandwidth: 1, Subtitles: dash.Subtitles{Language: "de", Forced: true}},
	}
	m.Tiles = &dash.Tiles{Name: "thumbnails", Width: 800, Height: 450, Columns: 5, Rows: 5, Ticks: m.Grid.Ticks(150 * 25), Bandwidth: 4321}
	return m
}

// withText is a live job with subtitles, which come a second later.
func withText(t *testing.T) dash.Manifest {
	m := onAir(t)
	m.TextDelay, m.Start = time.Second, m.Start.Add(time.Second)
	for _, s := range []dash.Subtitles{{Language: "sv", Label: "svenska"}, {Language: "fi", Impaired: true}, {Language: "en", Forced: true}} {
		m.Representations = append(m.Representations, dash.Representation{Name: "text-" + s.Language, Bandwidth: 32000, Text: &s,
			Runs: []dash.Run{run("init-"+s.Language+".mp4", "wvtt", first, first+20)}})
	}
	return m
}

func TestGolden(t *testing.T) {
	live, ended := onAir(t), onAir(t)
	ended.Ended, ended.LastTicks = true, ended.Grid.SegmentTicks()/2
	golden(t, "live.mpd", []byte(encode(t, live)))
	golden(t, "ended.mpd", []byte(encode(t, ended)))
	golden(t, "live-text.mpd", []byte(encode(t, withText(t))))
	golden(t, "vod.mpd", []byte(encode(t, clip(t))))
	golden(t, "text.mpd", []byte(encode(t, subtitled(t))))
}
