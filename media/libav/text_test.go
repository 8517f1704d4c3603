package libav

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/webvtt"
)

// scribe is a collector that takes cues too.
type scribe struct {
	*collector
	mu          sync.Mutex
	cues, pages map[string][]webvtt.Cue
}

func newScribe() *scribe {
	return &scribe{collector: newCollector(), cues: map[string][]webvtt.Cue{}, pages: map[string][]webvtt.Cue{}}
}

func (s *scribe) Cue(r string, c webvtt.Cue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cues[r] = append(s.cues[r], c)
	return nil
}

func (s *scribe) Page(r string, c webvtt.Cue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[r] = append(s.pages[r], c)
	return nil
}

// subtitles plays a file with its first text tracks and gives their cues.
func subtitles(t *testing.T, file string, tracks int) (Info, [][]webvtt.Cue) {
	t.Helper()
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	rate := facts.BestVideo().Rate
	spec := media.Spec{Job: "t", Input: file, Grid: newGrid(t, rate, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v")}}
	names := []string{"one", "two"}[:tracks]
	for i, n := range names {
		spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: n, Text: &ladders.Text{Track: i}})
	}
	out := newScribe()
	if err := open(t, Options{Spec: spec, Output: out}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all [][]webvtt.Cue
	for _, n := range names {
		all = append(all, out.cues[n])
	}
	return facts, all
}

func TestSubtitlesOfMP4(t *testing.T) {
	facts, cues := subtitles(t, filepath.Join(mediaDir(t), "nasa_2video_2audio_2subs.mp4"), 2)
	if len(facts.Text) != 2 || facts.Text[0].Codec != "mov_text" || facts.Text[0].Language != "eng" {
		t.Fatalf("tracks: %+v", facts.Text)
	}
	for i, got := range cues {
		want := []webvtt.Cue{
			{Start: 210_000, End: 4_260_000, Text: "NAR: This is the optical and science segment of the Webb"},
			{Start: 4_260_000, End: 8_350_000, Text: "space telescope in one of the largest cleanrooms in the world"},
			{Start: 8_350_000, End: 12_470_000, Text: "at NASA’s Goddard Space Flight Center in Greenbelt, Maryland."},
		}
		if len(got) < 3 || !slices.Equal(got[:3], want) {
			t.Errorf("track %d: %+v", i, got)
		}
	}
}

// Every text codec that a file may hold comes out with its words, times and
// styles, on the grid's time; pictures of text are named and left out.
func TestSubtitlesOfEveryCodec(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("NO FFMPEG: install the package ffmpeg to run this test")
	}
	dir := t.TempDir()
	srt := filepath.Join(dir, "in.srt")
	if err := os.WriteFile(srt, []byte("1\n00:00:00,500 --> 00:00:01,500\n<i>Tom</i> & Jerry\n\n2\n00:00:02,000 --> 00:00:03,000\nzwei\nZeilen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for codec, file := range map[string]string{"subrip": "a.mkv", "ass": "b.mkv", "webvtt": "c.mkv", "mov_text": "d.mp4"} {
		file = filepath.Join(dir, file)
		out, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=size=128x96:rate=25:duration=4", "-i", srt,
			"-c:v", "mpeg4", "-c:s", codec, "-metadata:s:s:0", "language=ger", "-disposition:s:0", "forced", "-output_ts_offset", "7", file).CombinedOutput()
		if err != nil {
			t.Fatalf("ffmpeg: %v\n%s", err, out)
		}
		facts, cues := subtitles(t, file, 1)
		if info := facts.Text[0]; info.Language != "ger" || !info.Forced {
			t.Errorf("%s: %+v", codec, info)
		}
		first := "<i>Tom</i> &amp; Jerry"
		if codec == "mov_text" { // the encoder of FFmpeg 5.1 styles the whole line
			first = "<i>Tom &amp; Jerry</i>"
		}
		if len(cues[0]) != 2 || cues[0][0].Text != first || strings.ReplaceAll(cues[0][1].Text, "\n", "|") != "zwei|Zeilen" {
			t.Errorf("%s: %+v", codec, cues[0])
			continue
		}
		for i, at := range []int64{500_000, 2_000_000} {
			if d := cues[0][i].Start - at; max(d, -d) > 40_000 || cues[0][i].End-cues[0][i].Start != 1_000_000 {
				t.Errorf("%s: cue %d is shown %d–%d µs", codec, i, cues[0][i].Start, cues[0][i].End)
			}
		}
	}
}

func TestSubtitlesThatAreNoText(t *testing.T) {
	facts, err := Probe(t.Context(), filepath.Join(mediaDir(t), "dvb_576i25_mpeg2_news_cut.ts"), anything)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Text) != 0 || !slices.ContainsFunc(facts.Notes, func(n string) bool {
		return strings.Contains(n, "dvb_subtitle") && strings.Contains(n, "made of pictures: left out")
	}) {
		t.Errorf("%+v, notes %q", facts.Text, facts.Notes)
	}
}
