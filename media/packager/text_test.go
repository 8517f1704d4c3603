package packager_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/media/webvtt"
)

func subtitled(t *testing.T) (*memory, func(...webvtt.Cue)) {
	t.Helper()
	video, audio := clip(t)
	s := newMemory()
	spec := twoSeconds(t)
	spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: "text-de", Text: &ladders.Text{Language: "de", Label: "Deutsch"}})
	p := open(t, spec, nil, watchless{s})
	return s, func(cues ...webvtt.Cue) {
		for _, c := range cues {
			if err := p.Cue("text-de", c); err != nil {
				t.Fatal(err)
			}
		}
		feed(t, p, "v", video, pictures(0, 130, 25, 1)) // 5.2 s
		feed(t, p, "a", audio, sounds(0, 240))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

type watchless struct{ *memory }

// Segments of subtitles are cut where those of the pictures are, cues over a
// boundary stand on both sides, and empty segments are there.
func TestSubtitles(t *testing.T) {
	s, run := subtitled(t)
	run(webvtt.Cue{Start: 1_500_000, End: 2_500_000, Text: "over"}, webvtt.Cue{Start: 4_000_000, End: 60_000_000, Text: "long"})
	pictures := list(t, s)
	text, err := hls.ParseMedia([]byte(s.text("text-de/media.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	if !text.Ended || text.Target != pictures.Target || len(text.Segments) != len(pictures.Segments) {
		t.Fatalf("text: %+v", text)
	}
	want := []string{"over", "over", "long"}
	for i, seg := range text.Segments {
		if seg.URI != hls.TextName(int64(i)) || seg.Duration != pictures.Segments[i].Duration || seg.Map != "" {
			t.Errorf("segment %d: %+v", i, seg)
		}
		cues, err := webvtt.Parse([]byte(s.text("text-de/" + seg.URI)))
		if err != nil || len(cues) != 1 || cues[0].Text != want[i] {
			t.Errorf("segment %d: %v %v, want %s", i, cues, err, want[i])
		}
	}
	m := s.text("master.m3u8")
	if strings.Count(m, `SUBTITLES="text"`) != strings.Count(m, "#EXT-X-STREAM-INF") || !strings.Contains(m, `LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,URI="text-de/media.m3u8"`) {
		t.Errorf("declared:\n%s", m)
	}
	whole, err := webvtt.ParseFile([]byte(s.text("text-de/whole.vtt")))
	if err != nil || len(whole) != 2 || whole[0].Text != "over" || whole[1].End != 60_000_000 {
		t.Errorf("in one file: %v %+v", err, whole)
	}
	if mpd := s.text("manifest.mpd"); !strings.Contains(mpd, "<BaseURL>text-de/whole.vtt</BaseURL>") || !strings.Contains(mpd, `lang="de" contentType="text"`) {
		t.Errorf("manifest:\n%s", mpd)
	}
	if names := s.names("text-de/init"); len(names) > 0 {
		t.Errorf("init segments of text: %v", names)
	}
}

// An origin that does not give back what it took has a clip whose manifest is
// without subtitles.
func TestSubtitlesThatAreNotReadBack(t *testing.T) {
	for name, answer := range map[string]error{"PUT only": publish.Status{Code: 405}, "another address": media.ErrNotFound} {
		s, run := subtitled(t)
		s.setGate(func(_ context.Context, op, _ string) error {
			if op == "get" {
				return answer
			}
			return nil
		})
		run(webvtt.Cue{Start: 0, End: 1_000_000, Text: "lost to DASH"})
		if m := s.text(manifestName); strings.Contains(m, "text/vtt") || !strings.Contains(m, `contentType="video"`) || !s.has("text-de/0.vtt") {
			t.Errorf("%s: %s", name, m)
		}
	}
}

func TestSubtitlesWithoutACue(t *testing.T) {
	s, run := subtitled(t)
	run()
	if got := s.names("text-de/"); !slices.Equal(got, []string{"text-de/0.vtt", "text-de/1.vtt", "text-de/2.vtt", "text-de/media.m3u8", "text-de/whole.vtt"}) {
		t.Errorf("objects: %v", got)
	}
}
