package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/ladders"
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
		if got := address.Public(origin); p.GetSpec().GetDestinations()[0] != got || j.Spec.Destinations[0] != origin {
			t.Errorf("destination %s, want %s; the record keeps %s", p.GetSpec().GetDestinations()[0], got, j.Spec.Destinations[0])
		}
	}
}

func TestLiveJobsFollowNoRecording(t *testing.T) {
	rules := Rules{OriginURL: "http://127.0.0.1:8080"}
	rules.Sources.Patterns = []string{"*"}
	spec := job.Spec{ID: "clip", Kind: job.Live, Input: "file:///clip.ts#program=1&growing", Ladder: "mini"}
	if _, _, err := rules.check(spec); err == nil || !strings.Contains(err.Error(), "a recording that grows") {
		t.Errorf("%v", err)
	}
	spec.Kind = job.VOD
	if _, _, err := rules.check(spec); err != nil {
		t.Error(err)
	}
}

func TestMP4IsMadeOfRungsThatAreThere(t *testing.T) {
	rules := Rules{OriginURL: "http://127.0.0.1:8080"}
	rules.Sources.Patterns = []string{"*"}
	spec := job.Spec{ID: "clip", Kind: job.VOD, Input: "/clip.mp4", Ladder: "mini", MP4: []string{"480p", "9000p"}}
	if _, _, err := rules.check(spec); err == nil || !strings.Contains(err.Error(), `"9000p"`) {
		t.Errorf("%v", err)
	}
	spec.MP4 = []string{job.AllRungs}
	if _, _, err := rules.check(spec); err != nil {
		t.Error(err)
	}
	j := job.Job{Spec: spec, Renditions: []ladders.Rendition{{Name: "480p", Video: &ladders.Video{}}, {Name: "240p", Video: &ladders.Video{}}, {Name: "stereo", Audio: &ladders.Audio{}}}}
	if got := j.MP4(); !slices.Equal(got, []string{"480p", "240p"}) {
		t.Errorf("all: %v", got)
	}
	j.Spec.MP4 = []string{"1080p", "240p"} // the first does not fit the source
	if got := j.MP4(); !slices.Equal(got, []string{"240p"}) {
		t.Errorf("two: %v", got)
	}
}
