package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// A store that has lost its newest writes may grant an epoch again that an agent
// still runs: the one that the record knows stays, the other is superseded.
func TestAnEpochThatTwoAgentsHold(t *testing.T) {
	f := newFarm()
	f.attach("a1", 100_000_000, true)
	f.submit(job.Live, "match", 0, "in", 1)
	f.answer("a1", nil)
	f.sleep(time.Second)
	pl := f.jobs["match"].Placements()[0]
	f.session++
	f.agents["b1"] = &host{name: "b1", pixels: 1, session: f.session, connected: true, beating: true, instance: 1,
		workers: map[string]*worker{pl.Assignment: {job: "match", epoch: pl.Epoch}}, sources: map[string]time.Duration{}}
	before := len(f.trace)
	f.tell(fleet.Attached{Session: f.session, Name: "b1", Instance: "b1#1", Held: []fleet.Held{{Assignment: pl.Assignment, Job: "match", Device: "cpu", Epoch: pl.Epoch}}})
	f.reconcile("match")
	if told := strings.Join(f.trace[before:], "\n"); !strings.Contains(told, "stop match-0 on b1 epoch 1 (superseded)") || strings.Contains(told, "stop match-0 on a1") {
		t.Errorf("what was decided:\n%s", told)
	}
	if now := f.jobs["match"].Placements(); len(now) != 1 || now[0].Agent != "a1" {
		t.Errorf("placed %+v", now)
	}
}

// A replica whose encoder breaks again and again does not take the other one off
// air, whatever that one is doing at the moment.
func TestAReplicaThatFailsLeavesTheOther(t *testing.T) {
	f := newFarm()
	f.attach("a1", 100_000_000, true)
	f.attach("b1", 100_000_000, true)
	f.submit(job.Live, "match", 0, "in", 2)
	f.answer("a1", nil)
	f.sleep(time.Second)
	for range 8 { // replica 1 is starting all the while
		j := f.jobs["match"]
		if pl := j.Replicas[1].Placement; pl != nil {
			h := f.agents[pl.Agent]
			f.tell(fleet.Report{Agent: pl.Agent, Session: h.session, Assignment: pl.Assignment, Job: "match", Epoch: pl.Epoch,
				Outcome: &media.Error{Code: media.EncoderError, Message: "the encoder does not open"}})
			f.reconcile("match")
		}
		f.sleep(20 * time.Second)
	}
	if j := f.jobs["match"]; j.State.Ended() || j.Replicas[0].Placement == nil {
		t.Errorf("%s: %s; replica 1 at %+v", j.State, j.Reason, j.Replicas[0].Placement)
	}
}
