package job_test

import (
	"encoding/json"
	"fmt"
	"slices"
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
	j := job.Job{State: job.Failed, Replicas: []job.Replica{{Epoch: 7, Published: map[string]int64{"480p": 3}, Retry: job.Retry{Failures: 5, Failed: []job.Failure{{Place: "a1/cpu"}}}}},
		Error: &job.Error{Code: "stalled"}, Ended: now, Stop: &job.Stop{At: now}}
	j.Requeue(now)
	r := j.Replicas[0]
	if j.State != job.Accepted || j.Error != nil || j.Stop != nil || !j.Ended.IsZero() || !cmp.Equal(r.Retry, job.Retry{}) {
		t.Errorf("requeued as %+v", j)
	}
	if r.Epoch != 7 || r.Published["480p"] != 3 {
		t.Error("epoch or what was published is gone")
	}
}

func TestACloneSharesNothing(t *testing.T) {
	j := job.Job{Notes: []string{"x"}, Replicas: []job.Replica{{
		Retry:     job.Retry{Failed: []job.Failure{{Place: "a/cpu"}, {Place: "b/cpu"}}},
		Published: map[string]int64{"a": 1}, Placement: &job.Placement{Epoch: 1}, Handover: &job.Handover{Agent: "b"}, Claim: &job.Claim{Agent: "b"}, Totals: map[string]job.Total{"a": {Frames: 1}}}}}
	c := j.Clone()
	r := &c.Replicas[0]
	r.Retry.Forgive("a/cpu")
	r.Claim.Agent = "c"
	r.Published["a"], r.Placement.Epoch, r.Handover.Agent, r.Totals["a"], r.Epoch, c.Notes[0] = 2, 2, "c", job.Total{}, 2, "y"
	if o := j.Replicas[0]; o.Published["a"] != 1 || o.Placement.Epoch != 1 || o.Handover.Agent != "b" || o.Totals["a"].Frames != 1 || o.Epoch != 0 || o.Claim.Agent != "b" || o.Retry.Failed[0].Place != "a/cpu" || j.Notes[0] != "x" {
		t.Error("changing the clone changed the original")
	}
}

func TestReplicasAreThoseOfTheSpec(t *testing.T) {
	for redundancy, want := range map[uint32][]string{0: {""}, 1: {""}, 3: {"r1", "r2", "r3"}} {
		j := job.Job{Spec: job.Spec{Redundancy: redundancy}}
		j.Replicate()
		j.Replicate()
		var got []string
		for _, r := range j.Replicas {
			got = append(got, r.Folder())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("redundancy %d (-want +got): %s", redundancy, diff)
		}
	}
}

// A record that an earlier release wrote goes on as it was: its one run becomes
// the job's only replica.
func TestTheFirstFormOfRecordsIsRead(t *testing.T) {
	const old = `{"version":1,"spec":{"id":"match","kind":"live","input":"in"},"revision":9,"state":"running",
		"placements":[{"assignment":"match-0","agent":"a1","instance":"i","device":"cpu","epoch":4,"attempt":4,"granted":"2026-07-19T20:00:00Z","resumed_at":7,"cost":5,"sessions":1}],
		"attempts":4,"epoch":4,"on_air":true,"published":{"480p":12},"published_at":"2026-07-19T20:00:00Z",
		"retry":{"avoid":"b1/cpu"},"totals":{"480p":{"frames":100,"segments":2,"bytes":3,"bitrate":4,"last":7}}}`
	var j job.Job
	if err := json.Unmarshal([]byte(old), &j); err != nil {
		t.Fatal(err)
	}
	want := []job.Replica{{
		Placement: &job.Placement{Assignment: "match-0", Agent: "a1", Instance: "i", Device: "cpu", Epoch: 4, Attempt: 4, Granted: now, ResumedAt: 7, Cost: 5, Sessions: 1},
		Epoch:     4, OnAir: true, Published: map[string]int64{"480p": 12}, PublishedAt: now, Retry: job.Retry{Last: "b1/cpu"},
		Totals: map[string]job.Total{"480p": {Frames: 100, Segments: 2, Bytes: 3, Bitrate: 4, Last: 7}},
	}}
	if diff := cmp.Diff(want, j.Replicas); diff != "" {
		t.Error("(-want +got):", diff)
	}
	j.Version = job.RecordVersion
	again, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var k job.Job
	if err := json.Unmarshal(again, &k); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, k.Replicas); diff != "" {
		t.Error("written and read again (-want +got):", diff)
	}
}

// What an earlier release wrote of the one place that it avoided goes on: where the job
// ran last, and where there were failures the place of the newest.
func TestThePlaceThatFailedIsReadFromAnEarlierRecord(t *testing.T) {
	for old, want := range map[string]job.Retry{
		`{"avoid":"b1/cpu"}`: {Last: "b1/cpu"},
		`{"failures":2,"not_before":"2026-07-19T20:00:00Z","avoid":"b1/cpu"}`: {
			Failures: 2, NotBefore: now, Last: "b1/cpu", Failed: []job.Failure{{Place: "b1/cpu", At: now}}},
		`{"failures":2,"avoid":"a1/cpu","failed":[{"place":"b1/cpu","at":"2026-07-19T20:00:00Z"}]}`: {
			Failures: 2, Last: "a1/cpu", Failed: []job.Failure{{Place: "b1/cpu", At: now}}},
	} {
		var got job.Retry
		if err := json.Unmarshal([]byte(old), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", old, diff)
		}
	}
}

func TestPlacesThatFailedAreBoundedAndForgotten(t *testing.T) {
	var r job.Retry
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for i := range 2 * job.MaxFailed {
		r.FailedAt(fmt.Sprintf("a/%d", i), at(i), false)
	}
	if len(r.Failed) != job.MaxFailed {
		t.Errorf("%d places", len(r.Failed))
	}
	r.FailedAt("a/20", at(99), true)
	if got, want := r.FailedSince(at(29)), []job.Failure{{Place: "a/30", At: at(30)}, {Place: "a/31", At: at(31)}, {Place: "a/20", At: at(99), Device: true}}; !slices.Equal(got, want) {
		t.Errorf("since 29 s: %v, want %v", got, want)
	}
	r.Forgive("a/20")
	if got := r.FailedSince(at(31)); got != nil {
		t.Errorf("after what was forgiven: %v", got)
	}
}
