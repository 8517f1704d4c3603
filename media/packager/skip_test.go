package packager_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
)

// begins are the first numbers of the Periods in which a rendition is.
func begins(t *testing.T, s *memory, rendition string) (numbers []int64) {
	t.Helper()
	doc, err := mpd.MPDFromBytes([]byte(s.text(manifestName)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Periods {
		for _, set := range p.AdaptationSets {
			for _, r := range set.Representations {
				if r.Id == rendition {
					numbers = append(numbers, int64(*r.SegmentTemplate.StartNumber))
				}
			}
		}
	}
	return numbers
}

// A rung that is left out for some segments: its playlist lists each as a gap when
// its time is over, the multivariant playlist and the manifest do without it
// meanwhile, and a successor goes on behind the gap.
func TestARungThatIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		spec := liveSpec(t, s)
		spec.Window = 20 * time.Second
		big := videoRendition("big", video)
		big.Bandwidth, big.AverageBandwidth = 900_000, 800_000
		// The leader, by which subtitles would be cut, is the one left out.
		spec.Renditions = append(spec.Renditions[:0:0], big, spec.Renditions[0])
		a := air(t, spec, s)
		if err := a.p.Init("big", video.Config); err != nil {
			t.Fatal(err)
		}
		write := func(n int, skip bool) {
			for range n {
				number := a.next
				a.must(1) // of v
				if skip {
					if err := a.p.Skip(t.Context(), "big", number); err != nil {
						t.Fatal(err)
					}
				} else {
					for _, pkt := range pictures(number*25, number*25+25, 25, 1) {
						if err := a.p.Write(t.Context(), "big", pkt); err != nil {
							t.Fatal(err)
						}
					}
				}
				synctest.Wait()
			}
		}
		first := a.next
		write(5, false)
		if !strings.Contains(s.text("master.m3u8"), "big/media.m3u8") {
			t.Fatal(s.text("master.m3u8"))
		}
		write(3, true)
		if m := s.text("master.m3u8"); strings.Contains(m, "big/") || !strings.Contains(m, "v/media.m3u8") {
			t.Errorf("while it rests:\n%s", m)
		}
		m := listOf(t, s, "big")
		if got := offsets(first, gaps(m)); !slices.Equal(got, []int64{5, 6, 7}) {
			t.Errorf("gaps %v", got)
		}
		if last, _ := m.Last(); last != first+7 {
			t.Errorf("the playlist is stale: it ends with %d", last-first)
		}
		if p := a.p.Progress()["big"]; p.LastSegment != first+7 || p.Segments != 5 {
			t.Errorf("%+v", p)
		}
		if got := begins(t, s, "big"); !slices.Equal(offsets(first, got), []int64{0}) {
			t.Errorf("Periods with the rung begin at %v", offsets(first, got))
		}
		write(4, false)
		if m := s.text("master.m3u8"); !strings.Contains(m, "big/media.m3u8") {
			t.Errorf("after it:\n%s", m)
		}
		if got := begins(t, s, "big"); !slices.Equal(offsets(first, got), []int64{0, 8}) {
			t.Errorf("Periods with the rung begin at %v", offsets(first, got))
		}
		if got := begins(t, s, "v"); !slices.Equal(offsets(first, got), []int64{0, 5, 8}) {
			t.Errorf("Periods begin at %v", offsets(first, got))
		}
		if got := offsets(first, gaps(listOf(t, s, "v"))); len(got) > 0 {
			t.Errorf("the other rung has gaps %v", got)
		}
		if got := a.j.segments(packager.Gap); len(got) != 3 {
			t.Errorf("events of gaps: %v", got)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A rung that rests for longer than the window is listed: when it comes back, the
// Period that everybody plays stays where it is.
func TestARungThatRestsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		spec := liveSpec(t, s) // a window of six segments
		spec.Renditions = append(spec.Renditions, videoRendition("big", video))
		a := air(t, spec, s)
		if err := a.p.Init("big", video.Config); err != nil {
			t.Fatal(err)
		}
		write := func(n int, skip bool) {
			for range n {
				number := a.next
				a.must(1)
				var err error
				if skip {
					err = a.p.Skip(t.Context(), "big", number)
				}
				for _, pkt := range pictures(number*25, number*25+25, 25, 1) {
					if !skip && err == nil {
						err = a.p.Write(t.Context(), "big", pkt)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		first := a.next
		write(5, false)
		write(10, true)
		write(2, false)
		if got := offsets(first, begins(t, s, "v")); !slices.Equal(got, []int64{0, 5, 15}) {
			t.Errorf("Periods begin at %v, want that of the hole among them", got)
		}
		write(8, false)
		if got := offsets(first, begins(t, s, "v")); !slices.Equal(got, []int64{15}) {
			t.Errorf("Periods begin at %v, when the hole is out of the window", got)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// An output that gets nothing of a rung before it rests is complete without it.
func TestARungThatRestsFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		well, late := newMemory(), newMemory()
		spec := liveSpec(t, well, late)
		spec.Renditions = append(spec.Renditions, videoRendition("big", video))
		a := air(t, spec, well, late)
		if err := a.p.Init("big", video.Config); err != nil {
			t.Fatal(err)
		}
		late.setGate(func(context.Context, string, string) error { return publish.Status{Code: 503} })
		for n := range 12 {
			number := a.next
			a.must(1)
			if n == 4 {
				late.setGate(nil)
			}
			var err error
			for _, pkt := range pictures(number*25, number*25+25, 25, 1) {
				if n < 3 && err == nil {
					err = a.p.Write(t.Context(), "big", pkt)
				}
			}
			if n >= 3 {
				err = a.p.Skip(t.Context(), "big", number)
			}
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if m := late.text("master.m3u8"); !strings.Contains(m, "v/media.m3u8") || strings.Contains(m, "big/") {
			t.Errorf("at the output that was away:\n%s", m)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSkipInTheWrongPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		if err := a.p.Skip(t.Context(), "v", a.next); err != nil {
			t.Errorf("before the first segment: %v", err)
		}
		a.must(2)
		for _, number := range []int64{a.next - 1, a.next + 1} {
			if err := a.p.Skip(t.Context(), "v", number); err == nil || !strings.Contains(err.Error(), fmt.Sprint(number)) {
				t.Errorf("segment %d is taken: %v", number, err)
			}
		}
		if err := a.p.Skip(t.Context(), "none", 1); err == nil {
			t.Error("a rendition that is not there")
		}
	})
}
