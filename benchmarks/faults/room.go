package faults

import (
	"context"
	"sync"
	"time"
)

// room is how much of the machine is idle. Lanes share a machine, and a fault that
// meets no processor to catch up on measures that.
type room struct {
	idle  func() float64 // processor time that nothing used so far, in seconds
	cores float64
	least float64 // share that has to be idle

	mu      sync.Mutex
	looks   []look // oldest first
	granted time.Time
}

type look struct {
	at   time.Time
	idle float64
}

const (
	roomPace = 500 * time.Millisecond
	// roomFor is how long there has to be room before a fault.
	roomFor = 10 * time.Second
	// roomApart is the least time between two faults of all lanes: what the first
	// costs is seen before the second.
	roomApart = 2 * time.Second
	// roomKept is how far back shares are known.
	roomKept = 10 * time.Minute
)

// watch the machine until ctx ends.
func (r *room) watch(ctx context.Context) {
	tick := time.NewTicker(roomPace)
	defer tick.Stop()
	for {
		r.look(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *room) look(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks = append(r.looks, look{now, r.idle()})
	if old := len(r.looks) / 2; now.Sub(r.looks[old].at) > roomKept {
		r.looks = append([]look(nil), r.looks[old:]...)
	}
}

// share of the machine that was idle between two moments; 0 when too little of that
// time was looked at.
func (r *room) share(from, to time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.between(from, to)
}

func (r *room) between(from, to time.Time) float64 {
	var first, last look
	for _, l := range r.looks {
		if l.at.After(to) {
			break
		}
		if first.at.IsZero() || !l.at.After(from) {
			first = l
		}
		last = l
	}
	took := last.at.Sub(first.at)
	if took <= 0 || took < to.Sub(from)/2 {
		return 0
	}
	return min(1, (last.idle-first.idle)/took.Seconds()/r.cores)
}

// grant a fault when there is room and no other one has just been granted.
func (r *room) grant(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.granted) < roomApart || r.between(now.Add(-roomFor), now) < r.least {
		return false
	}
	r.granted = now
	return true
}

// wait until a fault is granted.
func (r *room) wait(ctx context.Context) error {
	tick := time.NewTicker(roomPace)
	defer tick.Stop()
	for !r.grant(time.Now()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
