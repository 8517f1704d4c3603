package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
)

// nvenc is a card that takes so many of the jobs of these tests.
func nvenc(id string, jobs int64) fleet.Device {
	return fleet.Device{ID: id, Role: "encode", Encoders: []string{"h264_nvenc"}, PixelsPerSecond: jobs * 8_640_000}
}

// consumer has a limit for the whole host.
func consumer(id string, jobs int64, sessions int) fleet.Device {
	d := nvenc(id, jobs)
	d.MaxSessions, d.SessionsShared = sessions, true
	return d
}

// gpus are what an agent offers from now on.
func (f *farm) gpus(name string, devices ...fleet.Device) {
	h := f.agents[name]
	for _, d := range devices {
		if d.ID != fleet.CPU {
			h.cards[d.ID] = max(h.cards[d.ID], d.PixelsPerSecond)
		}
	}
	f.tell(fleet.Offered{Agent: name, Session: h.session, Devices: devices})
}

// fill the farm with live jobs, and count where they run.
func (f *farm) fill(n int) map[string]int {
	for i := range n {
		f.submit(job.Live, fmt.Sprintf("live%d", i), 0, "in", 1)
		for name := range f.agents {
			f.answer(name, nil)
		}
	}
	return f.running()
}

func (f *farm) running() map[string]int {
	at := map[string]int{}
	for _, j := range f.jobs {
		for _, p := range j.Placements() {
			at[p.Agent+"/"+p.Device]++
		}
	}
	return at
}

// users-ask 1: four cards of a host carry four times what one does, and each its part.
func TestFourCardsCarryFourTimesOne(t *testing.T) {
	one, four := newFarm(), newFarm()
	one.attach("a", 0, true)
	one.gpus("a", nvenc("GPU-0", 5))
	four.attach("a", 0, true)
	four.gpus("a", nvenc("GPU-0", 5), nvenc("GPU-1", 5), nvenc("GPU-2", 5), nvenc("GPU-3", 5))
	if got := one.fill(25); len(got) != 1 || got["a/GPU-0"] != 5 {
		t.Errorf("one card: %v", got)
	}
	for i := range 20 {
		got := four.fill4(i)
		least, most := 99, 0
		for _, id := range []string{"a/GPU-0", "a/GPU-1", "a/GPU-2", "a/GPU-3"} {
			least, most = min(least, got[id]), max(most, got[id])
		}
		if most-least > 1 {
			t.Fatalf("after %d jobs: %v", i+1, got)
		}
	}
	four.fill4(20)
	if got := four.running(); got["a/GPU-0"]+got["a/GPU-1"]+got["a/GPU-2"]+got["a/GPU-3"] != 20 || len(got) != 4 {
		t.Errorf("four cards: %v", got)
	}
}

// fill4 submits one job more.
func (f *farm) fill4(i int) map[string]int {
	f.submit(job.Live, fmt.Sprintf("live%d", i), 0, "in", 1)
	f.answer("a", nil)
	return f.running()
}

