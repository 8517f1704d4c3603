package supervisor

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// climb waits for a stop and goes up its ladder; a stronger stop starts over
// on its own ladder. It gives up a worker that lives on after the last rung.
func (r *run) climb(ctx context.Context, conn *grpc.ClientConn, giveUp func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.stops:
		}
		rec := *r.stopping()
		// Written before anything is done: whoever finds the remains knows why.
		if err := r.dir.writeJSON(fileStop, rec); err != nil {
			r.log.Warn("stop not on disk", "error", err)
		}
		r.log.Info("stopping worker", "cause", string(rec.Cause), "reason", rec.Reason)
		if r.climbOnce(ctx, conn, ladder(rec, r.spec, r.env.limits)) {
			giveUp()
			return
		}
	}
}

// climbOnce says whether all rungs were taken in vain.
func (r *run) climbOnce(ctx context.Context, conn *grpc.ClientConn, rungs []rung) bool {
	for _, step := range rungs {
		r.log.Debug("stop ladder", "step", step.name)
		if !r.step(ctx, conn, step) {
			return false
		}
	}
	return true
}

// step says whether the next one is due: not when the worker has ended, nor
// when a stronger stop came.
func (r *run) step(ctx context.Context, conn *grpc.ClientConn, s rung) bool {
	asking, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	if s.ask != nil {
		asked.Go(func() { r.put(asking, conn, s) })
	} else if err := r.env.signal(r.proc, s.signal); err != nil {
		r.log.Warn("signal worker", "step", s.name, "error", err)
	}
	return r.pause(ctx, s.wait)
}

// put asks without holding up the ladder: the worker may not be up yet, or
// never answer.
func (r *run) put(ctx context.Context, conn *grpc.ClientConn, s rung) {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	if _, err := galav1.NewWorkerClient(conn).Stop(ctx, s.ask, grpc.WaitForReady(true)); err != nil && ctx.Err() == nil {
		r.log.Warn("ask worker to stop", "error", err)
	}
}

func (r *run) pause(ctx context.Context, wait time.Duration) bool {
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-r.stops:
		r.poke() // for climb, which reads the new record
		return false
	case <-over.C:
		return true
	}
}
