package rehearsal

import (
	"context"
	"fmt"
	"time"

	"github.com/galafarm/gala/media/verify"
)

// one fault: done, held, healed, and measured when the programme is steady
// again or is not expected to be any more.
func (r *Rehearsal) one(ctx context.Context, f Fault) (result Result) {
	before := time.Now()
	result = Result{Fault: f.Name, Bars: f.Bars.String(), At: before, Load: load()}
	seen := r.eye.sightings()
	u := usualOf(seen, before, r.usual)
	r.usual = u
	r.viewed = usualOf(viewed(seen), before, r.viewed)
	var there map[string]bool
	if f.agent {
		var err error
		if there, err = r.attached(ctx); err != nil {
			result.Why = "it was not done: " + err.Error()
			return result
		}
	}
	r.struck = time.Now()
	heal, said, err := f.inject(r)
	from := r.struck
	result.Said, result.At = said, from
	if err != nil {
		result.Why = "it could not be done: " + err.Error()
		return result
	}
	result.Done = true
	if f.agent {
		waiting, end := context.WithCancel(ctx)
		back := make(chan time.Duration, 1)
		go func() { back <- r.back(waiting, there, from) }()
		defer func() {
			late := time.AfterFunc(backWithin, end)
			result.BackMS = milliseconds(<-back)
			late.Stop()
			end()
		}()
	}
	var undone error
	if f.left {
		defer func() { _ = heal() }() // what the farm has not ended goes on
	} else {
		result.Interrupted = !rest(ctx, f.Holds)
		undone = heal()
	}
	if result.Interrupted {
		return result
	}
	healed := time.Now()
	// What a fault breaks shows a segment later, and a little more.
	_ = r.within(ctx, f.Bars.Edge+steadyWithin, func(seen []verify.Sighting) bool {
		return time.Since(healed) > r.report.Segment()+shows && steady(seen, u, healed)
	})
	if ctx.Err() != nil {
		result.Interrupted = true
		return result
	}
	result.Measured = measure(viewed(r.eye.sightings()), r.viewed, from, time.Now())
	result.Why = f.Bars.judge(result.Measured)
	if undone != nil {
		result.Undone = undone.Error()
		result.Why = "it could not be brought to its end: " + result.Undone
	}
	result.Passed = result.Why == ""
	if result.Events, result.NoticedMS, result.Untold = r.events(ctx, from); ctx.Err() != nil {
		result.Interrupted = true
	}
	return result
}

// shows is how much later than a segment a fault's effect may be noticed.
const shows = 2 * time.Second

// events of the job since a fault, as "kind: cause", and how many milliseconds
// after it the first one was, 0 without one; or why the farm did not tell.
func (r *Rehearsal) events(ctx context.Context, fault time.Time) (said []string, noticed float64, untold string) {
	ctx, cancel := context.WithTimeout(ctx, rpcWithin)
	defer cancel()
	j, err := r.o.Client.Get(ctx, r.job)
	if err != nil {
		return nil, 0, "the farm did not tell its events: " + err.Error()
	}
	for _, e := range j.GetEvents() {
		after := e.GetTime().AsTime().Sub(fault)
		if after < 0 {
			continue
		}
		if len(said) == 0 {
			noticed = milliseconds(after)
		}
		said = append(said, fmt.Sprintf("+%.1fs %s: %s", after.Seconds(), e.GetKind(), e.GetCause()))
	}
	return said, noticed, ""
}
