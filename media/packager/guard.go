package packager

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// Origins of others take whatever comes, from whomever. There a writer looks at
// the epoch in the playlist before it writes anything after a lapse, and before
// it rewrites the playlist always; it steps down when it meets a higher one.

// lapseSegments is how many segments' time without a word from the sink count
// as a lapse: a process that was stopped, a machine that was asleep.
const lapseSegments = 2

// check looks for a successor where one may have come in between.
func (k *taker) check(ctx context.Context) error {
	now := k.t.p.now()
	if !k.lapsed && (!k.t.p.spec.Live || now.Sub(k.heard) <= lapseSegments*k.t.p.segmentLength()+time.Second) {
		return nil
	}
	ctx, cancel := k.t.p.bounded(ctx)
	defer cancel()
	b, err := k.current(ctx)
	if err != nil && !publish.Unseen(err) {
		return err
	}
	if err := k.outranked(b); err != nil {
		return err
	}
	k.lapsed, k.heard = false, now
	return nil
}

// outranked errs when what is there - all of it, or as much as tells - is by a
// writer with a higher epoch.
func (k *taker) outranked(head []byte) error {
	epoch, ok := hls.EpochOf(head)
	if ours := k.t.p.spec.Epoch; ok && epoch > ours && epoch != k.leftover {
		return fmt.Errorf("%s: epoch %d, ours is %d: %w", k.path(playlistName), epoch, ours, media.ErrSuperseded)
	}
	return nil
}

// replace rewrites a playlist.
func (k *taker) replace(ctx context.Context, name string, body []byte) error {
	sink, ok := k.out.sink.(media.Guarded)
	if !ok {
		return k.out.sink.Put(ctx, k.path(name), body)
	}
	return sink.Replace(ctx, k.path(name), body, k.outranked)
}

// lookFirst finds what a job of this name that ended before this one began has
// left where nobody fences: its epochs mean nothing now.
func (k *taker) lookFirst(ctx context.Context) error {
	if _, ok := k.out.sink.(media.Guarded); !ok {
		return nil
	}
	b, err := k.current(ctx)
	if publish.Unseen(err) {
		return nil
	}
	if b == nil || err != nil {
		return err
	}
	_, err = k.leftBehind(ctx, b)
	return err
}

// longGone is how much older than a writer's own beginning a list must be to be
// nobody's without a second look: no successor is that far behind.
const longGone = 30 * time.Second

// leftBehind tells whether a list with a higher epoch is what an earlier job of
// this name left, and notes its epoch then. One that is only seconds old may be a
// living successor's, which took over while this worker was slow to start: that is
// looked at again, for a list that lives moves.
func (k *taker) leftBehind(ctx context.Context, b []byte) (bool, error) {
	epoch, ok := hls.EpochOf(b)
	if !ok || epoch <= k.t.p.spec.Epoch {
		return false, nil
	}
	m, err := hls.ParseMedia(b)
	if err != nil || len(m.Segments) == 0 {
		return false, nil //nolint:nilerr // whatever it is, it has an epoch: it is judged by that
	}
	last := m.Segments[len(m.Segments)-1]
	end := last.Time.Add(time.Duration(last.Duration)*time.Microsecond + k.t.p.lag)
	switch began := k.t.p.began; {
	case m.Ended && (last.Time.IsZero() || end.Before(began)):
	case last.Time.IsZero() || !end.Before(began):
		return false, nil
	case end.Before(began.Add(-longGone)):
	default:
		if moved, err := k.moves(ctx, b); moved || err != nil {
			return false, err
		}
	}
	k.leftover = epoch
	return true, nil
}

// moves tells whether somebody goes on with a playlist. ctx has to have time for the
// wait: a server that answers slowly gets its patience besides.
func (k *taker) moves(ctx context.Context, was []byte) (bool, error) {
	t := time.NewTimer(lapseSegments*k.t.p.segmentLength() + 2*time.Second)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	b, err := k.current(ctx)
	return !bytes.Equal(b, was), err
}
