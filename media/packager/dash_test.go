package packager_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/galafarm/gala/media/publish"
)

const manifestName = "manifest.mpd"

// told is what the manifest says of its Periods: first number and init segment.
func told(s *memory) []string {
	var out []string
	for _, m := range regexp.MustCompile(`initialization="\$RepresentationID\$/([^"]*)"[^>]*startNumber="(\d+)"`).FindAllStringSubmatch(s.text(manifestName), -1) {
		out = append(out, m[2]+" "+m[1])
	}
	return out
}

func manifestsPut(s *memory) (n int) {
	for _, op := range s.history() {
		if op == "put "+manifestName {
			n++
		}
	}
	return n
}

// The manifest of a live job appears when a player that stays three segments
// behind finds the first one, and is not written again while nothing changes.
func TestLiveManifest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		a.must(3)
		if s.has(manifestName) {
			t.Error("a player would begin before the first segment")
		}
		a.must(20)
		init := list(t, s).Segments[0].Map
		if got, want := told(s), []string{fmt.Sprintf("%d %s", first, init)}; !slices.Equal(got, want) || manifestsPut(s) != 1 {
			t.Errorf("%v in %d writes, want %v in one", got, manifestsPut(s), want)
		}
		if m := s.text(manifestName); !strings.Contains(m, `type="dynamic"`) || !strings.Contains(m, `availabilityStartTime="1970-01-01T00:00:01Z"`) || !strings.Contains(m, `timeShiftBufferDepth="PT6S"`) {
			t.Error(m)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := told(s), []string{fmt.Sprintf("%d %s", list(t, s).Segments[0].Number, init)}; !slices.Equal(got, want) {
			t.Errorf("ended: %v, want what is listed, %v", got, want)
		}
		if m := s.text(manifestName); !strings.Contains(m, `type="static"`) || !strings.Contains(m, `duration="PT6S"`) {
			t.Error(m)
		}
	})
}

// Another decoder configuration is another Period, which leaves with the window.
func TestManifestOfAChangedConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		a.must(5)
		other := video.Config
		other.SARNum, other.SARDen = 4, 3
		if err := a.p.Init("v", other); err != nil {
			t.Fatal(err)
		}
		a.must(1)
		m := list(t, s)
		want := []string{fmt.Sprintf("%d %s", first, m.Segments[0].Map), fmt.Sprintf("%d %s", first+5, m.Segments[5].Map)}
		if got := told(s); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		a.must(10)
		if got := told(s); !slices.Equal(got, want[1:]) {
			t.Errorf("%v, want %v", got, want[1:])
		}
	})
}

// No Period covers a segment that is missing.
func TestManifestOfAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		first := a.next
		lost := fmt.Sprintf("v/%d.m4s", first+5)
		s.setGate(refuse(lost))
		a.must(8)
		init := list(t, s).Segments[0].Map
		want := []string{fmt.Sprintf("%d %s", first, init), fmt.Sprintf("%d %s", first+6, init)}
		if got := told(s); !slices.Equal(got, want) || !strings.Contains(s.text(manifestName), `duration="PT5S"`) {
			t.Errorf("%v, want %v\n%s", got, want, s.text(manifestName))
		}
	})
}

// A successor goes on with the Period that players know, at an origin that can
// be read; at one that cannot, on the same timeline.
func TestManifestOfASuccessor(t *testing.T) {
	for name, readable := range map[string]bool{"read back": true, "takes PUT only": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMemory()
				a := air(t, liveSpec(t, s), s)
				first := a.next
				a.must(12)
				before := s.text(manifestName)
				if err := a.p.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !readable {
					s.setGate(putOnly)
				}
				spec := liveSpec(t, s)
				spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, a.next
				b := air(t, spec, s)
				b.must(5)
				if readable {
					want := regexp.MustCompile(` publishTime="[^"]*"`)
					if want.ReplaceAllString(before, "") != want.ReplaceAllString(s.text(manifestName), "") {
						t.Errorf("players are told something else:\n%s\n%s", before, s.text(manifestName))
					}
				} else if got := told(s); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprint(first+12)) {
					t.Errorf("%v, want one Period from %d", got, first+12)
				}
				if !strings.Contains(s.text(manifestName), `availabilityStartTime="1970-01-01T00:00:01Z"`) {
					t.Error(s.text(manifestName))
				}
			})
		})
	}
}

// A clip's manifest is there when the clip is, and says to the sample what each
// track has.
func TestManifestOfAClip(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	p := open(t, twoSeconds(t), nil, s)
	feed(t, p, "v", video, pictures(0, 260, 25, 1)) // 10.4 s
	feed(t, p, "a", audio, sounds(0, 480))          // 10.24 s
	if s.has(manifestName) {
		t.Error("a static manifest promises a clip that is not whole")
	}
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := s.text(manifestName)
	for _, want := range []string{
		`type="static"`, `mediaPresentationDuration="PT10.4S"`, `<S t="0" d="50" r="4">`, `<S d="10">`,
		`timescale="48000"`, `<S t="0" d="96256" r="2">`, `<S d="95232">`, `<S d="11264">`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("%s is missing in\n%s", want, m)
		}
	}
	if strings.Contains(m, `bandwidth="300000"`) {
		t.Errorf("the declared rate, not the measured one:\n%s", m)
	}
}

// A crash after the last segment: the manifest comes from what is listed.
func TestManifestWithNothingLeft(t *testing.T) {
	s := newMemory()
	crash(t, s, 3)
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 3
	if err := open(t, spec, nil, s).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := told(s); len(got) != 2 || !strings.Contains(s.text(manifestName), `<S t="0" d="50" r="2">`) {
		t.Errorf("%v\n%s", got, s.text(manifestName))
	}
}

// An output whose manifest does not get through is told, and tried again.
func TestRefusedManifest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		s.setGate(refuse(manifestName))
		a.must(5)
		if s.has(manifestName) || len(a.j.segments("trouble")) == 0 {
			t.Error("the trouble was not told")
		}
		s.setGate(nil)
		a.must(1)
		if !s.has(manifestName) {
			t.Error("not tried again")
		}
	})
}

// refuse and putOnly are gates of a sink.
func refuse(name string) func(context.Context, string, string) error {
	return func(_ context.Context, op, path string) error {
		if op == "put" && path == name {
			return publish.Status{Code: 507}
		}
		return nil
	}
}

func putOnly(_ context.Context, op, _ string) error {
	if op == "get" {
		return publish.Status{Code: 405}
	}
	return nil
}
