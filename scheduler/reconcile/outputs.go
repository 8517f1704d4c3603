package reconcile

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/scheduler/fleet"
)

// fewOutputs in trouble are each told of; of more, only how many they are, each
// time that doubles. A record keeps a hundred events, and a job may have two
// hundred outputs whose network fails at once.
const fewOutputs = 10

func worthTelling(inTrouble int) bool {
	for n := fewOutputs; n <= inTrouble; n *= 2 {
		if n == inTrouble {
			return true
		}
	}
	return inTrouble < fewOutputs
}

// outputs records when an output gets into trouble, and when it is out of it.
func (r run) outputs(s fleet.Status) {
	for i, now := range s.Outputs[:min(len(s.Outputs), len(r.job.Outputs))] {
		if now.State != fleet.OutputInTrouble && i >= len(r.r.Takers) {
			continue // nothing is to be told
		}
		o := r.r.Taker(i)
		switch {
		case now.State == fleet.OutputInTrouble && o.Trouble.IsZero():
			o.Trouble = now.Since
			r.outputTrouble(i, now)
		case now.State == fleet.OutputWell && !o.Trouble.IsZero():
			since := o.Trouble
			o.Trouble = time.Time{}
			r.outputRecovered(i, now, since)
		}
	}
}

func (r run) outputTrouble(i int, now fleet.Output) {
	r.changed()
	r.trace("output %d in trouble: %s", i, now.Cause)
	effect := "it is tried again with each segment"
	if len(r.job.Outputs) > 1 {
		effect += "; the others get everything"
	}
	n := r.inTrouble()
	if n > fewOutputs {
		effect = fmt.Sprintf("%d of %d outputs are in trouble now", n, len(r.job.Outputs))
	}
	if worthTelling(n) {
		r.record("output_trouble", r.job.Outputs[i].Name()+": "+now.Cause, effect)
	}
}

func (r run) outputRecovered(i int, now fleet.Output, since time.Time) {
	r.changed()
	away := now.LastSegmentAt.Sub(since).Round(time.Second)
	lost := r.r.Taker(i).Lost + now.Lost
	r.trace("output %d recovered after %v, %d lost", i, away, lost)
	effect := "nothing was lost there"
	if lost > 0 {
		effect = fmt.Sprintf("%d segments of all renditions never came there so far; its playlists list them as gaps", lost)
	}
	if worthTelling(r.inTrouble() + 1) {
		r.record("output_recovered", fmt.Sprintf("%s takes segments again, after %v", r.job.Outputs[i].Name(), away), effect)
	}
}

// inTrouble is how many outputs are, as far as was recorded.
func (r run) inTrouble() (n int) {
	for _, o := range r.r.Takers {
		if !o.Trouble.IsZero() {
			n++
		}
	}
	return n
}

// lostOutputs adds what a worker that ended could not bring to each output.
func (r run) lostOutputs(s fleet.Status) {
	for i, o := range s.Outputs[:min(len(s.Outputs), len(r.job.Outputs))] {
		if o.Lost > 0 {
			r.r.Taker(i).Lost += o.Lost
		}
	}
}
