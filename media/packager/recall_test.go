package packager

import (
	"testing"
	"time"

	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
)

// recalled are the lapses of a worker that begins with frame 1000, had programme
// again at frame 1100, and reads lists of one lapse each, in that order.
func recalled(t *testing.T, own []lapse, back int64, read ...lapse) []lapse {
	t.Helper()
	grid, err := timeline.NewGrid(timeline.Rate{Num: 25, Den: 1}, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := lapses{grid: grid, all: own, back: back}
	for _, x := range read {
		other := lapses{grid: grid, all: []lapse{x}}
		l.recall(other.list(), 1000)
	}
	return l.all
}

var sameLapses = cmp.AllowUnexported(lapse{})

// Outputs that fell behind at different moments tell of one lapse differently: the
// one that knows its end is right, in whichever order they are read.
func TestTheEndOfALapseIsTaken(t *testing.T) {
	stale, right := lapse{900, open}, lapse{900, 950}
	for _, read := range [][]lapse{{stale, right}, {right, stale}} {
		if diff := cmp.Diff([]lapse{{900, 950}}, recalled(t, nil, 1100, read...), sameLapses); diff != "" {
			t.Errorf("%v (-want +got): %s", read, diff)
		}
	}
}

// A lapse of our own that lasts stays, whatever an old list has open.
func TestAnOldLapseEndsBeforeOurs(t *testing.T) {
	got := recalled(t, []lapse{{1200, open}}, 1100, lapse{900, open})
	if diff := cmp.Diff([]lapse{{900, 1100}, {1200, open}}, got, sameLapses); diff != "" {
		t.Error("(-want +got):", diff)
	}
	// Without programme in between it is one, also where there was a frame's worth of
	// hope at the moment of the change.
	got = recalled(t, []lapse{{1000, open}}, 1000, lapse{900, open})
	if diff := cmp.Diff([]lapse{{900, open}}, got, sameLapses); diff != "" {
		t.Error("(-want +got):", diff)
	}
	got = recalled(t, []lapse{{1005, open}}, 0, lapse{900, open})
	if diff := cmp.Diff([]lapse{{900, open}}, got, sameLapses); diff != "" {
		t.Error("(-want +got):", diff)
	}
}
