package packager_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/packager"
)

// A lapse is marked in the playlist while it lasts, and when it is over; a successor
// goes on with the one that its predecessor left open, under its name.
func TestLapsesAreMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		a := air(t, spec, s)
		first := a.next
		a.must(2)
		a.p.Lapse(true, (first+2)*25+5, "nothing came")
		a.must(2)
		want := hls.DateRange{ID: fmt.Sprintf("slate-%d", (first+2)*25+5), Class: packager.LapseClass, Start: time.Unix(first+2, 2e8).UTC()}
		if got := list(t, s).DateRanges; len(got) != 1 || got[0] != want {
			t.Fatalf("while it lasts: %+v, want %+v", got, want)
		}
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}

		spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
		b := air(t, spec, s)
		b.p.Lapse(true, b.next*25, "nothing came") // it begins without the source
		b.must(1)
		if got := list(t, s).DateRanges; len(got) != 1 || got[0] != want {
			t.Errorf("the successor marks %+v, want %+v", got, want)
		}
		b.p.Lapse(false, b.next*25+10, "")
		b.must(1)
		want.End = time.Unix(b.next-1, 4e8).UTC()
		if got := list(t, s).DateRanges; len(got) != 1 || got[0] != want {
			t.Errorf("when it is over: %+v, want %+v", got, want)
		}
		b.must(8) // it leaves the window
		if got := list(t, s).DateRanges; len(got) != 0 {
			t.Errorf("it is still listed: %+v", got)
		}
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A successor that begins with programme ends the lapse that was left open.
func TestAnOpenLapseEndsWithItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		a := air(t, spec, s)
		a.must(1)
		a.p.Lapse(true, a.next*25, "nothing came")
		a.must(2)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
		b := air(t, spec, s)
		b.p.Lapse(false, b.next*25, "")
		b.must(1)
		if got := list(t, s).DateRanges; len(got) != 1 || !got[0].End.Equal(time.Unix(b.next-1, 0)) {
			t.Errorf("%+v, want an end at %v", got, time.Unix(b.next-1, 0))
		}
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// brands of a segment's styp.
func brandsOf(t *testing.T, s *memory, name string) []string {
	t.Helper()
	b, err := s.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return f.Segments[0].Styp.CompatibleBrands()
}

// DASH-IF live media ingest, interface 1, requirement 18: a segment of which any
// frame fills a lapse has the brand slat, the others have not; 19: the last one has
// lmsg. A successor knows of the lapse that it comes into.
func TestSegmentsOfALapseAreBranded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		a := air(t, spec, s)
		first := a.next
		a.must(2)
		a.p.Lapse(true, (first+2)*25+24, "nothing came") // the last frame of a segment
		a.must(2)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
		b := air(t, spec, s)
		b.p.Lapse(true, b.next*25, "nothing came")
		b.must(1)
		b.p.Lapse(false, b.next*25, "") // the first frame of a segment
		b.must(1)
		b.p.EndAt(b.next)
		b.must(1)
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for n := first; n < b.next; n++ {
			said := "-"
			for _, brand := range brandsOf(t, s, fmt.Sprintf("v/%d.m4s", n)) {
				if brand == "slat" || brand == "lmsg" {
					said += brand
				}
			}
			got = append(got, said)
		}
		if want := []string{"-", "-", "-slat", "-slat", "-slat", "-", "-lmsg"}; !slices.Equal(got, want) {
			t.Errorf("brands %v, want %v", got, want)
		}
	})
}

// The manifest marks a lapse as the playlist does: while it lasts, in its successor's
// too, and with its duration when it is over.
func TestLapsesAreInTheManifest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		spec.WritesManifest = true
		a := air(t, spec, s)
		a.must(6)
		if m := s.text(manifestName); m == "" || strings.Contains(m, "EventStream") {
			t.Fatalf("a lapse before there is one: %q", m)
		}
		from := a.next*25 + 5
		a.p.Lapse(true, from, "nothing came")
		a.must(2)
		want := fmt.Sprintf(`<Event presentationTime="%d" id="%d">`, from, from)
		if m := s.text(manifestName); !strings.Contains(m, dash.LapseScheme) || !strings.Contains(m, want) {
			t.Errorf("while it lasts, want %s in\n%s", want, m)
		}
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
		b := air(t, spec, s)
		b.must(1)
		if m := s.text(manifestName); !strings.Contains(m, want) {
			t.Errorf("of its successor, want %s in\n%s", want, m)
		}
		b.p.Lapse(false, b.next*25, "")
		b.must(1)
		want = fmt.Sprintf(`<Event presentationTime="%d" duration="%d" id="%d">`, from, (b.next-1)*25-from, from)
		if m := s.text(manifestName); !strings.Contains(m, want) {
			t.Errorf("when it is over, want %s in\n%s", want, m)
		}
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// What a predecessor marked after the moment at which its successor begins is of
// pictures that the successor makes itself, and has.
func TestALapseAfterTheResumePointIsTheSuccessorsToMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		a := air(t, spec, s)
		a.must(3)
		resume := a.next - 1 // one rendition had less
		a.p.Lapse(true, a.next*25+3, "nothing came")
		a.must(1)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec.Resume, spec.FirstSegment, spec.Epoch = true, resume, 2
		b := air(t, spec, s)
		b.p.Lapse(false, resume*25, "") // it begins with programme
		b.must(2)
		if got := list(t, s).DateRanges; len(got) != 0 {
			t.Errorf("marked: %+v", got)
		}
		if err := b.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
