package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// users-ask 7 and 9: the GPU of a live job falls off the bus. The job goes on, on the
// other GPU of the host, behind what was published and without a gap.
func TestALiveJobLeavesALostGPU(t *testing.T) {
	t.Parallel()
	libraries := twinLibraries(t)
	f := farm.Start(t, "--twin", "l4:2")
	c := f.Client()
	found := awaitGPUs(t, c, 30*time.Second, "two GPUs are tried", inRoles("encode", "encode"))
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=640x360", "--ladder", "mini", "--cpu", "never")
	segments(t, f, c, "gala", 3)
	on := func() (device string) {
		for _, p := range f.Job(c, "gala").GetPlacements() {
			device = p.GetDevice()
		}
		return device
	}
	first := on()
	if first != found[0].GetId() {
		t.Errorf("it runs on %q", first)
	}
	cards, err := twin.Open(filepath.Join(f.Data, "twin"), libraries)
	if err != nil {
		t.Fatal(err)
	}
	before := f.Job(c, "gala").GetRenditions()[0].GetLastSegment()
	if err := cards.SetFaults(twin.Fault{Kind: twin.Lost, Device: 0}); err != nil {
		t.Fatal(err)
	}
	farm.Until(t, 60*time.Second, "it goes on", func() bool {
		j := f.Job(c, "gala")
		return j.GetState() == galav1.JobState_JOB_STATE_RUNNING && j.GetRenditions()[0].GetLastSegment() >= before+5
	})
	if now := on(); now != found[1].GetId() {
		t.Errorf("it runs on %q after %q was lost", now, first)
	}
	verify(t, f, "gala")
	if events := f.Must("live", "explain", "gala"); !strings.Contains(events, "lost") {
		t.Errorf("gala live explain:\n%s", events)
	} else {
		t.Log(events)
	}
	f.Must("live", "stop", "gala")
	ended(t, f, c, "gala")
}
