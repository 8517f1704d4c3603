package packager_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

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

// shown are the cues of every segment of live subtitles that is listed, one a
// line: milliseconds since the first segment, and the text.
func shown(t *testing.T, s *memory, base int64) []string {
	t.Helper()
	m, err := hls.ParseMedia([]byte(s.text("text-de/media.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, seg := range m.Segments {
		cues, err := webvtt.Parse([]byte(s.text("text-de/" + seg.URI)))
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%d:", seg.Number-base)
		for _, c := range cues {
			line += fmt.Sprintf(" %d-%d %s", c.Start/1000-base*1000, c.End/1000-base*1000, c.Text)
		}
		out = append(out, line)
	}
	return out
}

func liveSubtitled(t *testing.T, sinks ...*memory) media.Spec {
	spec := liveSpec(t, sinks...)
	spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: "text-de", Text: &ladders.Text{Language: "de", Label: "Deutsch"}})
	return spec
}

// page brings a text on screen, in milliseconds since a segment.
func (a *onAir) page(base, ms int64, text string) {
	a.t.Helper()
	at := base*1_000_000 + ms*1000
	if err := a.p.Page("text-de", webvtt.Cue{Start: at, End: at + 5_000_000, Text: text}); err != nil {
		a.t.Fatal(err)
	}
}

// Live pages are cut where segments are and go on in the next, the same text twice
// is one, and what is late is shown in the next segment. Every segment is there.
func TestLivePages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSubtitled(t, s), s)
		base := a.next
		a.must(1)
		a.page(base, 600, "over")
		a.must(1)
		a.page(base, 1500, "over")
		a.page(base, 1700, "next")
		a.page(base, 1800, "")
		a.must(1)
		if s.has("text-de/" + hls.TextName(base+2)) {
			t.Error("a segment of text is there before those who send it a second late had their chance")
		}
		a.page(base, 900, "late") // its segment is closed
		a.must(2)
		a.page(base, 4900, "left alone")
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"0: 600-1000 over", "1: 1000-1700 over 1700-1800 next", "2: 2000-3000 late", "3: 3000-4000 late", "4: 4000-4900 late 4900-5000 left alone"}
		if got := shown(t, s, base); !slices.Equal(got, want) {
			t.Errorf("shown\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := a.p.Progress()["text-de"].LateCues; n != 1 {
			t.Errorf("%d late", n)
		}
		if m := s.text("master.m3u8"); !strings.Contains(m, `TYPE=SUBTITLES,GROUP-ID="text"`) || !strings.Contains(m, `SUBTITLES="text"`) {
			t.Errorf("declared:\n%s", m)
		}
	})
}

// Segments of text slide with the window, and what has left it is deleted.
func TestLiveTextWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSubtitled(t, s), s)
		base := a.next
		a.must(20)
		got := shown(t, s, base) // the newest is held back
		if len(got) != 6 || got[0] != "12:" && got[0] != "13:" {
			t.Errorf("listed: %q", got)
		}
		if s.has("text-de/"+hls.TextName(base)) || s.has("text-de/"+hls.SegmentName(base)) {
			t.Error("the first segment is still there")
		}
	})
}

// A successor goes on with what its predecessor had on screen, and knows when it
// is over; nothing is missing and nothing twice.
func TestLiveTextGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSubtitled(t, s)
		a := air(t, spec, s)
		base := a.next
		a.must(1)
		a.page(base, 1500, "on screen")
		if err := a.p.Cue("text-de", webvtt.Cue{Start: base*1_000_000 + 1_800_000, End: base*1_000_000 + 3_500_000, Text: "known"}); err != nil {
			t.Fatal(err)
		}
		a.must(2)
		a.p.Abort() // segment 2 of text is not there
		spec.Resume, spec.FirstSegment = true, base+2
		b := air(t, spec, s)
		b.next = base + 2
		b.p.Recall(t.Context(), func(int) bool { return true })
		b.must(2)
		b.page(base, 3700, "")
		b.must(1)
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"0:", "1: 1500-2000 on screen 1800-3500 known", "2: 1800-3500 known 2000-3000 on screen", "3: 1800-3500 known 3000-3700 on screen", "4:"}
		if got := shown(t, s, base); !slices.Equal(got, want) {
			t.Errorf("shown\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if m := list(t, s); len(gaps(m)) > 0 || len(m.Segments) != 5 {
			t.Errorf("pictures: %+v", m)
		}
	})
}

