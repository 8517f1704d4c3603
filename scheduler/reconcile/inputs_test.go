package reconcile_test

import (
	"testing"
	"time"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
	"github.com/galafarm/gala/timeline"
)

// onAir is a farm with a live job that has a backup.
func onAir(t *testing.T) (*farm, job.Placement, fleet.Session) {
	t.Helper()
	f := newFarm()
	f.attach("a1", 100_000_000, true)
	f.submit(job.Live, "match", 0, "srt://10.0.0.7:9000", 1)
	f.answer("a1", nil)
	f.sleep(time.Second)
	j := f.jobs["match"].Clone()
	if !j.Placed() {
		t.Fatalf("not placed: %s", j.Reason)
	}
	j.Spec.Backups = []string{"srt://10.0.0.8:9000"}
	f.jobs["match"] = j
	return f, j.Placements()[0], f.agents["a1"].session
}

func (f *farm) sourceOf(pl job.Placement, s fleet.Session, source fleet.InputState) {
	source.Told = true
	f.tell(fleet.Report{Agent: pl.Agent, Session: s, Assignment: pl.Assignment, Job: "match", Epoch: pl.Epoch,
		Status: &fleet.Status{FirstSegment: true, Source: source}})
}

// Each input has anchors of its own, and what a worker tells of its inputs is
// written down once.
func TestInputsAreRecorded(t *testing.T) {
	f, pl, s := onAir(t)
	anchor := func(input int, generation uint32, frame int64) {
		f.tell(fleet.Proposal{Agent: pl.Agent, Session: s, Assignment: pl.Assignment, Job: "match", Epoch: pl.Epoch, Input: input,
			Anchor: timeline.Anchor{Generation: generation, Base: timeline.Timebase{Num: 1, Den: 90000}, Frame: frame}})
	}
	before := len(f.jobs["match"].Anchors)
	anchor(1, 1, 100)
	anchor(1, 1, 200) // another worker was faster
	anchor(1, 2, 300)
	j := f.jobs["match"]
	if got := j.AnchorsOf(1); len(got) != 2 || got[0].Frame != 100 || got[1].Frame != 300 || len(j.Anchors) != before {
		t.Errorf("the backup's are %+v; the primary has %d, had %d", got, len(j.Anchors), before)
	}
	events := []fleet.WorkerEvent{{Number: 1, At: f.now, Kind: "source_lost", Cause: "nothing came"}, {Number: 2, At: f.now, Kind: "input_switched", Effect: "backup-1 is on air"}}
	for range 3 {
		f.sourceOf(pl, s, fleet.InputState{Input: 1, LagUS: 1_500_000, Events: events})
	}
	j, count := f.jobs["match"], map[string]int{}
	for _, e := range j.Events {
		count[e.Kind]++
	}
	if count["source_lost"] != 1 || count["input_switched"] != 1 || j.Replicas[0].OnScreen.Input != 1 || j.Replicas[0].OnScreen.LagUS != 1_500_000 {
		t.Errorf("events %v, on screen %+v", count, j.Replicas[0].OnScreen)
	}
	revision := j.Revision
	f.sourceOf(pl, s, fleet.InputState{Input: 1, LagUS: 1_530_000, Events: events})
	if j := f.jobs["match"]; j.Revision != revision {
		t.Error("a lag that hardly moved was written down")
	}
}

// An order reaches the worker once a session, until it says that it has obeyed.
func TestOrdersReachTheWorker(t *testing.T) {
	f, pl, s := onAir(t)
	f.sourceOf(pl, s, fleet.InputState{})
	j := f.jobs["match"].Clone()
	j.Inputs.Order = job.InputOrder{Input: 1, Number: 1}
	f.jobs["match"] = j
	sent := func() (n int) {
		for _, plan := range reconcile.Look(reconcile.Input{Now: f.now, Fleet: f.view, Used: f.used, Jobs: []job.Job{f.jobs["match"]}, Settled: true, Settings: reconcile.DefaultSettings()}) {
			for _, send := range plan.Sends {
				if send.Switch != nil && send.Switch.Order.Input == 1 && send.Switch.Epoch == pl.Epoch {
					n++
				}
			}
		}
		return n
	}
	if sent() != 1 {
		t.Fatal("the order is not sent")
	}
	f.tell(fleet.SwitchSent{Agent: pl.Agent, Assignment: pl.Assignment, Number: 1})
	if sent() != 0 {
		t.Error("it is sent again")
	}
	f.sourceOf(pl, s, fleet.InputState{Input: 1, Obeyed: 1})
	if j := f.jobs["match"]; j.Replicas[0].OnScreen.Obeyed != 1 || j.Replicas[0].OnScreen.Input != 1 {
		t.Errorf("obeyed: %+v", j.Replicas[0].OnScreen)
	}
}
