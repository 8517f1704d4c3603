package packager_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
)

// boxed is what the boxes of every segment of live subtitles show that is listed, one
// a line: milliseconds since the first segment, and the texts.
func boxed(t *testing.T, s *memory, base int64) []string {
	t.Helper()
	inits := s.names("text-de/init-")
	if len(inits) != 1 {
		t.Fatalf("init segments %v", inits)
	}
	track, err := cmaf.ParseInit([]byte(s.text(inits[0])))
	if err != nil || track.Timescale != 1000 || track.Language != "deu" {
		t.Fatalf("%v %+v", err, track)
	}
	m, err := hls.ParseMedia([]byte(s.text("text-de/media.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, seg := range m.Segments {
		p, err := cmaf.Parse(track, []byte(s.text("text-de/"+hls.SegmentName(seg.Number))))
		if err != nil || p.Decode() != seg.Number*1000 || p.Duration() != int64(seg.Duration)/1000 {
			t.Fatalf("segment %d: %v %+v", seg.Number-base, err, p)
		}
		line := fmt.Sprintf("%d:", seg.Number-base)
		for _, x := range p.Samples() {
			cues, err := cmaf.ParseCues(x.Data)
			if err != nil {
				t.Fatal(err)
			}
			line += fmt.Sprintf(" %d-%d", x.Decode-base*1000, x.Decode+x.Duration-base*1000)
			for _, c := range cues {
				line += " " + c.Text
				if c.Source != 0 {
					line += "*"
				}
			}
		}
		out = append(out, line)
	}
	return out
}

// The cues of live subtitles stand in boxes too, which tile to the tick, and the
// manifest lists those.
func TestLiveTextInBoxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSubtitled(t, s), s)
		base := a.next
		cue := func(from, until int64, text string) {
			t.Helper()
			if err := a.p.Cue("text-de", webvtt.Cue{Start: base*1_000_000 + from*1000, End: base*1_000_000 + until*1000, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		a.must(1)
		a.page(base, 600, "page")
		a.page(base, 1300, "")
		cue(1600, 1800, "beside")
		cue(1500, 2500, "over")
		a.must(6)
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"1: 1000-1300 page 1300-1500 1500-1600 over* 1600-1800 over* beside 1800-2000 over*", "2: 2000-2500 over* 2500-3000",
			"3: 3000-4000", "4: 4000-5000", "5: 5000-6000", "6: 6000-7000"}
		if got := boxed(t, s, base); !slices.Equal(got, want) {
			t.Errorf("in boxes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		mpd := s.text(manifestName)
		set := regexp.MustCompile(`(?s)<AdaptationSet [^>]*contentType="text".*?</AdaptationSet>`).FindString(mpd)
		for _, want := range []string{`lang="de"`, `mimeType="application/mp4"`, `codecs="wvtt"`, `<Label>Deutsch</Label>`, `value="subtitle"`, fmt.Sprintf(`startNumber="%d"`, base+1), fmt.Sprintf(`presentationTimeOffset="%d"`, (base+1)*25)} {
			if !strings.Contains(set, want) {
				t.Errorf("%s is missing in\n%s", want, mpd)
			}
		}
		if !strings.Contains(mpd, `type="static"`) || strings.Count(mpd, "<Period") != 1 {
			t.Error(mpd)
		}
	})
}

// Players ask for nothing before the text is there, and are where they would be
// without any.
func TestAvailabilityOfLiveText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSubtitled(t, s), s)
		a.must(8)
		for _, want := range []string{`availabilityStartTime="1970-01-01T00:00:02Z"`, `suggestedPresentationDelay="PT2S"`, `contentType="text"`} {
			if !strings.Contains(s.text(manifestName), want) {
				t.Errorf("%s is missing in\n%s", want, s.text(manifestName))
			}
		}
		if n := manifestsPut(s); n != 1 {
			t.Errorf("written %d times", n)
		}
	})
}

// A worker that takes over writes the bytes that its predecessor would have written.
func TestTextInBoxesOfTwoWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newMemory(), newMemory()
		spec := liveSubtitled(t, one)
		texts := func(a *onAir, base int64) {
			a.page(base, 1500, "on screen")
			if err := a.p.Cue("text-de", webvtt.Cue{Start: base*1_000_000 + 1_800_400, End: base*1_000_000 + 3_500_400, Text: "known"}); err != nil {
				t.Fatal(err)
			}
		}
		a := air(t, spec, one)
		base := a.next
		b := air(t, spec, two)
		a.must(1)
		texts(a, base)
		a.must(3)
		a.page(base, 3700, "")
		a.must(3)

		b.must(1)
		texts(b, base)
		b.must(2)
		b.p.Abort()
		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, base+2
		b = air(t, spec, two)
		b.next = base + 2
		b.p.Recall(t.Context(), func(int) bool { return true })
		b.must(2)
		b.page(base, 3700, "")
		b.must(3)
		a.stop()
		b.stop()
		names := one.names("text-de/")
		if !slices.Equal(names, two.names("text-de/")) || len(names) < 10 {
			t.Fatalf("%v\n%v", names, two.names("text-de/"))
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".m3u8") && !bytes.Equal([]byte(one.text(name)), []byte(two.text(name))) {
				t.Errorf("%s differs", name)
			}
		}
		published := regexp.MustCompile(` publishTime="[^"]*"`)
		if m := published.ReplaceAllString(two.text(manifestName), ""); m != published.ReplaceAllString(one.text(manifestName), "") || strings.Count(m, `contentType="text"`) != 1 {
			t.Errorf("one\n%s\ntwo\n%s", one.text(manifestName), m)
		}
	})
}

func (a *onAir) stop() {
	a.t.Helper()
	if err := a.p.Stop(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

// Where a predecessor wrote no boxes, the manifest promises them from the successor
// on, and the pictures' Period stays.
func TestTextInBoxesAfterAnOlderWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSubtitled(t, s)
		a := air(t, spec, s)
		base := a.next
		a.must(7)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		without := regexp.MustCompile(`(?s)<AdaptationSet [^>]*contentType="text".*?</AdaptationSet>`).ReplaceAllString(s.text(manifestName), "")
		if err := s.Put(t.Context(), manifestName, []byte(without)); err != nil {
			t.Fatal(err)
		}
		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, base+7
		b := air(t, spec, s)
		b.must(3)
		b.stop()
		var got []string
		for _, m := range regexp.MustCompile(`<Representation id="([^"]*)"|startNumber="(\d+)"`).FindAllStringSubmatch(s.text(manifestName), -1) {
			got = append(got, m[1]+m[2])
		}
		if want := []string{"v", fmt.Sprint(base + 4), "v", fmt.Sprint(base + 7), "text-de", fmt.Sprint(base + 7)}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
