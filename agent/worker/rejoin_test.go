package worker

import (
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

func TestRejoin(t *testing.T) {
	grid, err := timeline.NewGrid(timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 19, 20, 0, 1, 0, time.UTC)
	present := now.Unix() / 2
	for _, c := range []struct {
		name         string
		live, resume bool
		first, want  int64
	}{
		{"a short lapse is made up for", true, true, present - 10, present - 10},
		{"a long one is left out", true, true, present - 500, present},
		{"a clip leaves nothing out", false, true, 3, 3},
		{"a first start", true, false, 0, 0},
		{"a clock that is behind", true, true, present + 2, present + 2},
	} {
		s := rejoin(media.Spec{Live: c.live, Resume: c.resume, FirstSegment: c.first, Grid: grid}, now)
		if s.FirstSegment != c.want {
			t.Errorf("%s: first segment %d, want %d", c.name, s.FirstSegment, c.want)
		}
	}
}
