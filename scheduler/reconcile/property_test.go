package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"pgregory.net/rapid"
)

// Whatever happens, in whatever order: no epoch of a tree is granted twice, no
// device carries more live work than it offers, no host or zone carries two
// replicas of a job, an ended job stays ended; and when the trouble is over, every
// job is where it should be.
func TestNoHistoryBreaksTheFarm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &chaos{farm: newFarm(), rt: rt}
		for range 3 {
			c.trouble()
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				if len(c.broken) > 0 {
					rt.Fatalf("broken: %v\n%s", c.broken, strings.Join(c.trace, "\n"))
				}
			},
			"submit":  func(*rapid.T) { c.submitAny() },
			"work":    func(*rapid.T) { c.work() },
			"trouble": func(*rapid.T) { c.trouble() },
			"crash":   func(*rapid.T) { c.crash() },
			"vanish":  func(*rapid.T) { c.vanish() },
			"stop":    func(*rapid.T) { c.stopAny() },
			"stale":   func(*rapid.T) { c.stale = true },
			"close":   func(*rapid.T) { c.closeAny() },
			"cards":   func(*rapid.T) { c.cardsOfAny() },
			"sleep": func(*rapid.T) {
				c.sleep(time.Duration(rapid.IntRange(1, 30).Draw(rt, "tenths")) * 100 * time.Millisecond)
			},
		})
		c.peace()
		if len(c.broken) > 0 {
			rt.Fatalf("broken: %v\n%s", c.broken, strings.Join(c.trace, "\n"))
		}
	})
}

// chaos is a farm and what can happen to it.
type chaos struct {
	*farm
	rt      *rapid.T
	endless bool // clips
}

func (c *chaos) agentName() string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(c.rt, "agent")
}

func (c *chaos) submitAny() {
	if len(c.jobs) >= 6 {
		return
	}
	kind := rapid.SampledFrom([]job.Kind{job.Live, job.VOD}).Draw(c.rt, "kind")
	source, redundancy := "in", uint32(1)
	if kind == job.Live {
		source = rapid.SampledFrom([]string{"in", "srt://studio:9000"}).Draw(c.rt, "source")
		redundancy = uint32(rapid.IntRange(1, 3).Draw(c.rt, "redundancy"))
	}
	c.submit(kind, fmt.Sprintf("%s%d", kind, len(c.jobs)), int32(rapid.IntRange(-3, 3).Draw(c.rt, "priority")), source, redundancy)
}

// closeAny cordons or drains an agent or its device, or opens it again.
func (c *chaos) closeAny() {
	place := c.agentName() + rapid.SampledFrom([]string{"", "/cpu"}).Draw(c.rt, "device")
	switch rapid.IntRange(0, 2).Draw(c.rt, "close") {
	case 0:
		c.cordon(place, false)
	case 1:
		c.cordon(place, true)
	default:
		c.uncordon(place)
	}
}

// cardsOfAny agent come, go, or are lost.
func (c *chaos) cardsOfAny() {
	name := c.agentName()
	h := c.agents[name]
	if h == nil || !h.connected {
		return
	}
	devices := []fleet.Device{{ID: "cpu", Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: h.pixels}}
	for _, id := range []string{"GPU-0", "GPU-1"} {
		switch rapid.IntRange(0, 2).Draw(c.rt, id) {
		case 1:
			devices = append(devices, consumer(id, 1, 1))
		case 2:
			devices = append(devices, fleet.Device{ID: id, Role: "unusable", RoleReason: "it fell off the bus", Lost: true})
		}
	}
	c.gpus(name, devices...)
}

// work: agents answer what they were asked, and workers get on.
func (c *chaos) work() {
	for _, name := range slices.Sorted(maps.Keys(c.agents)) {
		h := c.agents[name]
		if !h.connected {
			continue
		}
		c.answer(name, nil)
		for _, id := range slices.Sorted(maps.Keys(h.workers)) {
			c.workOn(h, id)
		}
	}
}

// workOn one worker: it publishes a segment; a VOD one ends after its third; a
// live one that was asked to finish ends.
func (c *chaos) workOn(h *host, id string) {
	w := h.workers[id]
	if w == nil {
		return
	}
	c.publish(h.name, id, w.segment+1)
	if w = h.workers[id]; w == nil {
		return
	}
	j := c.jobs[w.job]
	switch {
	case j.Stop != nil:
		c.end(h.name, id, media.Error{Code: media.Stopped})
	case w.leaving:
		c.end(h.name, id, media.Error{Code: media.HandedOver, Retryable: true})
	case !j.Live() && w.segment >= 3 && !c.endless:
		c.end(h.name, id, media.Error{Code: media.Finished})
	}
}

