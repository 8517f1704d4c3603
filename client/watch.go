package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Watch says what to follow.
type Watch struct {
	// IDs of the jobs; none means all, also those that come later.
	IDs []string
	// UntilEnded ends the watch when all of them have ended.
	UntilEnded bool
	// Lost is told why a connection was lost, before it is tried again.
	Lost func(error)
}

// Watch yields every matching job as it is, then each change, newest form
// first after a gap. A lost connection is made again for as long as ctx lasts;
// a farm that was never reached, and a request that it refuses, end the watch
// with an error.
func (c *Client) Watch(ctx context.Context, w Watch) iter.Seq2[*galav1.Job, error] {
	return func(yield func(*galav1.Job, error) bool) {
		f := follower{client: c, watch: w, seen: map[string]*galav1.Job{}, yield: yield, pause: newPause()}
		if err := f.run(ctx); err != nil && !errors.Is(err, errLeft) {
			yield(nil, fmt.Errorf("watch jobs: %w", err))
		}
	}
}

// errLeft: the caller's loop broke.
var errLeft = errors.New("the watcher left")

func newPause() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 3*time.Second
	return b
}

// follower is one watch over its connections.
type follower struct {
	client  *Client
	watch   Watch
	seen    map[string]*galav1.Job // the newest form of each
	reached bool
	yield   func(*galav1.Job, error) bool
	pause   *backoff.ExponentialBackOff
}

func (f *follower) run(ctx context.Context) error {
	for {
		err := f.once(ctx)
		switch {
		case errors.Is(err, errLeft):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case f.watch.UntilEnded && errors.Is(err, io.EOF) && f.allEnded():
			return nil
		case !f.reached || !passing(err):
			return err
		}
		if f.watch.Lost != nil {
			f.watch.Lost(err)
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
}

// once follows one stream to its end.
func (f *follower) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.client.farm.WatchJobs(ctx, &galav1.WatchJobsRequest{Ids: f.watch.IDs, UntilEnded: f.watch.UntilEnded})
	if err != nil {
		return err
	}
	if _, err := stream.Header(); err == nil {
		f.reached = true
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		f.reached = true
		f.pause.Reset()
		if !f.news(r.GetJob()) {
			continue
		}
		if !f.yield(r.GetJob(), nil) {
			return errLeft
		}
	}
}

// news tells a job that changed from one that a new stream only repeats. An
// equal revision is passed on: progress may change without one.
func (f *follower) news(job *galav1.Job) bool {
	id := job.GetSpec().GetId()
	if job.GetRevision() < f.seen[id].GetRevision() {
		return false
	}
	f.seen[id] = job
	return true
}

// allEnded tells the end of the jobs from a scheduler that only stops.
func (f *follower) allEnded() bool {
	for _, id := range f.watch.IDs {
		if f.seen[id] == nil {
			return false
		}
	}
	for _, job := range f.seen {
		if !Ended(job.GetState()) {
			return false
		}
	}
	return true
}

// Ended tells whether a job's state is final.
func Ended(s galav1.JobState) bool {
	switch s {
	case galav1.JobState_JOB_STATE_DONE, galav1.JobState_JOB_STATE_FAILED, galav1.JobState_JOB_STATE_CANCELLED:
		return true
	}
	return false
}

// passing errors go away by themselves; a server that stops ends a stream with EOF.
func passing(err error) bool {
	if errors.Is(err, io.EOF) {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.Internal, codes.Canceled, codes.Unknown:
		return true
	}
	return false
}

func (f *follower) wait(ctx context.Context) error {
	timer := time.NewTimer(f.pause.NextBackOff())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
