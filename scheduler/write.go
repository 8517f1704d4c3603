package scheduler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
	"github.com/galafarm/gala/scheduler/store"
)

// writes carries records to the store beside the loop. There is at most one
// write per job under way, so no order is lost.
type writes struct {
	ctx   context.Context
	store store.Store
	post  func(context.Context, message) error
	group sync.WaitGroup
	slots chan struct{}
}

// writesAtOnce bounds the connections that writing takes.
const writesAtOnce = 64

// writeTimeout bounds one write. A write that timed out may have happened: the
// watch tells.
const writeTimeout = 3 * time.Second

func (w *writes) begin(ctx context.Context, s store.Store, post func(context.Context, message) error) {
	w.ctx, w.store, w.post, w.slots = ctx, s, post, make(chan struct{}, writesAtOnce)
}

func (w *writes) wait() { w.group.Wait() }

// plan writes a plan's record.
func (w *writes) plan(p reconcile.Plan) {
	w.do(func(ctx context.Context) message {
		written, err := w.store.Update(ctx, p.Job)
		return planned{p, written, w.after(ctx, p.Job.Spec.ID, err), err}
	})
}

// after a conflict is the record that was in the way.
func (w *writes) after(ctx context.Context, id string, err error) *job.Job {
	if !errors.Is(err, store.ErrConflict) {
		return nil
	}
	if now, err := w.store.Get(ctx, id); err == nil {
		return &now
	}
	return nil
}

// create writes a record that agents know of and the store does not.
func (w *writes) create(j job.Job) {
	w.do(func(ctx context.Context) message {
		created, err := w.store.Create(ctx, j)
		if errors.Is(err, store.ErrExists) {
			err = nil
		}
		return recovered{j.Spec.ID, created, err}
	})
}

// restore writes back a record that the store has lost.
func (w *writes) restore(j job.Job) {
	w.do(func(ctx context.Context) message {
		back, err := w.store.Restore(ctx, j)
		return planned{reconcile.Plan{Job: j, Write: true}, back, w.after(ctx, j.Spec.ID, err), err}
	})
}

func (w *writes) do(write func(context.Context) message) {
	w.group.Go(func() {
		select {
		case w.slots <- struct{}{}:
		case <-w.ctx.Done():
			return
		}
		defer func() { <-w.slots }()
		ctx, cancel := context.WithTimeout(w.ctx, writeTimeout)
		defer cancel()
		m := write(ctx)
		_ = w.post(w.ctx, m) // fails only when the loop has ended
	})
}

// planned is the end of a write.
type planned struct {
	plan    reconcile.Plan
	written job.Job
	instead *job.Job // the record that was in the way
	err     error
}

// retryWrite is when a job is looked at again whose write failed.
const retryWrite = 300 * time.Millisecond

func (m planned) take(l *loop, now time.Time) {
	id := m.plan.Job.Spec.ID
	e := l.jobs[id]
	e.writing = false
	l.touch(id)
	switch {
	case m.err == nil:
		l.storeDown.Store(nil)
		l.adopt(now, m.written)
		l.recount(e, e.job)
		l.dispatch(now, m.plan)
		l.tellEnd(m.plan.Job)
	case errors.Is(m.err, store.ErrConflict):
		l.recount(e, e.job)
		if m.instead != nil {
			l.adopt(now, *m.instead)
		}
	default:
		l.recount(e, e.job)
		l.storeFailed(m.err, "job", id)
		delete(l.dirty, id)
		l.wakes[id] = now.Add(retryWrite)
	}
}

func (l *loop) tellEnd(j job.Job) {
	if j.State.Ended() {
		l.log.Info("job ended", "job", j.Spec.ID, "state", j.State, "reason", j.Reason)
	}
}

// storeFailed is said once until the store is back.
func (l *loop) storeFailed(err error, keys ...any) {
	if l.storeDown.Swap(&err) == nil {
		l.log.Error("the job store does not answer; what runs goes on", append(keys, "error", err)...)
	}
}
