package publish_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media/publish"
)

func TestLaneKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		var mores int
		l := publish.NewLane(3, func(_ context.Context, n int, more bool) error {
			time.Sleep(time.Second)
			got = append(got, n)
			if more {
				mores++
			}
			return nil
		}, nil)
		go func() { _ = l.Run(t.Context()) }()
		begin := time.Now()
		for n := range 10 {
			if err := l.Send(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		// Three wait and one is being taken: the sender waited for six.
		if d := time.Since(begin); d != 6*time.Second {
			t.Errorf("sender waited %v", d)
		}
		l.Close()
		<-l.Done()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) || mores != 9 {
			t.Errorf("%v, %d of them with more behind", got, mores)
		}
		if err := l.Send(t.Context(), 10); !errors.Is(err, publish.ErrClosed) {
			t.Errorf("%v after close", err)
		}
	})
}

// A live lane never makes its sender wait; it lets the oldest go and says so.
func TestLiveLaneDropsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got, gone []int
		l := publish.NewLane(3, func(_ context.Context, n int, _ bool) error {
			time.Sleep(time.Hour)
			got = append(got, n)
			return nil
		}, func(n int) { gone = append(gone, n) })
		go func() { _ = l.Run(t.Context()) }()
		begin := time.Now()
		for n := range 8 {
			if err := l.Send(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("sender waited %v", d)
		}
		l.Close()
		<-l.Done()
		if !slices.Equal(got, []int{0, 5, 6, 7}) || !slices.Equal(gone, []int{1, 2, 3, 4}) {
			t.Errorf("took %v, dropped %v", got, gone)
		}
	})
}

func TestLaneEndsWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		l := publish.NewLane(1, func(_ context.Context, n int, _ bool) error {
			time.Sleep(time.Second)
			return broken
		}, nil)
		go func() { _ = l.Run(t.Context()) }()
		var err error
		for n := 0; err == nil; n++ { // a sender that waits is let go
			err = l.Send(t.Context(), n)
		}
		if !errors.Is(err, broken) || !errors.Is(l.Err(), broken) {
			t.Errorf("%v, %v", err, l.Err())
		}
	})
}

func TestLaneHeedsContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, stop := context.WithCancelCause(t.Context())
		l := publish.NewLane(1, func(ctx context.Context, _ int, _ bool) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, nil)
		go func() { _ = l.Run(run) }()
		_ = l.Send(t.Context(), 1)
		synctest.Wait()
		_ = l.Send(t.Context(), 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Send(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("send to a full lane: %v", err)
		}
		gone := errors.New("gone")
		stop(gone)
		<-l.Done()
		if !errors.Is(l.Err(), gone) {
			t.Error(l.Err())
		}
	})
}
