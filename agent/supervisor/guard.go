package supervisor

import (
	"context"
	"time"

	"google.golang.org/grpc"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

const guardTick = 500 * time.Millisecond

// guard looks after a worker that cannot look after itself: one that gets
// nothing done, and one that floods its log.
func (r *run) guard(ctx context.Context, _ *grpc.ClientConn) {
	stall := stallWatch{patience: patienceFor(r.spec, r.env.limits), tick: guardTick}
	tick := time.NewTicker(guardTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.guardOnce(&stall, now)
		}
	}
}

func (r *run) guardOnce(stall *stallWatch, now time.Time) {
	status, waiting := r.progress()
	starving := stall.starved
	why := stall.observe(now, status, r.used, waiting)
	if !starving && stall.starved {
		r.log.Warn("a worker waits for a processor: the host has too much to do", "patience", stall.patience.waiting)
	}
	if why != "" {
		r.request(newStop(causeStalled, why))
	}
	for _, file := range []string{fileStderr, fileLog} {
		dropped, err := r.dir.trim(file, r.env.limits.LogBytes, r.env.limits.LogKeep)
		if err != nil {
			r.log.Warn("bound what a worker writes", "error", err)
		}
		if dropped > 0 {
			r.log.Warn("a worker floods its log", "file", file, "dropped_bytes", dropped)
		}
	}
}

// used is what the worker has had of the processors so far.
func (r *run) used() usage {
	r.mu.Lock()
	p := r.proc
	r.mu.Unlock()
	if p == nil {
		return usage{}
	}
	return p.usage()
}

// progress says what the worker got done, and whether it may rightly wait:
// for its start-up, for an anchor from the scheduler, or in a stop.
func (r *run) progress() (*galav1.WorkerStatus, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, !r.ready || r.proposal != nil || r.stop != nil || r.word != nil
}
