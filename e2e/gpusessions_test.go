package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Two clips hold four of the five encoder sessions that a consumer card has with an older
// driver: a live job of two renditions takes those of the newer clip, which goes on behind
// its last segment when the live job has ended.
func TestALiveJobTakesTheSessionsOfAClip(t *testing.T) {
	twinLibraries(t)
	cards := filepath.Join(t.TempDir(), "cards.yaml")
	if err := os.WriteFile(cards, []byte("driver: 545.29.06\nsession-cap: 5\ndevices: [{model: rtx4090}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := farm.Start(t, "--twin", cards)
	c := f.Client()
	awaitGPUs(t, c, 30*time.Second, "the GPU is tried", inRoles("encode"))
	clip := "testcard:?size=320x480&duration="
	f.Must("vod", "queue", "--id", "older", "--ladder", "mini", "--cpu", "never", clip+"900s")
	segments(t, f, c, "older", 1)
	f.Must("vod", "queue", "--id", "newer", "--ladder", "mini", "--cpu", "never", clip+"120s")
	made := segments(t, f, c, "newer", 1).GetRenditions()[0].GetSegments()
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=320x480", "--ladder", "mini", "--cpu", "never")
	segments(t, f, c, "gala", 6)
	if j := f.Job(c, "newer"); j.GetState() != galav1.JobState_JOB_STATE_WAITING {
		t.Errorf("the newer clip is %s: %s", j.GetState(), j.GetReason())
	}
	if n := f.Job(c, "older").GetAttempts(); n != 1 {
		t.Errorf("the older clip has %d attempts", n)
	}
	verify(t, f, "gala")
	f.Must("live", "stop", "gala")
	ended(t, f, c, "gala")
	var j *galav1.Job
	farm.Until(t, 180*time.Second, "the newer clip ends", func() bool {
		j = f.Job(c, "newer")
		return j.GetEndedAt() != nil
	})
	if j.GetState() != galav1.JobState_JOB_STATE_DONE || j.GetAttempts() != 2 || j.GetRenditions()[0].GetSegments() <= made {
		t.Errorf("%s after %d attempts: %s", j.GetState(), j.GetAttempts(), j.GetReason())
	}
	verify(t, f, "newer")
	events := f.Must("live", "explain", "newer")
	if !strings.Contains(events, "live job gala needs its encoder sessions") || !strings.Contains(events, "handed_over") {
		t.Errorf("gala live explain:\n%s", events)
	} else {
		t.Log(events)
	}
}
