package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"golang.org/x/sync/errgroup"
)

// clockEvery is how often the in-process Redis is told that time has passed:
// its TTLs do not advance by themselves.
const clockEvery = time.Second

func startMini(ctx context.Context) (*Server, error) {
	mini := miniredis.NewMiniRedis()
	if err := mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("in-process redis: %w", err)
	}
	ctx, end := context.WithCancel(ctx)
	g := new(errgroup.Group)
	g.Go(func() error {
		defer mini.Close()
		tick := time.NewTicker(clockEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				mini.FastForward(clockEvery)
			}
		}
	})
	return &Server{
		URL: "redis://" + mini.Addr() + "/0", About: "jobs in memory, which end with this process",
		group: g, end: end,
	}, nil
}
