package packager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
)

// onAir is a live job of one-second segments at 25 fps in fake time.
type onAir struct {
	t     *testing.T
	p     *packager.Packager
	j     *journal
	sinks []*memory
	next  int64 // segment
	big   int   // bytes of a segment, 0 for what a picture needs to say
}

func liveSpec(t *testing.T, sinks ...*memory) media.Spec {
	video, _ := clip(t)
	spec := vodSpec(grid(t, "25", time.Second, 1), "sink0", videoRendition("v", video))
	spec.Live, spec.Window = true, 6*time.Second
	for i := range sinks[1:] {
		spec.Outputs = append(spec.Outputs, fmt.Sprintf("sink%d", i+1))
	}
	return spec
}

func air(t *testing.T, spec media.Spec, sinks ...*memory) *onAir {
	t.Helper()
	video, _ := clip(t)
	a := &onAir{t: t, j: &journal{}, sinks: sinks, next: time.Now().Unix()}
	var all []media.Sink
	for _, s := range sinks {
		all = append(all, s)
	}
	a.p = open(t, spec, a.j.add, all...)
	if err := a.p.Init("v", video.Config); err != nil {
		t.Fatal(err)
	}
	return a
}

// segments writes n segments, each at the moment its last frame is on air.
func (a *onAir) segments(n int) error {
	for range n {
		time.Sleep(time.Until(time.Unix(a.next+1, 0)))
		for _, pkt := range pictures(a.next*25, a.next*25+25, 25, 1) {
			if a.big > 0 {
				pkt = fat(pkt, a.big/25)
			}
			if err := a.p.Write(a.t.Context(), "v", pkt); err != nil {
				return err
			}
		}
		a.next++
		synctest.Wait()
	}
	return nil
}

func (a *onAir) must(n int) {
	a.t.Helper()
	if err := a.segments(n); err != nil {
		a.t.Fatal(err)
	}
}

func list(t *testing.T, s *memory) *hls.Media { return listOf(t, s, "v") }

func listOf(t *testing.T, s *memory, rendition string) *hls.Media {
	t.Helper()
	m, err := hls.ParseMedia([]byte(s.text(rendition + "/media.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// gaps are the numbers that a playlist lists as missing.
func gaps(m *hls.Media) []int64 {
	var out []int64
	for _, s := range m.Segments {
		if s.Gap {
			out = append(out, s.Number)
		}
	}
	return out
}

func offsets(base int64, numbers []int64) []int64 {
	var out []int64
	for _, n := range numbers {
		out = append(out, n-base)
	}
	return out
}

func TestLiveWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		a.must(20)
		m := list(t, s)
		if len(m.Segments) != 6 || m.Segments[0].Number != first+14 || m.Ended || !m.Live {
			t.Errorf("window of %d from %d: %+v", len(m.Segments), m.Segments[0].Number-first, m)
		}
		for _, e := range m.Segments {
			if !e.Time.Equal(time.Unix(e.Number, 0)) {
				t.Errorf("segment %d is dated %v", e.Number, e.Time)
			}
		}
		// What left the window stays for its own length and a playlist's.
		if kept := s.names("v/9"); kept[0] != fmt.Sprintf("v/%d.m4s", first+14-6-1) {
			t.Errorf("oldest kept is %s", kept[0])
		}
		if n := len(a.j.segments(packager.Published)); n != 20 {
			t.Errorf("%d published", n)
		}
		for _, kind := range []packager.Kind{packager.Late, packager.Dropped, packager.Gap, packager.Trouble, packager.Discontinuity} {
			if got := a.j.segments(kind); len(got) > 0 {
				t.Errorf("%s: %v", kind, got)
			}
		}
		pr := a.p.Progress()["v"]
		if pr.Segments != 20 || pr.LastSegment != first+19 || pr.Bitrate == 0 || !pr.LastSegmentAt.Equal(time.Now()) {
			t.Errorf("%+v", pr)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := list(t, s); !m.Ended || len(m.Segments) != 6 {
			t.Errorf("stopped: %+v", m)
		}
	})
}

// A live job does not know how its source begins: the first whole segment counts.
func TestLiveStartsAtABoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		at := a.next * 25
		for _, pkt := range append([]media.Packet{picture(at+7, true)}, pictures(at+8, at+25, 25, 1)...) {
			if err := a.p.Write(t.Context(), "v", pkt); err != nil {
				t.Fatal(err)
			}
		}
		a.next++
		a.must(1)
		if m := list(t, s); m.Segments[0].Number != a.next-1 {
			t.Errorf("began with %d", m.Segments[0].Number)
		}
	})
}

