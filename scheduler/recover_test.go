package scheduler

import (
	"testing"
	"time"

	"github.com/galafarm/gala/internal/wire"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/timeline"
)

// The logos that an agent draws come back with its job: the next attempt draws
// the same.
func TestLogosOfARecoveredJob(t *testing.T) {
	grid := timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25}
	a := &galav1.Assignment{Id: "m-1", Job: "m", Kind: galav1.JobKind_JOB_KIND_LIVE, Device: "cpu", Epoch: 1, Grid: wire.GridProto(grid),
		Logos: []*galav1.Logo{{Name: "a.png", Png: []byte{1, 2}}}}
	j, err := remade(a, &fleet.Agent{Name: "a1", Instance: "a1#1"}, time.Unix(0, 0))
	if err != nil || string(j.Spec.Logos["a.png"]) != "\x01\x02" {
		t.Errorf("logos %v (%v)", j.Spec.Logos, err)
	}
}

// The past of a source that is pushed is with the agent that runs its job.
func TestHolderOfARecoveredJob(t *testing.T) {
	grid := timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25}
	const live, vod = galav1.JobKind_JOB_KIND_LIVE, galav1.JobKind_JOB_KIND_VOD
	for _, c := range []struct {
		kind        galav1.JobKind
		input, want string
		backup      string
	}{
		{live, "srt://0.0.0.0:9000?mode=listener", "a1", ""},
		{live, "rtmp://0.0.0.0/live/key?mode=listener", "a1", ""},
		{live, "srt://10.0.0.7:9000", "", ""},
		{live, "srt://10.0.0.7:9000", "a1", "srt://:9001"},
		{live, "srt://10.0.0.7:9000", "", "srt://10.0.0.8:9000"},
		{live, "testcard:", "", ""},
		{vod, "/media/a.mp4", "", ""},
	} {
		a := &galav1.Assignment{Id: "m-1", Job: "m", Kind: c.kind, Input: c.input, Device: "cpu", Epoch: 1, Grid: wire.GridProto(grid)}
		if c.backup != "" {
			a.Backups = []*galav1.BackupInput{{Url: c.backup}}
		}
		if j, err := remade(a, &fleet.Agent{Name: "a1", Instance: "a1#1"}, time.Unix(0, 0)); err != nil || j.Holder != c.want {
			t.Errorf("%s: held by %q, want %q (%v)", c.input, j.Holder, c.want, err)
		}
	}
}
