package job

import (
	"slices"
	"time"
)

// MaxEvents is how many transitions a record keeps; the store has the others.
const MaxEvents = 100

// MaxHistory is about how many the store keeps of one job: some ten megabytes of
// a job that fails all the time, and all there ever is of one in order.
const MaxHistory = 10_000

// MaxNotes bounds what sources and workers can make a record remember.
const MaxNotes = 50

// Event is the record of a transition: what caused it, and to what effect.
type Event struct {
	// Seq counts the events of a job from 1.
	Seq    uint64    `json:"seq,omitempty"`
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Cause  string    `json:"cause,omitempty"`
	Effect string    `json:"effect,omitempty"`
}

// Record appends an event and drops the oldest past MaxEvents. The first one
// (accepted) stays: it says when and as what the job came.
func (j *Job) Record(now time.Time, kind, cause, effect string) {
	j.number()
	j.Recorded++
	j.Events = append(j.Events, Event{Seq: j.Recorded, Time: now, Kind: kind, Cause: cause, Effect: effect})
	if extra := len(j.Events) - MaxEvents; extra > 0 {
		j.Events = slices.Delete(j.Events, 1, 1+extra)
	}
}

// number counts the events of a record that was written before they were.
func (j *Job) number() {
	if j.Recorded > 0 {
		return
	}
	for i := range j.Events {
		j.Recorded++
		j.Events[i].Seq = j.Recorded
	}
}

// Unkept are the events that the store has not seen yet.
func (j *Job) Unkept() []Event {
	i := len(j.Events)
	for i > 0 && j.Events[i-1].Seq > j.Kept {
		i--
	}
	return j.Events[i:]
}

// Note adds a sentence once.
func (j *Job) Note(sentences ...string) (added bool) {
	for _, s := range sentences {
		if s == "" || len(j.Notes) >= MaxNotes || slices.Contains(j.Notes, s) {
			continue
		}
		j.Notes, added = append(j.Notes, s), true
	}
	return added
}

// Enter moves the job to a state for a reason, and tells whether that changed
// anything. An ended job stays as it is.
func (j *Job) Enter(now time.Time, s State, reason string) bool {
	if j.State.Ended() || (j.State == s && j.Reason == reason) {
		return false
	}
	j.State, j.Reason, j.Entered = s, reason, now
	if s.Ended() {
		j.Ended = now
	}
	return true
}

// Requeue puts an ended job back to its beginning. What it published, its
// source and its epochs stay: nothing is encoded twice, and no epoch returns.
func (j *Job) Requeue(now time.Time) {
	j.State, j.Reason = Accepted, "queued again by the client"
	j.Ended, j.Error, j.Stop = time.Time{}, nil, nil
	for i := range j.Replicas {
		j.Replicas[i].Retry = Retry{}
	}
	j.Record(now, "requeued", "the client asked to try again", "back in the queue")
}
