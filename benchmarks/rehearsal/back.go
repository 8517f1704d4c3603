package rehearsal

import (
	"context"
	"time"
)

// backPace is how often the farm is asked for its agents, and so how precise that
// one is back.
const backPace = 50 * time.Millisecond

// attached are the instances of the agents that are attached.
func (r *Rehearsal) attached(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcWithin)
	defer cancel()
	agents, err := r.o.Client.Agents(ctx)
	instances := map[string]bool{}
	for _, a := range agents {
		if a.GetConnected() {
			instances[a.GetInstance()] = true
		}
	}
	return instances, err
}

// backWithin is how much longer than the rest of a fault is measured one is waited for.
const backWithin = 30 * time.Second

// back waits for an agent that was not attached before, and tells how long after since
// it was; as long as was waited when none came before ctx ended. The farm may be away
// meanwhile.
func (r *Rehearsal) back(ctx context.Context, before map[string]bool, since time.Time) time.Duration {
	for {
		now, err := r.attached(ctx)
		at := time.Now()
		for instance := range now {
			if err == nil && !before[instance] {
				return at.Sub(since)
			}
		}
		if !rest(ctx, backPace) {
			return time.Since(since)
		}
	}
}
