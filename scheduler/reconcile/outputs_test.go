package reconcile_test

import (
	"testing"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// A network that fails takes 200 outputs with it: the record tells it in a
// handful of events, and keeps what it had.
func TestAllOutputsAtOnce(t *testing.T) {
	f := newFarm()
	f.attach("a1", 100_000_000, true)
	f.submit(job.Live, "match", 0, "in", 1)
	f.answer("a1", nil)
	j := f.jobs["match"].Clone()
	j.Outputs = make([]job.Output, 200)
	f.jobs["match"] = j
	outputs := make([]fleet.Output, 200)
	tell := func(n int64, state fleet.OutputState) {
		for i := range outputs { // one after the other
			outputs[i] = fleet.Output{State: state, LastSegment: n, Since: f.now, LastSegmentAt: f.now, Cause: "no route to host"}
			f.publish("a1", "match-0", n, append([]fleet.Output(nil), outputs...)...)
			f.sleep(1e8)
		}
	}
	tell(1, fleet.OutputWell)
	before := len(f.jobs["match"].Events)
	tell(2, fleet.OutputInTrouble)
	if told := len(f.jobs["match"].Events) - before; told < 10 || told > 20 {
		t.Errorf("%d events for 200 troubles", told)
	}
	before = len(f.jobs["match"].Events)
	tell(3, fleet.OutputWell)
	if told := len(f.jobs["match"].Events) - before; told < 10 || told > 20 {
		t.Errorf("%d events for 200 recoveries", told)
	}
	for i, o := range f.jobs["match"].Replicas[0].Takers {
		if !o.Trouble.IsZero() {
			t.Errorf("output %d is still in trouble by the record", i)
		}
	}
}
