package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/galafarm/gala/scheduler/job"
)

// withEvents are a script's arguments with those of recordEvents after them.
func withEvents(events []job.Event, args ...any) ([]any, error) {
	args = append(args, job.MaxHistory)
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encoding an event: %w", err)
		}
		args = append(args, e.Seq, body)
	}
	return args, nil
}

// History implements Store.
func (r *Redis) History(ctx context.Context, id string, after uint64, limit int) ([]job.Event, error) {
	from := strconv.FormatUint(after+1, 10)
	entries, err := r.client.XRangeN(ctx, keyEvents+id, from, "+", int64(limit)).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the events of job %s from redis: %w", id, err)
	}
	if len(entries) == 0 {
		_, err := r.Get(ctx, id)
		return nil, err
	}
	events := make([]job.Event, len(entries))
	for i, m := range entries {
		if err := json.Unmarshal([]byte(fmt.Sprint(m.Values["e"])), &events[i]); err != nil {
			return nil, fmt.Errorf("event %s of job %s: %w: %w", m.ID, id, ErrRecord, err)
		}
	}
	return events, nil
}
