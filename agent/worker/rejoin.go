package worker

import (
	"time"

	"github.com/galafarm/gala/media"
)

// catchUp is the longest lapse of a live job that a successor makes up for,
// faster than real time. After a longer one nobody waits at the old place any
// more: the job joins the present, and its playlists show the gap.
const catchUp = 30 * time.Second

// rejoin moves the start of a resumed live job to now when what is missing is
// longer than that. Live segments are numbered by the wall clock.
func rejoin(s media.Spec, now time.Time) media.Spec {
	if !s.Live || !s.Resume {
		return s
	}
	since := func(t time.Time) int64 { return s.Grid.Segment(s.Grid.FrameAt(time.Duration(t.UnixNano()))) }
	if s.FirstSegment < since(now.Add(-catchUp)) {
		s.FirstSegment = since(now)
	}
	return s
}
