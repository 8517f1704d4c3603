package scheduler

import (
	"context"
	"errors"
	"fmt"

	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
)

// movePage is how many records are read at once.
const movePage = 500

// moveOutputs points jobs that named no destination at the farm's own origin
// where it is now: a farm that comes back may listen elsewhere, with the same
// objects.
func (l *loop) moveOutputs(ctx context.Context) error {
	if l.cfg.OriginURL == "" || l.moved {
		return nil
	}
	for before := uint64(0); ; {
		jobs, err := l.cfg.Store.List(ctx, before, movePage)
		if err != nil {
			return fmt.Errorf("read the jobs: %w", err)
		}
		if len(jobs) == 0 {
			l.moved = true
			return nil
		}
		for _, j := range jobs {
			if err := l.moveOutput(ctx, j); err != nil {
				return err
			}
		}
		before = jobs[len(jobs)-1].Seq
	}
}

func (l *loop) moveOutput(ctx context.Context, j job.Job) error {
	for {
		now := api.OwnOutput(l.cfg.OriginURL, j.Spec.ID)
		if j.Recovered || len(j.Spec.Destinations) > 0 || len(j.Outputs) == 1 && j.Outputs[0].URL == now.URL {
			return nil
		}
		j.Outputs = []job.Output{now}
		_, err := l.cfg.Store.Update(ctx, j)
		switch {
		case err == nil, errors.Is(err, store.ErrNotFound):
			return nil
		case !errors.Is(err, store.ErrConflict):
			return fmt.Errorf("move the output of job %s: %w", j.Spec.ID, err)
		}
		if j, err = l.cfg.Store.Get(ctx, j.Spec.ID); err != nil {
			return err
		}
	}
}
