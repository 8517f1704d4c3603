package main

import (
	"context"
	"log/slog"

	"github.com/galafarm/gala/scheduler/store"
	"github.com/galafarm/gala/scheduler/store/embedded"
	"golang.org/x/sync/errgroup"
)

// jobStore is the store of a one-machine farm.
type jobStore struct {
	store.Store
	volatile bool // jobs end with the process
}

// openJobs is the Redis that was named, else one of our own in dir that all
// runs until ctx ends.
func openJobs(ctx context.Context, all *errgroup.Group, named, dir string, log *slog.Logger) (jobStore, error) {
	if named != "" {
		s, err := store.Open(ctx, named)
		return jobStore{Store: s}, err
	}
	redis, err := embedded.Start(ctx, embedded.Config{Dir: dir, Log: log})
	if err != nil {
		return jobStore{}, err
	}
	all.Go(redis.Wait)
	s, err := store.Open(ctx, redis.URL)
	return jobStore{Store: s, volatile: !redis.Durable}, err
}