// users-ask 12: each of mixed cards carries what it can.
func TestMixedCardsAreFilledByWhatTheyCan(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	h200 := fleet.Device{ID: "GPU-2", Role: "decode-only", RoleReason: "no NVENC"}
	f.gpus("a", nvenc("GPU-0", 6), nvenc("GPU-1", 2), h200)
	if got := f.fill(10); got["a/GPU-0"] != 6 || got["a/GPU-1"] != 2 || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// users-ask 2 and 13: consumer cards of a host have their sessions together; others
// beside them are not limited by it.
func TestALimitOfTheHostIsNotExceeded(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", consumer("GPU-0", 9, 8), consumer("GPU-1", 9, 8), nvenc("GPU-2", 3))
	got := f.fill(20)
	if got["a/GPU-0"]+got["a/GPU-1"] != 8 || got["a/GPU-0"] != got["a/GPU-1"] || got["a/GPU-2"] != 3 {
		t.Errorf("%v", got)
	}
}

// A limit that is lower than was known is met once, and not again and again: the job
// that was refused goes elsewhere, or waits, and fails by it never.
func TestARefusedSessionIsNotAskedForAgain(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", nvenc("GPU-0", 9), nvenc("GPU-1", 2))
	if got := f.fill(5); got["a/GPU-0"] != 4 || got["a/GPU-1"] != 1 {
		t.Fatalf("%v", got)
	}
	refuse := func() string {
		for _, j := range f.jobs {
			for _, p := range j.Placements() {
				if p.Device == "GPU-0" {
					f.end("a", p.Assignment, media.Error{Code: media.SessionLimit, Message: "out of memory (10)"})
					return j.Spec.ID
				}
			}
		}
		t.Fatal("nothing runs on it")
		return ""
	}
	refuse()
	f.sleep(time.Second)
	if got := f.running(); got["a/GPU-0"] != 3 || got["a/GPU-1"] != 2 {
		t.Errorf("after a refusal: %v", got)
	}
	for range 8 {
		id := refuse()
		f.sleep(30 * time.Second)
		if j := f.jobs[id]; j.State != job.Waiting {
			t.Errorf("%s with %d attempts: %s", j.State, j.Attempts, j.Reason)
		}
		attempts := f.jobs[id].Attempts
		f.sleep(20 * time.Second)
		if f.jobs[id].Attempts != attempts {
			t.Error("asked again within the minute")
		}
		f.sleep(15 * time.Second)
		if f.jobs[id].Attempts != attempts+1 {
			t.Errorf("not tried after a minute: %s", f.jobs[id].Reason)
		}
	}
}

// However many GPUs a host has: a job that all of them fail comes to the CPU before it is
// given up, where its policy allows that.
func TestTheCPUIsTriedBeforeAJobIsGivenUp(t *testing.T) {
	for n := 1; n <= 8; n++ {
		f := newFarm()
		f.attach("a", 100_000_000, true)
		cards := []fleet.Device{{ID: fleet.CPU, Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: 100_000_000}}
		for i := range n {
			cards = append(cards, nvenc(fmt.Sprintf("GPU-%d", i), 2))
		}
		f.gpus("a", cards...)
		f.submit(job.Live, "match", 0, "in", 1)
		f.answer("a", nil)
		for range 20 {
			if j := f.jobs["match"]; j.Placed() && j.Placements()[0].Device != fleet.CPU {
				f.end("a", "match-0", media.Error{Code: media.EncoderError, Message: "the encoder does not open", Retryable: true})
			}
			f.sleep(20 * time.Second)
		}
		if j := f.jobs["match"]; !j.Placed() || j.Placements()[0].Device != fleet.CPU {
			t.Errorf("%d GPUs: %s after %d attempts: %s", n, j.State, j.Attempts, j.Reason)
		}
	}
}

// A host's processor decodes for all its cards: they are filled as far as it goes, jobs
// that it encodes itself count beside them, and what ends is room.
func TestCardsAreFilledAsFarAsTheProcessorDecodes(t *testing.T) {
	f := newFarm()
	f.attach("a", 24_000_000, true)
	f.gpus("a", fleet.Device{ID: fleet.CPU, Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: 24_000_000}, nvenc("GPU-0", 9), nvenc("GPU-1", 9))
	if got := f.fill(6); got["a/GPU-0"] != 2 || got["a/GPU-1"] != 2 || len(got) != 2 { // 5.76 of 24 each
		t.Errorf("%v", got)
	}
	if j := f.jobs["live5"]; j.State != job.Waiting || !strings.Contains(j.Reason, "a/GPU-0 needs 5.8 Mpx/s of 24.0 Mpx/s of its host's processor for decoding and sound, 1.0 Mpx/s are free") {
		t.Errorf("%s: %s", j.State, j.Reason)
	}
	f.stop("live0")
	f.end("a", "live0-0", media.Error{Code: media.Stopped})
	if got := f.running(); got["a/GPU-0"]+got["a/GPU-1"] != 4 {
		t.Errorf("after one has ended: %v", got)
	}
	if used := f.used[reconcile.Device{Agent: "a", ID: fleet.CPU}]; used.Live != 4*5_760_000 || used.Placed != 0 {
		t.Errorf("the processor carries %+v", used)
	}
	if len(f.broken) > 0 {
		t.Error(f.broken)
	}
}

// Clips that the processor encodes fill it, and no card is idle for that.
func TestClipsOnTheProcessorLeaveCardsToClips(t *testing.T) {
	f := newFarm()
	f.attach("a", 24_000_000, true)
	f.gpus("a", fleet.Device{ID: fleet.CPU, Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: 24_000_000}, nvenc("GPU-0", 9))
	f.cordon("a/GPU-0", false)
	for i := range 5 {
		f.submit(job.VOD, fmt.Sprintf("clip%d", i), 0, "in", 1)
		f.answer("a", nil)
	}
	if got := f.running(); got["a/cpu"] != 4 {
		t.Fatalf("%v", got)
	}
	f.uncordon("a/GPU-0")
	if got := f.running(); got["a/GPU-0"] != 1 || got["a/cpu"] != 4 {
		t.Errorf("with a card: %v; %s", got, f.jobs["clip4"].Reason)
	}
}

// A move from one card of a host to another is decoded once.
func TestAMoveWithinAHostIsCountedOnce(t *testing.T) {
	f := newFarm()
	f.attach("a", 8_000_000, true)
	f.gpus("a", fleet.Device{ID: fleet.CPU, Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: 8_000_000}, nvenc("GPU-0", 1), nvenc("GPU-1", 1))
	f.fill(1)
	j := f.jobs["live0"]
	f.publish("a", "live0-0", 1)
	f.cordon("a/"+j.Placements()[0].Device, true)
	if m := f.jobs["live0"].Replicas[0].Handover; m == nil || m.Agent != "a" {
		t.Fatalf("no move: %s", f.jobs["live0"].Reason)
	}
	if used := f.used[reconcile.Device{Agent: "a", ID: fleet.CPU}]; used.Live != 5_760_000 {
		t.Errorf("the processor carries %+v", used)
	}
}