// A track whose texts bring their ends is another matter: what ended with the
// segment is over, and what the source sends again is shown once.
func TestTextThatEndsIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSubtitled(t, s)
		a := air(t, spec, s)
		base := a.next
		cue := func(p interface {
			Cue(string, webvtt.Cue) error
		}, from, to int64, text string) {
			t.Helper()
			if err := p.Cue("text-de", webvtt.Cue{Start: base*1_000_000 + from, End: base*1_000_000 + to, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		a.must(1)
		cue(a.p, 1_200_000, 2_000_000, "over")
		cue(a.p, 1_800_200, 3_500_200, "known")
		a.must(2)
		a.p.Abort()
		spec.Resume, spec.FirstSegment = true, base+2
		b := air(t, spec, s)
		b.next = base + 2
		b.p.Recall(t.Context(), func(int) bool { return false })
		cue(b.p, 1_800_200, 3_500_200, "known")
		b.must(3)
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"0:", "1: 1200-2000 over 1800-3500 known", "2: 1800-3500 known", "3: 1800-3500 known", "4:"}
		if got := shown(t, s, base); !slices.Equal(got, want) {
			t.Errorf("shown\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// What was over before the pictures began is not shown with them, and a cue that
// comes twice is shown once.
func TestTextBeforeThePictures(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	spec := twoSeconds(t)
	spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: "text-de", Text: &ladders.Text{Language: "de"}})
	p := open(t, spec, nil, watchless{s})
	for _, c := range []webvtt.Cue{{Start: -8_000_000, End: -6_000_000, Text: "cut away"}, {Start: -1_000_000, End: 500_000, Text: "cut in two"}, {Start: 600_000, End: 900_000, Text: "twice"}, {Start: 600_000, End: 900_000, Text: "twice"}} {
		if err := p.Cue("text-de", c); err != nil {
			t.Fatal(err)
		}
	}
	feed(t, p, "v", video, pictures(0, 130, 25, 1))
	feed(t, p, "a", audio, sounds(0, 240))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.text("text-de/0.vtt")
	if strings.Contains(first, "cut away") || !strings.Contains(first, "cut in two") || strings.Count(first, "twice") != 1 {
		t.Errorf("the first segment:\n%s", first)
	}
	if late := p.Progress()["text-de"].LateCues; late != 0 {
		t.Errorf("%d cues are called late", late)
	}
}

// A clip's pages are the same whichever way they were cut, and whole in one file.
func TestPagesOfAClip(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	spec := twoSeconds(t)
	spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: "text-de", Text: &ladders.Text{Language: "de"}})
	p := open(t, spec, nil, watchless{s})
	for _, c := range []webvtt.Cue{{Start: 1_500_000, End: 31_500_000, Text: "long"}, {Start: 4_500_000, End: 4_500_000}} {
		if err := p.Page("text-de", c); err != nil {
			t.Fatal(err)
		}
	}
	feed(t, p, "v", video, pictures(0, 130, 25, 1))
	feed(t, p, "a", audio, sounds(0, 240))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := webvtt.ParseFile([]byte(s.text("text-de/whole.vtt")))
	if err != nil || len(whole) != 1 || whole[0].Start != 1_500_000 || whole[0].End != 4_500_000 {
		t.Errorf("in one file: %v %+v", err, whole)
	}
	if middle := s.text("text-de/1.vtt"); !strings.Contains(middle, "00:00:02.000 --> 00:00:04.000") {
		t.Errorf("the segment in the middle:\n%s", middle)
	}
}
