package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// segments waits until every rendition of a job has published n segments.
func segments(t *testing.T, f *farm.Farm, c *client.Client, id string, n int64) *galav1.Job {
	t.Helper()
	var job *galav1.Job
	farm.Until(t, 90*time.Second, id+" has published its segments", func() bool {
		job = f.Job(c, id)
		if job.GetState() == galav1.JobState_JOB_STATE_FAILED {
			t.Fatalf("%s failed: %v", id, job.GetError())
		}
		for _, r := range job.GetRenditions() {
			if r.GetSegments() < n {
				return false
			}
		}
		return len(job.GetRenditions()) > 0
	})
	return job
}

func ended(t *testing.T, f *farm.Farm, c *client.Client, id string) *galav1.Job {
	t.Helper()
	var job *galav1.Job
	farm.Until(t, 60*time.Second, id+" has ended", func() bool {
		job = f.Job(c, id)
		return job.GetEndedAt() != nil
	})
	return job
}

// verify passes: the grid, alignment, HLS, Apple's rules, and for the card that
// every frame is there once.
func verify(t *testing.T, f *farm.Farm, id string) {
	t.Helper()
	out, code := f.Run("verify", f.Origin(id))
	if code != 0 {
		t.Errorf("gala verify %s: exit %d\n%s", id, code, out)
	}
}

func TestLiveTestCard(t *testing.T) {
	t.Parallel()
	liveTestCard(t, device{})
}

func liveTestCard(t *testing.T, on device) {
	f := on.start(t)
	c := f.Client()
	for id, fps := range map[string]string{"ntsc-film": "23.976", "ntsc": "29.97", "pal-fast": "50", "ntsc-fast": "59.94"} {
		t.Run(fps, func(t *testing.T) {
			on.submit(f, "live", "submit", "--id", id, "--input", "testcard:?size=640x360&fps="+fps, "--ladder", "mini")
			segments(t, f, c, id, 6)
			verify(t, f, id)
			f.Must("live", "stop", id)
			if job := ended(t, f, c, id); job.GetState() != galav1.JobState_JOB_STATE_DONE {
				t.Errorf("state %v after stop: %s", job.GetState(), job.GetReason())
			}
			verify(t, f, id)
		})
	}
}

func TestLiveFileLoopsWithoutASeam(t *testing.T) {
	t.Parallel()
	liveFileLoops(t, device{})
}

func liveFileLoops(t *testing.T, on device) {
	clip := filepath.Join(farm.Media(t), "flower_540p2997_h264_aac.mp4") // 5 s: three passes in what follows
	f := on.start(t)
	c := f.Client()
	on.submit(f, "live", "submit", "--id", "loop", "--input", clip, "--ladder", "mini")
	job := segments(t, f, c, "loop", 8)
	verify(t, f, "loop")
	for _, n := range job.GetNotes() {
		if strings.Contains(n, "jump") {
			t.Errorf("the loop shows in the timeline: %s", n)
		}
	}
	f.Must("live", "stop", "loop")
	ended(t, f, c, "loop")
}

func TestKilledWorkerLeavesNoHole(t *testing.T) {
	t.Parallel()
	killedWorker(t, device{})
}

func killedWorker(t *testing.T, on device) {
	f := on.start(t)
	c := f.Client()
	on.submit(f, "live", "submit", "--id", "gala", "--input", "testcard:?size=640x360", "--ladder", "mini")
	before := segments(t, f, c, "gala", 3)
	workers := f.Workers()
	if len(workers) != 1 {
		t.Fatalf("workers %v, want one", workers)
	}
	for _, pid := range workers {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	last := before.GetRenditions()[0].GetLastSegment()
	farm.Until(t, 60*time.Second, "the successor has published", func() bool {
		job := f.Job(c, "gala")
		for _, r := range job.GetRenditions() {
			if r.GetLastSegment() < last+4 {
				return false
			}
		}
		return job.GetAttempts() > before.GetAttempts()
	})
	verify(t, f, "gala") // no-gap, names, tfdt and the card's numbers run through
	out := f.Must("live", "show", "gala")
	if !strings.Contains(out, "running") {
		t.Errorf("after the failover:\n%s", out)
	}
	f.Must("live", "stop", "gala")
	ended(t, f, c, "gala")
}
