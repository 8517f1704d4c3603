package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// uneven has a rung that costs most of it all, also with the quickest search, so that
// a worker that has a quarter left keeps up without it.
const uneven = `name: uneven
segment: {live: 2s, vod: 6s}
video:
  - {name: big, height: 720, fps: source<=30, codec: h264, bitrate: 2000k, preset: balanced}
  - {name: small, height: 144, fps: source<=30, codec: h264, bitrate: 150k, preset: fastest}
audio:
  - {name: stereo, codec: aac, channels: 2, bitrate: 96k, languages: all}
`

// effects of what a worker did about its load, in order.
func effects(job *galav1.Job) (all []string) {
	for _, e := range job.GetEvents() {
		if e.GetKind() == "overload" || e.GetKind() == "overload_over" {
			all = append(all, e.GetEffect())
		}
	}
	return all
}

// A worker is held to a part of the processor time that it needs: it sheds in the
// stated order, each step an event; the rung that it leaves out is a gap in its own
// playlist and in no list of variants; what is published is right all the while; and
// when it has its processor back so has the job its rung.
func TestOverloadedWorker(t *testing.T) {
	f := farm.Start(t)
	c := f.Client()
	ladder := filepath.Join(t.TempDir(), "uneven.yaml")
	if err := os.WriteFile(ladder, []byte(uneven), 0o644); err != nil {
		t.Fatal(err)
	}
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=1280x720&fps=25", "--ladder", ladder)
	segments(t, f, c, "gala", 4)
	workers := f.Workers()
	if len(workers) != 1 {
		t.Fatalf("workers %v, want one", workers)
	}
	var pid int
	for _, pid = range workers {
	}
	limit, err := farm.NewThrottle(t, pid)
	if errors.Is(err, farm.ErrNoCgroup) {
		t.Skipf("OVERLOAD IS NOT TESTED END TO END HERE: %v. Run the tests as root on a machine with cgroups.", err)
	} else if err != nil {
		t.Fatal(err)
	}
	need := needed(t, f, c, "gala", pid)
	t.Logf("the worker needs %.2f processors", need)
	if err := limit.Limit(need / 6); err != nil {
		t.Fatal(err)
	}
	throttled := time.Now()
	origin := filepath.Join(f.Data, "origin", "gala")
	var job *galav1.Job
	farm.Until(t, 60*time.Second, "the big rung is left out", func() bool {
		job = f.Job(c, "gala")
		return slices.Contains(effects(job), "rendition big is left out")
	})
	t.Logf("after %v: %q, because %s", time.Since(throttled).Round(100*time.Millisecond), effects(job), lastCause(job))
	want := []string{"encodes without lookahead", "encodes with the quickest search", "rendition big is left out"}
	if got := effects(job); !slices.Equal(got, want) {
		t.Errorf("it did %q, want %q", got, want)
	}
	if err := limit.Limit(need / 3); err != nil { // what is left can be done
		t.Fatal(err)
	}
	farm.Until(t, 90*time.Second, "the gap is listed, and the variant is not", func() bool {
		return strings.Contains(read(t, filepath.Join(origin, "big", "media.m3u8")), "#EXT-X-GAP") &&
			!strings.Contains(read(t, filepath.Join(origin, "master.m3u8")), "big/media.m3u8")
	})
	verify(t, f, "gala")

	if err := limit.Limit(0); err != nil {
		t.Fatal(err)
	}
	farm.Until(t, 180*time.Second, "the big rung is back", func() bool {
		job = f.Job(c, "gala")
		return slices.Contains(effects(job), "rendition big is back") && strings.Contains(read(t, filepath.Join(origin, "master.m3u8")), "big/media.m3u8")
	})
	job = goesOn(t, f, c, "gala", newest(job), 3)
	verify(t, f, "gala")
	if small := read(t, filepath.Join(origin, "small", "media.m3u8")); strings.Contains(small, "#EXT-X-GAP") || strings.Contains(small, "#EXT-X-DISCONTINUITY\n") {
		t.Errorf("the small rung has a gap or a break:\n%s", small)
	}
	if job.GetAttempts() != 1 {
		t.Errorf("%d attempts, events %v", job.GetAttempts(), job.GetEvents())
	}
}

func lastCause(job *galav1.Job) (cause string) {
	for _, e := range job.GetEvents() {
		if e.GetKind() == "overload" {
			cause = e.GetCause()
		}
	}
	return cause
}

// needed is how many processors a worker takes to keep up, over some segments.
func needed(t *testing.T, f *farm.Farm, c *client.Client, id string, pid int) float64 {
	t.Helper()
	before, err := farm.Used(pid)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	goesOn(t, f, c, id, newest(f.Job(c, id)), 3)
	after, err := farm.Used(pid)
	if err != nil {
		t.Fatal(err)
	}
	return (after - before).Seconds() / time.Since(began).Seconds()
}