// A taker that hangs stalls neither the encoder nor the other taker; what it
// missed is told and listed as gaps.
func TestSlowTaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, slow := newMemory(), newMemory()
		a := air(t, liveSpec(t, good, slow), good, slow)
		first := a.next
		a.must(2)
		slow.setGate(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		a.must(60)
		if got := len(a.j.segments(packager.Late)); got != 0 {
			t.Errorf("%d late at the good taker", got)
		}
		if m := list(t, good); m.Segments[5].Number != first+61 || len(gaps(m)) > 0 {
			t.Errorf("good taker: %+v", m)
		}
		if len(a.j.segments(packager.Trouble)) == 0 || len(a.j.segments(packager.Dropped)) == 0 {
			t.Error("the slow taker's trouble was not told")
		}
		slow.setGate(nil)
		a.must(40)
		m := list(t, slow)
		if m.Segments[5].Number != first+101 || len(gaps(m)) > 0 {
			t.Errorf("the slow taker did not catch up: %+v", m)
		}
		lost := a.j.segments(packager.Gap)
		for _, n := range lost {
			if slow.has(fmt.Sprintf("v/%d.m4s", n)) {
				t.Errorf("segment %d is listed as a gap but is there", n-first)
			}
		}
		if pr := a.p.Progress()["v"]; pr.LastSegment != first+101 || pr.Segments != 102 {
			t.Errorf("progress is the best taker's: %+v", pr)
		}
		t.Logf("slow taker lost %d of 60 segments", len(lost))
	})
}

func TestRefusedSegmentBecomesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		refuse := []string{fmt.Sprintf("v/%d.m4s", first+2), fmt.Sprintf("v/%d.m4s", first+3)}
		s.setGate(func(_ context.Context, op, path string) error {
			if op == "put" && slices.Contains(refuse, path) {
				return publish.Status{Code: 507}
			}
			return nil
		})
		a.must(5)
		m := list(t, s)
		if got := offsets(first, gaps(m)); !slices.Equal(got, []int64{2, 3}) || len(m.Segments) != 5 {
			t.Errorf("gaps %v in %d segments", got, len(m.Segments))
		}
		if got := offsets(first, a.j.segments(packager.Missed)); !slices.Equal(got, []int64{2, 3}) {
			t.Errorf("missed %v", got)
		}
		if got := offsets(first, a.j.segments(packager.Trouble)); !slices.Equal(got, []int64{2}) {
			t.Errorf("trouble at %v, want it told once", got)
		}
		if n := strings.Count(s.text("v/iframes.m3u8"), "#EXTINF"); n != 5 {
			t.Errorf("%d I-frame entries, want 5 with the gaps", n)
		}
		if !m.Segments[4].Time.Equal(time.Unix(first+4, 0)) || !m.Segments[2].Time.Equal(time.Unix(first+2, 0)) {
			t.Error("dates do not follow the grid across the gaps")
		}
	})
}

// A playlist that does not get through is followed by the next one.
func TestRefusedPlaylist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		a.must(2)
		s.setGate(func(_ context.Context, op, path string) error {
			if op == "put" && strings.HasSuffix(path, "media.m3u8") {
				return publish.Status{Code: 503}
			}
			return nil
		})
		a.must(2)
		if n := len(list(t, s).Segments); n != 2 {
			t.Errorf("%d listed", n)
		}
		s.setGate(nil)
		a.must(1)
		if m := list(t, s); len(m.Segments) != 5 || len(gaps(m)) > 0 || len(a.j.segments(packager.Published)) != 5 {
			t.Errorf("%d listed, %d published", len(m.Segments), len(a.j.segments(packager.Published)))
		}
	})
}

// After a lapse a writer reads back first: third-party origins do not fence
// (DESIGN §4).
func TestSuccessorFoundAfterALapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		a.must(2)
		s.setGate(func(_ context.Context, op, path string) error { return publish.Status{Code: 503} })
		a.must(1)
		s.setGate(nil)
		m := list(t, s)
		m.Epoch = 2 // the successor's
		if err := s.Put(t.Context(), "v/media.m3u8", m.Encode()); err != nil {
			t.Fatal(err)
		}
		_ = a.segments(1)
		mustBe(t, a.segments(1), media.Superseded, "epoch 2, ours is 1")
		if list(t, s).Epoch != 2 {
			t.Error("the successor's playlist was overwritten")
		}
	})
}

func TestFencedWriterStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, fenced := newMemory(), newMemory()
		a := air(t, liveSpec(t, good, fenced), good, fenced)
		a.must(1)
		fenced.setGate(func(_ context.Context, op, _ string) error {
			return fmt.Errorf("epoch 2: %w", media.ErrSuperseded)
		})
		_ = a.segments(1)
		mustBe(t, a.segments(1), media.Superseded, "newer writer")
	})
}

// A destination that never took anything is an error at once, not a live job
// that talks to a wall; unless another destination takes it.
func TestHopelessDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := func(context.Context, string, string) error { return publish.Status{Code: 403} }
		s := newMemory()
		s.setGate(forbidden)
		a := air(t, liveSpec(t, s), s)
		_ = a.segments(1)
		mustBe(t, a.segments(1), media.SinkError, "403")

		good, bad := newMemory(), newMemory()
		bad.setGate(forbidden)
		b := air(t, liveSpec(t, good, bad), good, bad)
		b.must(10)
		if err := b.p.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if !list(t, good).Ended {
			t.Error("the good destination's playlist did not end")
		}
	})
}

func TestLateSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		a.must(2)
		s.setGate(func(context.Context, string, string) error {
			time.Sleep(700 * time.Millisecond) // segment and two playlists: 2.1 s
			return nil
		})
		a.must(1)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := offsets(first, a.j.segments(packager.Late)); !slices.Equal(got, []int64{2}) {
			t.Errorf("late: %v", got)
		}
		if pr := a.p.Progress()["v"]; pr.Late != 1 {
			t.Errorf("%+v", pr)
		}
	})
}

func TestLiveResume(t *testing.T) {
	for name, c := range map[string]struct {
		away int64 // segments
		gaps []int64
		from int64
	}{
		"at once":            {0, nil, 1},
		"three lost":         {3, []int64{4, 5, 6}, 2},
		"longer than window": {50, []int64{49, 50, 51, 52, 53}, 49},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMemory()
				a := air(t, liveSpec(t, s), s)
				first := a.next
				a.must(4)
				if err := a.p.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if list(t, s).Ended {
					t.Error("a playlist that is handed over ended")
				}
				spec := liveSpec(t, s)
				spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, first+4
				time.Sleep(time.Until(time.Unix(first+4+c.away, 0)))
				b := air(t, spec, s)
				if c.away == 0 {
					b.must(3)
				} else {
					b.must(1)
				}
				m := list(t, s)
				if got := offsets(first, gaps(m)); !slices.Equal(got, c.gaps) || m.Segments[0].Number-first != c.from && c.away > 0 || m.Epoch != 2 {
					t.Errorf("gaps %v from %d, epoch %d", got, m.Segments[0].Number-first, m.Epoch)
				}
				for _, e := range m.Segments {
					if e.Discontinuity {
						t.Error("the same decoder configuration makes no discontinuity")
					}
				}
			})
		})
	}
}

// An origin that takes PUT only gets a new window, at the right number.
func TestLiveResumeWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		s.setGate(func(_ context.Context, op, _ string) error {
			if op == "get" {
				return publish.Status{Code: 405}
			}
			return nil
		})
		a := air(t, liveSpec(t, s), s)
		a.must(4)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec := liveSpec(t, s)
		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, a.next
		b := air(t, spec, s)
		b.must(2)
		if m := list(t, s); m.Segments[0].Number != a.next || len(m.Segments) != 2 {
			t.Errorf("%+v", m)
		}
	})
}

// Another encoder's configuration starts a new map behind a discontinuity.
func TestChangedConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		a.must(2)
		other := video.Config
		other.SARNum, other.SARDen = 4, 3
		if err := a.p.Init("v", other); err != nil {
			t.Fatal(err)
		}
		a.must(2)
		m := list(t, s)
		if m.Segments[1].Map == m.Segments[2].Map || !m.Segments[2].Discontinuity || m.Segments[3].Discontinuity {
			t.Errorf("%+v", m.Segments)
		}
		if got := a.j.segments(packager.Discontinuity); len(got) != 1 {
			t.Errorf("told %v", got)
		}
		if err := a.p.Write(t.Context(), "v", picture(a.next*25, true)); err != nil {
			t.Fatal(err)
		}
		mustBe(t, a.p.Init("v", video.Config), media.EncoderError, "inside segment")
	})
}

func TestAbortedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		s.setGate(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		a := air(t, liveSpec(t, s), s)
		a.must(1)
		a.p.Abort()
		if err := a.segments(1); !errors.Is(err, packager.ErrAborted) {
			t.Errorf("%v, want ErrAborted", err)
		}
	})
}
