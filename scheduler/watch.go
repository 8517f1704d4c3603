package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
)

// watchStore feeds the loop with every record and every change. A store that
// fails is asked again; the reading then starts anew.
func (l *loop) watchStore(ctx context.Context) error {
	pause := &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: 2 * time.Second}
	for {
		err := l.moveOutputs(ctx) // before the loop knows a job, so that none is started with its old ones
		if err == nil {
			err = l.readCordons(ctx) // likewise, so that none is placed where it must not be
		}
		if err == nil {
			err = l.cfg.Store.Watch(ctx, func(b store.Batch) error {
				l.storeDown.Store(nil)
				if err := l.post(ctx, stored{b}); err != nil {
					return err
				}
				if b.Synced { // it was read anew: it may have lost what is known here
					if err := l.restoreCordons(ctx); err != nil {
						return err
					}
				}
				pause.Reset()
				return nil
			})
		}
		if ctx.Err() != nil || errors.Is(err, errEnded) {
			return ctx.Err()
		}
		l.storeFailed(err)
		wait := time.NewTimer(pause.NextBackOff())
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// readCordons tells the view what the store holds. What it has lost meanwhile
// stays as it is known here.
func (l *loop) readCordons(ctx context.Context) error {
	all, err := l.cfg.Store.Cordons(ctx)
	if err != nil {
		return fmt.Errorf("read the cordons: %w", err)
	}
	for _, c := range all {
		if err := l.Tell(ctx, fleet.Cordoned{Cordon: c}); err != nil {
			return err
		}
	}
	return nil
}

// cordons are those of the view.
func (l *loop) cordons(ctx context.Context) ([]fleet.Cordon, error) {
	m := cordonsAsked{make(chan []fleet.Cordon, 1)}
	if err := l.post(ctx, m); err != nil {
		return nil, err
	}
	select {
	case all := <-m.answer:
		return all, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ended:
		return nil, errEnded
	}
}

type cordonsAsked struct{ answer chan []fleet.Cordon }

func (m cordonsAsked) take(l *loop, _ time.Time) { m.answer <- l.view.Cordons() }

type stored struct{ batch store.Batch }

func (m stored) take(l *loop, now time.Time) {
	if m.batch.Reset {
		l.reading = map[string]struct{}{}
	}
	for _, j := range m.batch.Jobs {
		if l.reading != nil {
			l.reading[j.Spec.ID] = struct{}{}
		}
		l.read(now, j)
	}
	if m.batch.Synced {
		l.sync(now)
	}
}

// read takes a record from the store. One that is older than ours is an echo,
// or a store that came back with less than it had.
func (l *loop) read(now time.Time, j job.Job) {
	e := l.jobs[j.Spec.ID]
	if e != nil && j.Revision < e.job.Revision {
		if l.reading != nil && l.synced && !e.writing {
			l.giveBack(e, "an older revision")
		}
		return
	}
	l.adopt(now, j)
}

// adopt the newest form of a record.
func (l *loop) adopt(now time.Time, j job.Job) {
	e := l.jobs[j.Spec.ID]
	switch {
	case e == nil:
		e = &entry{}
		l.jobs[j.Spec.ID] = e
	case j.Revision <= e.job.Revision:
		return
	}
	e.job = j
	if !e.writing {
		l.recount(e, j)
	}
	if j.Source != nil || j.State.Ended() {
		l.apply(now, fleet.ForgetProbe{Job: j.Spec.ID})
	}
	l.touch(j.Spec.ID)
	l.show[j.Spec.ID] = now
	l.fleetNew = true
}

// recount makes Used hold j for a job, and nothing else.
func (l *loop) recount(e *entry, j job.Job) {
	l.used.Count(e.counted, -1)
	l.used.Count(j, 1)
	e.counted = j
}

// sync: everything that is stored has been read.
func (l *loop) sync(now time.Time) {
	seen := l.reading
	l.reading = nil
	if l.synced {
		for id, e := range l.jobs {
			if _, ok := seen[id]; !ok && !e.writing {
				l.giveBack(e, "nothing")
			}
		}
		return
	}
	l.synced = true
	l.settleAt = now.Add(l.cfg.SettleFor)
	l.present(now)
	l.board.Synced()
	l.log.Info("jobs read from the store", "jobs", len(l.jobs))
	for id := range l.jobs {
		l.touch(id)
	}
}

// giveBack a record to a store that has lost it.
func (l *loop) giveBack(e *entry, has string) {
	l.log.Warn("the store has lost a job's record; it is written back", "job", e.job.Spec.ID, "store_has", has)
	e.writing = true
	l.writes.restore(e.job)
}
