package start

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Run is one job, from submit until it has ended. Times are seconds.
type Run struct {
	ID string `json:"id"`
	// First and All count from the call of SubmitLive until the first segment
	// of one rendition, and of every rendition, was read.
	First float64 `json:"first_s"`
	All   float64 `json:"all_s"`
	// The same time, cut at what the job's events tell.
	Accepted float64 `json:"accepted_s"` // the farm had it
	Probed   float64 `json:"probed_s"`   // since accepted: a probe process looked
	Placed   float64 `json:"placed_s"`   // since probed
	Anchored float64 `json:"anchored_s"` // since placed: worker spawned, ready, anchor fixed
	Source   float64 `json:"source_s"`   // since anchored, until the source has shown a segment's worth
	Tail     float64 `json:"tail_s"`     // since then: encoded, packaged, published, found
	// What the run cost, its stop included.
	Cost farm.Cost `json:"cost"`
	// Load of the machine at its start.
	Load float64 `json:"load1"`
}

// A run that takes longer is broken, and ends the benchmark.
const runWithin = 60 * time.Second

// one puts a job on air, waits for its first segments, and takes it off again.
func one(ctx context.Context, f *farm.Farm, web *http.Client, id, ladder string) (Run, error) {
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	before, err := f.Cost()
	if err != nil {
		return Run{}, err
	}
	began := time.Now()
	if _, err := f.Client.SubmitLive(ctx, &galav1.JobSpec{Id: id, Input: "testcard:", Ladder: ladder}); err != nil {
		return Run{}, err
	}
	p := player{http: web, tree: f.Page + "/origin/" + id}
	first, all, err := p.segments(ctx)
	if err != nil {
		return Run{}, err
	}
	r := Run{ID: id, First: first.Sub(began).Seconds(), All: all.Sub(began).Seconds()}
	if err := r.finish(ctx, f, began, first); err != nil {
		return Run{}, err
	}
	after, err := f.Cost()
	r.Cost = after.Since(before)
	return r, err
}

// finish takes the job off air, waits for its end, and cuts the time at its events.
func (r *Run) finish(ctx context.Context, f *farm.Farm, began, first time.Time) error {
	job, err := f.Client.Get(ctx, r.ID)
	if err != nil {
		return err
	}
	if err := r.cut(job, began, first); err != nil {
		return fmt.Errorf("job %s: %w", r.ID, err)
	}
	return stop(ctx, f, r.ID)
}

func stop(ctx context.Context, f *farm.Farm, id string) error {
	if _, err := f.Client.Cancel(ctx, id, "the benchmark has seen enough"); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		job, err := f.Client.Get(ctx, id)
		if err != nil || job.GetEndedAt() != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("job %s did not end: %w", id, context.Cause(ctx))
		}
	}
}

// cut splits the time until the first segment.
func (r *Run) cut(job *galav1.Job, began, first time.Time) error {
	at := map[string]time.Time{}
	for _, e := range job.GetEvents() {
		if _, seen := at[e.GetKind()]; !seen {
			at[e.GetKind()] = e.GetTime().AsTime()
		}
	}
	if len(job.GetAnchors()) == 0 || at["accepted"].IsZero() || at["probed"].IsZero() || at["placed"].IsZero() || at["anchored"].IsZero() {
		return errors.New("its events do not tell how it started")
	}
	shown := began.Add(shownAfter(job, began))
	r.Accepted = at["accepted"].Sub(began).Seconds()
	r.Probed = at["probed"].Sub(at["accepted"]).Seconds()
	r.Placed = at["placed"].Sub(at["probed"]).Seconds()
	r.Anchored = at["anchored"].Sub(at["placed"]).Seconds()
	r.Source = shown.Sub(at["anchored"]).Seconds()
	r.Tail = first.Sub(shown).Seconds()
	return nil
}

// shownAfter is when, after began, the source has shown one segment: the test
// card's clock is the wall clock, and the anchor says where it began.
func shownAfter(job *galav1.Job, began time.Time) time.Duration {
	a, g := job.GetAnchors()[0], job.GetGrid()
	seconds := float64(a.GetSourceTicks())*float64(a.GetSourceTimebase().GetNum())/float64(a.GetSourceTimebase().GetDen()) +
		float64(g.GetFramesPerGop()*g.GetGopsPerSegment()*g.GetFps().GetDen())/float64(g.GetFps().GetNum())
	return time.Duration(seconds*float64(time.Second)) - time.Duration(began.UnixNano())
}