// trouble: an agent comes, goes, goes silent, or starts anew; or the scheduler does.
func (c *chaos) trouble() {
	name := c.agentName()
	h := c.agents[name]
	switch what := rapid.IntRange(0, 9).Draw(c.rt, "trouble"); {
	case h == nil:
		c.zones[name] = rapid.SampledFrom([]string{"", "z1", "z2"}).Draw(c.rt, "zone")
		c.attach(name, 20_000_000, true)
	case what == 0:
		for _, h := range c.agents {
			h.connected, h.inbox = false, nil
		}
		if err := c.do([]string{"scheduler-restarts"}); err != nil {
			c.rt.Fatal(err)
		}
	case what <= 2:
		c.attach(name, 0, true)
	case what <= 4 && h.connected:
		c.detach(name)
	case what <= 6:
		h.beating = !h.beating
	default:
		c.attach(name, 0, false)
	}
}

// anyWorker is one that runs on a connected agent.
func (c *chaos) anyWorker() (*host, string) {
	for _, name := range slices.Sorted(maps.Keys(c.agents)) {
		h := c.agents[name]
		for _, id := range slices.Sorted(maps.Keys(h.workers)) {
			if h.connected && rapid.Bool().Draw(c.rt, "this one") {
				return h, id
			}
		}
	}
	return nil, ""
}

func (c *chaos) crash() {
	if h, id := c.anyWorker(); h != nil {
		code := rapid.SampledFrom([]media.Code{media.Crashed, media.Stalled, media.DeviceLost, media.SessionLimit, media.SinkError, media.HandedOver}).Draw(c.rt, "code")
		c.end(h.name, id, media.Error{Code: code, Retryable: true})
	}
}

func (c *chaos) vanish() {
	if h, id := c.anyWorker(); h != nil {
		delete(h.workers, id)
	}
}

func (c *chaos) stopAny() {
	for _, id := range slices.Sorted(maps.Keys(c.jobs)) {
		if j := c.jobs[id]; !j.State.Ended() && j.Stop == nil && rapid.Bool().Draw(c.rt, "stop") {
			c.farm.stop(id)
			return
		}
	}
}

// peace: every agent is there and works. Within a minute and a half every live job runs
// exactly once, with the epoch that its record grants, or waits because there
// is no room; every VOD job has ended; what was stopped has ended.
func (c *chaos) peace() {
	c.stale = false
	for _, place := range slices.Sorted(maps.Keys(c.cordons)) {
		c.uncordon(place)
	}
	for _, name := range []string{"a", "b", "c"} {
		if h := c.agents[name]; h == nil || !h.connected {
			c.attach(name, 20_000_000, h == nil)
		}
		c.agents[name].beating = true
	}
	for range 180 { // a session that was refused is believed for a minute
		c.sleep(500 * time.Millisecond)
		c.work()
	}
	for id, j := range c.jobs {
		switch {
		case j.State.Ended():
			if n := c.writers(id); len(n) > 0 {
				c.rt.Fatalf("%s ended as %s and runs on %v\n%s", id, j.State, n, strings.Join(c.trace, "\n"))
			}
			for name, h := range c.agents {
				if _, holds := h.sources[id]; holds {
					c.rt.Fatalf("%s ended as %s and %s holds its source\n%s", id, j.State, name, strings.Join(c.trace, "\n"))
				}
			}
		case !j.Live() && j.Stop == nil && strings.Contains(j.Reason, "no device has room"): // live goes first
		case !j.Live() || j.Stop != nil:
			c.rt.Fatalf("%s is %s after all that peace: %s\n%s", id, j.State, j.Reason, strings.Join(c.trace, "\n"))
		default:
			c.checkRuns(j)
		}
	}
}

// checkRuns: each replica runs once, as the record grants it, or has no room.
func (c *chaos) checkRuns(j job.Job) {
	var want []string
	for _, r := range j.Replicas {
		state, reason := r.State, r.Reason
		if r.Number == 0 {
			state, reason = j.State, j.Reason
		}
		switch {
		case r.Placement != nil && state == job.Running:
			want = append(want, fmt.Sprintf("%s epoch %d", r.Placement.Agent, r.Epoch))
		case !strings.Contains(reason, "no device has room"):
			c.rt.Fatalf("%s is %s after all that peace: %s\n%s", j.Spec.ID, state, reason, strings.Join(c.trace, "\n"))
		}
	}
	slices.Sort(want)
	if n := c.writers(j.Spec.ID); !slices.Equal(n, want) {
		c.rt.Fatalf("%s runs on %v, want %v\n%s", j.Spec.ID, n, want, strings.Join(c.trace, "\n"))
	}
	for name, h := range c.agents {
		if _, holds := h.sources[j.Spec.ID]; holds != (j.Warm == name) || holds && slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name+" ") }) {
			c.rt.Fatalf("%s holds the source of %s: %v; the record says %q, it runs on %v\n%s", name, j.Spec.ID, holds, j.Warm, want, strings.Join(c.trace, "\n"))
		}
	}
}

// writers are the workers of a job, wherever they run.
func (c *chaos) writers(id string) (on []string) {
	for _, name := range slices.Sorted(maps.Keys(c.agents)) {
		for _, w := range c.agents[name].workers {
			if w.job == id {
				on = append(on, fmt.Sprintf("%s epoch %d", name, w.epoch))
			}
		}
	}
	return on
}
