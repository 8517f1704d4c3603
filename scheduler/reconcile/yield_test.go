package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/job"
	"pgregory.net/rapid"
)

// sessionsOfHost are what consumer cards of each host of these tests have together.
const sessionsOfHost = 4

// plug lets an agent offer two consumer cards, and nothing else.
func (f *farm) plug(name string) {
	f.attach(name, 0, false)
	f.gpus(name, consumer("GPU-0", 9, sessionsOfHost), consumer("GPU-1", 9, sessionsOfHost))
}

// Whatever happens, no host is promised more sessions than it has; and when the trouble
// is over no live job waits for what clips hold, and every clip that has room runs.
func TestLiveTakesSessionsFromClips(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &chaos{farm: newFarm(), rt: rt, endless: true}
		c.plug("a")
		c.plug("b")
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				for _, name := range []string{"a", "b"} {
					if n := c.sessionsAt(name, job.Live) + c.sessionsAt(name, job.VOD); n > sessionsOfHost {
						rt.Fatalf("%d sessions on %s\n%s", n, name, strings.Join(c.trace, "\n"))
					}
				}
			},
			"submit": func(rt *rapid.T) {
				if len(c.jobs) >= 9 {
					return
				}
				c.ladder = rapid.SampledFrom([]string{"one", "pair"}).Draw(rt, "ladder")
				kind := rapid.SampledFrom([]job.Kind{job.Live, job.VOD}).Draw(rt, "kind")
				c.submit(kind, fmt.Sprintf("%s%d", kind, len(c.jobs)), int32(rapid.IntRange(-1, 1).Draw(rt, "priority")), "in", uint32(rapid.IntRange(1, 2).Draw(rt, "redundancy")))
			},
			"work":  func(*rapid.T) { c.work() },
			"crash": func(*rapid.T) { c.crash() },
			"stop":  func(*rapid.T) { c.stopAny() },
			"stale": func(*rapid.T) { c.stale = true },
			"cut": func(rt *rapid.T) {
				h := c.agents[rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "agent")]
				h.beating = !h.beating
			},
			"scheduler": func(rt *rapid.T) {
				if err := c.do([]string{"scheduler-restarts"}); err != nil {
					rt.Fatal(err)
				}
				c.plug("a")
				c.plug("b")
			},
			"sleep": func(rt *rapid.T) {
				c.sleep(time.Duration(rapid.IntRange(1, 30).Draw(rt, "tenths")) * 100 * time.Millisecond)
			},
		})
		c.stale = false
		for _, h := range c.agents {
			h.beating = true
		}
		for range 180 { // a refused session is believed for a minute
			c.sleep(500 * time.Millisecond)
			c.work()
		}
		if len(c.broken) > 0 {
			rt.Fatalf("broken: %v\n%s", c.broken, strings.Join(c.trace, "\n"))
		}
		for _, id := range slices.Sorted(maps.Keys(c.jobs)) {
			c.checkRoom(c.jobs[id])
		}
	})
}

// sessionsAt are those of a kind that are placed on a host.
func (f *farm) sessionsAt(agent string, kind job.Kind) (n int) {
	for _, j := range f.jobs {
		for _, p := range j.Placements() {
			if p.Agent == agent && j.Spec.Kind == kind {
				n += p.Sessions
			}
		}
	}
	return n
}

// checkRoom: no run waits that has room, where for a live job what clips hold is room.
func (c *chaos) checkRoom(j job.Job) {
	for _, r := range j.Replicas {
		if r.Claim != nil && (j.State.Ended() || r.Placement != nil) {
			c.rt.Fatalf("%s is %s and claims %+v\n%s", j.Spec.ID, j.State, r.Claim, strings.Join(c.trace, "\n"))
		}
		if r.Placement != nil || j.State.Ended() {
			continue
		}
		for _, name := range []string{"a", "b"} {
			taken := c.sessionsAt(name, job.Live)
			if !j.Live() {
				taken += c.sessionsAt(name, job.VOD)
			}
			beside := slices.ContainsFunc(j.Placements(), func(p job.Placement) bool { return p.Agent == name })
			if !beside && taken+len(j.Renditions) <= sessionsOfHost {
				c.rt.Fatalf("%s waits, and %s has room (%d taken): %s\n%s", j.Spec.ID, name, taken, j.Reason, strings.Join(c.trace, "\n"))
			}
		}
	}
}

// What is claimed no more is room at once, for those that waited because of it.
func TestAClaimThatIsDroppedIsRoom(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", consumer("GPU-0", 9, 2))
	submit := func(kind job.Kind, id string) {
		f.submit(kind, id, 0, "in", 1)
		f.answer("a", nil)
	}
	submit(job.VOD, "one")
	submit(job.VOD, "two")
	f.ladder = "pair"
	submit(job.Live, "match")
	f.ladder = "one"
	submit(job.VOD, "late")
	for _, id := range []string{"one", "two"} {
		if j := f.jobs[id]; j.Replicas[0].Handover == nil || j.Replicas[0].Handover.For != "match" {
			t.Errorf("%s does not make room: %s", id, j.Reason)
		}
	}
	f.end("a", "one-0", media.Error{Code: media.HandedOver})
	if f.jobs["one"].Placed() || f.jobs["late"].Placed() || f.jobs["match"].Placed() {
		t.Errorf("placed with one session of two: %v", f.running())
	}
	f.stop("match")
	if got := f.running(); got["a/GPU-0"] != 2 {
		t.Errorf("after the live job has gone: %v; %s", got, f.jobs["late"].Reason)
	}
}

