package faults

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A fault waits while others use the machine, and for the one before it.
func TestAFaultWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const busyFor = 20 * time.Second
		// Of two cores a tenth is idle at first, half later.
		idle := func() float64 {
			since := time.Since(began)
			return 2 * (0.1*min(since, busyFor).Seconds() + 0.5*max(0, since-busyFor).Seconds())
		}
		r := &room{idle: idle, cores: 2, least: 1.0 / 3}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go r.watch(ctx)
		var granted []time.Duration
		for range 2 {
			if err := r.wait(ctx); err != nil {
				t.Fatal(err)
			}
			granted = append(granted, time.Since(began))
		}
		// Six of ten seconds at a half and four at a tenth are the first third.
		if first := granted[0]; first < busyFor+5*time.Second || first > busyFor+7*time.Second {
			t.Errorf("granted after %v", first)
		}
		if apart := granted[1] - granted[0]; apart < roomApart || apart > roomApart+2*roomPace {
			t.Errorf("the second came %v after the first", apart)
		}
		if got := r.share(began, began.Add(busyFor)); math.Abs(got-0.1) > 0.02 {
			t.Errorf("a share of %v was idle at first", got)
		}
		if got := r.share(began.Add(-time.Hour), began.Add(-time.Minute)); got != 0 {
			t.Errorf("a share of %v was idle before it was looked at", got)
		}
	})
}

func TestWaitingForRoomEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{idle: func() float64 { return 0 }, cores: 2, least: 0.5}
		ctx, end := context.WithTimeout(t.Context(), time.Minute)
		defer end()
		go r.watch(ctx)
		if err := r.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("granted on a full machine: %v", err)
		}
	})
}
