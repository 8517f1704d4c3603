package dashboard

import (
	"context"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
)

// FromBoard is the scheduler as a Source: hand it Scheduler.Subscribe. Of a
// subscription there the first update is everything, and the later ones are
// merged for a reader that is slow.
func FromBoard(subscribe func() *api.Subscription) Source {
	return board{subscribe}
}

type board struct {
	subscribe func() *api.Subscription
}

func (b board) Snapshot(ctx context.Context) (View, error) {
	sub := b.subscribe()
	defer sub.Close()
	all, err := sub.Next(ctx)
	return View{Jobs: all.Jobs, Agents: all.Agents}, err
}

// Subscribe lets a subscription run beside the stream until ctx ends.
func (b board) Subscribe(ctx context.Context) (<-chan Change, error) {
	changes := make(chan Change)
	sub := b.subscribe()
	go func() {
		defer close(changes)
		defer sub.Close()
		for {
			update, err := sub.Next(ctx)
			if err != nil || send(ctx, changes, update) != nil {
				return
			}
		}
	}()
	return changes, nil
}

func send(ctx context.Context, changes chan<- Change, update api.Update) error {
	list := make([]Change, 0, len(update.Jobs)+1)
	for _, j := range update.Jobs {
		list = append(list, Change{Job: j})
	}
	if update.Fleet {
		// Not nil, also when the last agent has gone.
		list = append(list, Change{Agents: append([]*galav1.AgentView{}, update.Agents...)})
	}
	for _, c := range list {
		select {
		case changes <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
