package libav

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// ear follows the newest packets of an input, decodes nothing, and so knows at any
// time whether the input is there: the one on air, and those that stand by.
type ear struct {
	open OpenRing
	// listed: what comes is a list of segments, which come one by one.
	listed bool
	after  int64 // µs: what the job says of losses

	mu      sync.Mutex
	session *ring.Session
	last    int64 // arrival of the newest packet, µs since the Unix epoch; 0: none yet
	since   int64 // arrival of the first one that came without a break
	key     int64 // source time of the newest key frame, µs; ring.NoTime: none yet
	skew    extreme
	gap     extreme // between arrivals, negative
}

// extreme is the least of what was seen in the last 15 to 30 s.
type extreme struct {
	now, before int64
	began       int64 // µs
}

const extremeSpan = 15_000_000 // µs

func newExtreme() extreme { return extreme{now: math.MaxInt64, before: math.MaxInt64} }

func (e *extreme) see(v, at int64) {
	if at-e.began > extremeSpan {
		e.before, e.now, e.began = e.now, math.MaxInt64, at
	}
	e.now = min(e.now, v)
}

// least is math.MaxInt64 before anything was seen.
func (e *extreme) least() int64 { return min(e.now, e.before) }

func newEar(open OpenRing, listed bool, after time.Duration) *ear {
	return &ear{open: open, listed: listed, after: after.Microseconds(), key: ring.NoTime, skew: newExtreme(), gap: newExtreme()}
}

// reopen is the pause before a ring that broke off is opened again.
const reopen = 200 * time.Millisecond

// run listens until ctx ends.
func (e *ear) run(ctx context.Context) error {
	for ctx.Err() == nil {
		e.listen(ctx)
		wait(ctx, reopen)
	}
	return nil
}

func (e *ear) listen(ctx context.Context) {
	packets, err := e.open(ctx, math.MaxInt64)
	if err != nil {
		return
	}
	defer packets.Close()
	defer e.forget()
	for {
		it, err := packets.Next(ctx)
		if err != nil {
			return
		}
		e.hear(it)
	}
}

// forget lets go of a ring's clock: the next one may have another.
func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.session, e.key, e.skew = nil, ring.NoTime, newExtreme()
}

func (e *ear) hear(it ring.Item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if it.Session != nil {
		e.session = it.Session
		if it.Session.Skew != ring.NoTime {
			e.skew.see(it.Session.Skew, e.last)
		}
		return
	}
	p := it.Packet
	switch gap := p.Arrival - e.last; {
	case e.last == 0 || gap > e.bound():
		e.since = p.Arrival
	case gap > listGap:
		e.gap.see(-gap, p.Arrival)
	}
	e.last = max(e.last, p.Arrival)
	if e.session == nil {
		return
	}
	at := e.session.At(p)
	if at == ring.NoTime {
		return
	}
	e.skew.see(p.Arrival-at, p.Arrival)
	if p.Key && p.Stream == e.session.Lead() {
		e.key = at
	}
}

// The segments of a list come with pauses between them: half as much again as the
// longest of late, listLeast at least and, before there was one, listFirst. What
// is shorter than listGap is no pause. In µs.
const listGap, listLeast, listFirst = 500_000, 2_000_000, 15_000_000

// bound is how long nothing may come before the input counts as lost, in µs. The
// lock is held.
func (e *ear) bound() int64 {
	switch {
	case !e.listed:
		return e.after
	case e.gap.least() == math.MaxInt64:
		return e.after + listFirst
	}
	return e.after + max(-e.gap.least()*3/2, listLeast)
}

// patience is how long nothing may come before the input counts as lost.
func (e *ear) patience() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Duration(e.bound()) * time.Microsecond
}

// heard is when the newest packet came; zero before the first.
func (e *ear) heard() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == 0 {
		return time.Time{}
	}
	return time.UnixMicro(e.last)
}

// steadySince is since when packets have come without a break.
func (e *ear) steadySince() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.UnixMicro(e.since)
}

// edge is the newest key frame; false while there is none.
func (e *ear) edge() (liveEdge, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.key == ring.NoTime || e.session == nil || e.session.Lead() < 0 || e.skew.least() == math.MaxInt64 {
		return liveEdge{}, false
	}
	l := liveEdge{base: e.session.Streams[e.session.Lead()].Base, session: e.session}
	l.arrived = time.Duration(e.key+e.skew.least()) * time.Microsecond
	l.captured = l.arrived
	l.at = timeline.Rescale(e.key, microseconds, l.base)
	if w := e.session.Wall; w != nil {
		l.captured, l.clocked = time.Duration(w.Time+e.key-w.At)*time.Microsecond, true
	}
	return l, true
}