// Of a limit that was met rather than known live takes from clips too; and no more clips
// are asked than it takes.
func TestTheFewestClipsMakeRoom(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", nvenc("GPU-0", 9))
	for _, id := range []string{"small", "large"} {
		f.ladder = map[string]string{"small": "one", "large": "pair"}[id]
		f.submit(job.VOD, id, map[string]int32{"small": -1, "large": 0}[id], "in", 1)
		f.answer("a", nil)
		f.sleep(time.Second)
	}
	f.submit(job.Live, "refused", 0, "in", 1)
	f.answer("a", nil)
	f.end("a", "refused-0", media.Error{Code: media.SessionLimit, Message: "out of memory (10)"})
	f.sleep(time.Second)
	if small, large := f.jobs["small"].Replicas[0].Handover, f.jobs["large"].Replicas[0].Handover; small != nil || large == nil {
		t.Errorf("two sessions: asked small %v, large %v; %s", small, large, f.jobs["refused"].Reason)
	}
	f.end("a", "large-0", media.Error{Code: media.HandedOver})
	f.sleep(time.Second)
	if got := f.jobs["refused"]; !got.Placed() {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
	if f.view.Agent("a").Device("GPU-0") == nil || f.view.Agent("a").Full["GPU-0"].Sessions == 0 {
		t.Error("the limit was not met")
	}
}

// A clip whose record is being written when room is wanted is asked when it is not.
func TestAClipIsAskedAgain(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", consumer("GPU-0", 9, 1))
	f.submit(job.VOD, "replay", 0, "in", 1)
	f.answer("a", nil)
	f.writing = "replay"
	f.submit(job.Live, "match", 0, "in", 1)
	f.answer("a", nil)
	if h := f.jobs["replay"].Replicas[0].Handover; h != nil || f.jobs["match"].Replicas[0].Claim == nil {
		t.Errorf("asked meanwhile: %+v, claimed %+v", h, f.jobs["match"].Replicas[0].Claim)
	}
	f.writing = ""
	f.sleep(2 * time.Second)
	if h := f.jobs["replay"].Replicas[0].Handover; h == nil {
		t.Error("never asked:", f.jobs["match"].Reason)
	}
}

// What a live job took from clips is its own in a pause after a failure, too; a job that
// fails again and again gives it up.
func TestAPauseKeepsSessionsFromClips(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", consumer("GPU-0", 9, 1))
	f.submit(job.VOD, "replay", 0, "in", 1)
	f.answer("a", nil)
	f.submit(job.Live, "match", 0, "in", 1)
	f.answer("a", nil)
	f.end("a", "replay-0", media.Error{Code: media.HandedOver})
	crash := func() { f.end("a", "match-0", media.Error{Code: media.Crashed, Retryable: true}) }
	for range 2 {
		if !f.jobs["match"].Placed() {
			t.Fatal(f.jobs["match"].Reason)
		}
		crash()
		if c := f.jobs["match"].Replicas[0].Claim; c == nil || c.Sessions != 1 || f.jobs["replay"].Placed() {
			t.Fatalf("in its pause it claims %+v; the clip: %s", c, f.jobs["replay"].Reason)
		}
		f.sleep(10 * time.Second)
	}
	crash()
	if f.jobs["match"].Replicas[0].Claim != nil || !f.jobs["replay"].Placed() {
		t.Errorf("after three failures: %+v; the clip: %s", f.jobs["match"].Replicas[0].Claim, f.jobs["replay"].Reason)
	}
}

// Of two clips the one that was submitted last makes room, whichever began again last.
func TestTheNewestClipMakesRoom(t *testing.T) {
	f := newFarm()
	f.attach("a", 0, true)
	f.gpus("a", consumer("GPU-0", 9, 2))
	for _, id := range []string{"old", "new"} {
		f.submit(job.VOD, id, 0, "in", 1)
		f.answer("a", nil)
		f.sleep(time.Second)
	}
	f.publish("a", "old-0", 1)
	f.end("a", "old-0", media.Error{Code: media.Crashed, Retryable: true})
	f.submit(job.Live, "match", 0, "in", 1)
	f.answer("a", nil)
	if o, n := f.jobs["old"].Replicas[0], f.jobs["new"].Replicas[0]; o.Placement == nil || o.Handover != nil || n.Handover == nil {
		t.Errorf("old %+v, new %+v", o.Handover, n.Handover)
	}
}

// A replica that fails beside another one claims nothing in its pauses, which have no end:
// what it would take is clips'.
func TestAReplicaClaimsNothingInAPause(t *testing.T) {
	f := newFarm()
	for _, name := range []string{"a", "b"} {
		f.attach(name, 0, true)
		f.gpus(name, consumer("GPU-0", 9, 1))
	}
	f.submit(job.Live, "match", 0, "in", 2)
	f.answer("a", nil)
	f.answer("b", nil)
	f.publish("b", "match-2", 1)
	f.end("a", "match-1", media.Error{Code: media.EncoderError})
	j := f.jobs["match"]
	if len(j.Placements()) != 1 || j.Replicas[0].Claim != nil || j.Replicas[1].Claim != nil {
		t.Fatalf("%s %s: %+v", j.State, j.Reason, j.Replicas)
	}
	f.submit(job.VOD, "replay", 0, "in", 1)
	f.answer("b", nil)
	f.answer("a", nil)
	if j := f.jobs["replay"]; !j.Placed() {
		t.Errorf("the clip is %s: %s", j.State, j.Reason)
	}
}
