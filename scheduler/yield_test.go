package scheduler_test

import (
	"strings"
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store"
)

// A live job takes the encoder sessions of a clip, also when the scheduler starts anew
// meanwhile; the clip goes on behind what it has published when there is room again.
func TestALiveJobTakesTheSessionsOfAClip(t *testing.T) {
	s := store.NewMemory()
	f := newFarm(t, s)
	a := newAgent(f, "a1")
	a.pixels = 0
	a.cards = []*galav1.DeviceOffer{{Id: "GPU-1", Role: "encode", Encoders: []string{"h264_nvenc"},
		EncodePixelsPerSecond: 500_000_000, CapacitySource: "test", MaxSessions: 5, SessionsShared: true}}
	a.attach(f)
	f.submit(vod("replay"))
	clip := a.started()
	a.report(clip, 3)
	f.awaitState("replay", running)
	f.submit(live("match"))
	if d := a.told(); d.GetAssignment() != clip.GetId() || d.GetMode() != galav1.StopMode_STOP_MODE_LEAVE {
		t.Fatalf("told %v", d)
	}
	f.await("match", "a reason that names what it waits for", func(j *galav1.Job) bool {
		return strings.Contains(j.GetReason(), "clips make room on a1/GPU-1") && strings.Contains(j.GetReason(), "clips hold 3")
	})
	f.stopped()

	f = newFarm(t, s)
	a.attach(f)
	if d := a.told(); d.GetAssignment() != clip.GetId() || d.GetMode() != galav1.StopMode_STOP_MODE_LEAVE {
		t.Fatalf("told by the next scheduler: %v", d)
	}
	a.report(clip, 4)
	a.end(clip, galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER, true)
	first := a.started()
	if first.GetJob() != "match" {
		t.Fatalf("started %v", first)
	}
	f.await("replay", "a clip that waits", func(j *galav1.Job) bool { return len(j.GetPlacements()) == 0 && happened(j, "handed_over") })
	f.cancel("match", "")
	a.told()
	a.end(first, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	if again := a.started(); again.GetJob() != "replay" || again.GetResumeSegment() != 5 {
		t.Errorf("started %v", again)
	}
}
