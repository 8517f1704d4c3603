package job_test

import (
	"testing"
	"time"

	"github.com/galafarm/gala/scheduler/job"
	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 7, 19, 20, 0, 0, 0, time.UTC)

func TestDefaultsSpelledOutAreTheSameWish(t *testing.T) {
	short := job.Spec{ID: "match", Kind: job.Live, Input: "in", Ladder: "hd"}
	if d := short.Diff(short.Effective()); len(d) > 0 {
		t.Errorf("differs in %v", d)
	}
	other := short
	other.Input, other.CPU, other.Destinations = "out", job.CPUNever, []string{"/tv"}
	if diff := cmp.Diff([]string{"input", "destinations", "cpu"}, short.Diff(other)); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func TestEventsAreBoundedAndKeepTheFirst(t *testing.T) {
	var j job.Job
	for i := range 3 * job.MaxEvents {
		j.Record(now.Add(time.Duration(i)*time.Second), "placed", "", "")
	}
	if n := len(j.Events); n != job.MaxEvents {
		t.Fatalf("%d events", n)
	}
	if !j.Events[0].Time.Equal(now) || !j.Events[job.MaxEvents-1].Time.Equal(now.Add((3*job.MaxEvents-1)*time.Second)) {
		t.Errorf("kept %v to %v", j.Events[0].Time, j.Events[job.MaxEvents-1].Time)
	}
}

func TestNotesAreSaidOnceAndBounded(t *testing.T) {
	var j job.Job
	if !j.Note("no audio") || j.Note("no audio") || j.Note("") {
		t.Error("a note was added twice, or an empty one")
	}
	for i := range 2 * job.MaxNotes {
		j.Note(string(rune('A' + i)))
	}
	if len(j.Notes) != job.MaxNotes {
		t.Errorf("%d notes", len(j.Notes))
	}
}

func TestAnEndedJobStays(t *testing.T) {
	j := job.Job{State: job.Running}
	if !j.Enter(now, job.Done, "over") || !j.Ended.Equal(now) {
		t.Fatal("did not end")
	}
	if j.Enter(now, job.Running, "again") || j.State != job.Done {
		t.Error("an ended job went on")
	}
}

func TestRequeueKeepsWhatWasDone(t *testing.T) {
	j := job.Job{State: job.Failed, Epoch: 7, Published: map[string]int64{"480p": 3}, Error: &job.Error{Code: "stalled"},
		Ended: now, Stop: &job.Stop{At: now}, Retry: job.Retry{Failures: 5}}
	j.Requeue(now)
	if j.State != job.Accepted || j.Error != nil || j.Stop != nil || !j.Ended.IsZero() || j.Retry != (job.Retry{}) {
		t.Errorf("requeued as %+v", j)
	}
	if j.Epoch != 7 || j.Published["480p"] != 3 {
		t.Error("epoch or what was published is gone")
	}
}

func TestACloneSharesNothing(t *testing.T) {
	j := job.Job{Published: map[string]int64{"a": 1}, Placements: []job.Placement{{Epoch: 1}}, Notes: []string{"x"}}
	c := j.Clone()
	c.Published["a"], c.Placements[0].Epoch, c.Notes[0] = 2, 2, "y"
	if j.Published["a"] != 1 || j.Placements[0].Epoch != 1 || j.Notes[0] != "x" {
		t.Error("changing the clone changed the original")
	}
}
