package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// watchBlock is how long one read of the stream waits. It bounds how late a
// watcher notices that its context ended.
const watchBlock = 500 * time.Millisecond

// snapshotPage is how many records one round trip of a whole reading fetches.
const snapshotPage = 200

// position is where a watcher stands: the stream's entry id, and that entry's n.
type position struct {
	entry string
	n     uint64
}

var errGap = errors.New("changes were missed")

// Watch implements Store. The position is taken before the whole reading, so
// that what changes meanwhile is read again afterwards; a gap in n (a trimmed
// stream, a Redis that came back with less) starts over.
func (r *Redis) Watch(ctx context.Context, yield func(Batch) error) error {
	for {
		at, err := r.here(ctx)
		if err != nil {
			return err
		}
		if err := r.yieldAll(ctx, yield); err != nil {
			return err
		}
		if err := r.follow(ctx, at, yield); !errors.Is(err, errGap) {
			return err
		}
	}
}

// here is the newest position.
func (r *Redis) here(ctx context.Context) (position, error) {
	last, err := r.client.XRevRangeN(ctx, keyChanges, "+", "-", 1).Result()
	if err != nil {
		return position{}, fmt.Errorf("reading the changes in redis: %w", err)
	}
	if len(last) == 0 {
		return position{entry: "0-0"}, nil
	}
	n, _, err := change(last[0])
	return position{last[0].ID, n}, err
}

// yieldAll pages through every record, oldest pages last, and ends with Synced.
func (r *Redis) yieldAll(ctx context.Context, yield func(Batch) error) error {
	var before uint64
	for first := true; ; first = false {
		jobs, err := r.List(ctx, before, snapshotPage)
		if err != nil {
			return err
		}
		done := len(jobs) < snapshotPage
		if err := yield(Batch{Jobs: jobs, Reset: first, Synced: done}); err != nil {
			return err
		}
		if done {
			return nil
		}
		before = jobs[len(jobs)-1].Seq
	}
}

// follow yields changes after at.
func (r *Redis) follow(ctx context.Context, at position, yield func(Batch) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, ids, err := r.wait(ctx, at)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			continue
		}
		jobs, err := r.read(ctx, ids)
		if err != nil {
			return err
		}
		if len(jobs) < len(ids) {
			return errGap // a record is gone: nobody deletes, so Redis lost some
		}
		if err := yield(Batch{Jobs: jobs}); err != nil {
			return err
		}
		at = next
	}
}

// wait reads the ids that changed after at; none when nothing did for a while.
func (r *Redis) wait(ctx context.Context, at position) (position, []string, error) {
	streams, err := r.watch.XRead(ctx, &redis.XReadArgs{
		Streams: []string{keyChanges, at.entry}, Count: snapshotPage, Block: watchBlock,
	}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return at, nil, r.checkStill(ctx, at)
	case err != nil:
		return at, nil, fmt.Errorf("waiting for changes in redis: %w", err)
	}
	var ids []string
	for _, m := range streams[0].Messages {
		n, id, err := change(m)
		if err != nil {
			return at, nil, err
		}
		if n != at.n+1 {
			return at, nil, errGap
		}
		at, ids = position{m.ID, n}, appendOnce(ids, id)
	}
	return at, ids, nil
}

// checkStill looks for a Redis that lost its end while nobody wrote: its n is
// then behind ours, and its next entries would look like old ones.
func (r *Redis) checkStill(ctx context.Context, at position) error {
	n, err := r.client.Get(ctx, keyN).Uint64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reading the count of changes in redis: %w", err)
	}
	if n < at.n {
		return errGap
	}
	return nil
}

func change(m redis.XMessage) (n uint64, id string, err error) {
	n, err = strconv.ParseUint(fmt.Sprint(m.Values["n"]), 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("change %s: %w: %w", m.ID, ErrRecord, err)
	}
	return n, fmt.Sprint(m.Values["id"]), nil
}

func appendOnce(ids []string, id string) []string {
	for _, have := range ids {
		if have == id {
			return ids
		}
	}
	return append(ids, id)
}
