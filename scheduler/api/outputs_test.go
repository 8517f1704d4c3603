package api

import (
	"testing"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

func TestOutputsTellNoToken(t *testing.T) {
	for _, origin := range []string{"http://gala:secret@10.0.0.5:8090", "http://gala:secret@10.0.0.5:8090/origin/"} {
		out := OwnOutput(origin, "match")
		if want := "http://gala:secret@10.0.0.5:8090/origin/match"; out.URL != want {
			t.Errorf("origin %s: workers write to %s, want %s", origin, out.URL, want)
		}
		j := job.Job{Spec: job.Spec{ID: "match", Destinations: []string{origin}}, Outputs: []job.Output{out}}
		p := Present(j, []fleet.Lease(nil))
		if got := p.GetOutputs()[0]; got != "http://10.0.0.5:8090/origin/match/master.m3u8" {
			t.Errorf("clients are told %s", got)
		}
		if got := public(origin); p.GetSpec().GetDestinations()[0] != got || j.Spec.Destinations[0] != origin {
			t.Errorf("destination %s, want %s; the record keeps %s", p.GetSpec().GetDestinations()[0], got, j.Spec.Destinations[0])
		}
	}
}
