package scheduler

import (
	"testing"
	"time"

	"github.com/galafarm/gala/internal/wire"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// The past of a source that is pushed is with the agent that runs its job.
func TestHolderOfARecoveredJob(t *testing.T) {
	grid := timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25}
	const live, vod = galav1.JobKind_JOB_KIND_LIVE, galav1.JobKind_JOB_KIND_VOD
	for _, c := range []struct {
		kind        galav1.JobKind
		input, want string
	}{
		{live, "srt://0.0.0.0:9000?mode=listener", "a1"},
		{live, "rtmp://0.0.0.0/live/key?mode=listener", "a1"},
		{live, "srt://10.0.0.7:9000", ""},
		{live, "testcard:", ""},
		{vod, "/media/a.mp4", ""},
	} {
		a := &galav1.Assignment{Id: "m-1", Job: "m", Kind: c.kind, Input: c.input, Device: "cpu", Epoch: 1, Grid: wire.GridProto(grid)}
		if j, err := remade(a, "a1", "a1#1", time.Unix(0, 0)); err != nil || j.Holder != c.want {
			t.Errorf("%s: held by %q, want %q (%v)", c.input, j.Holder, c.want, err)
		}
	}
}
