package scheduler_test

import (
	"slices"
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
)

// A farm that comes back at another address plays its jobs from there; what
// went to a destination of its client's stays where it is.
func TestOutputsFollowTheOrigin(t *testing.T) {
	s := store.NewMemory()
	const moved, named = "http://127.0.0.1:8080/origin/old/master.m3u8", "http://127.0.0.1:9/x/named/master.m3u8"
	for id, spec := range map[string]job.Spec{
		"old":   {ID: "old", Kind: job.VOD, Input: "/media/replay.mp4", Ladder: "mini"},
		"named": {ID: "named", Kind: job.VOD, Input: "/media/replay.mp4", Ladder: "mini", Destinations: []string{"http://127.0.0.1:9/x"}},
	} {
		j := job.Job{Spec: spec, State: job.Done, Outputs: []job.Output{{URL: "http://127.0.0.1:9/x/" + id}}}
		if _, err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	f := newFarm(t, s)
	f.await("old", "its output at the farm's origin", func(j *galav1.Job) bool { return slices.Equal(j.GetOutputs(), []string{moved}) })
	f.await("named", "its output where it was", func(j *galav1.Job) bool { return slices.Equal(j.GetOutputs(), []string{named}) })
}
