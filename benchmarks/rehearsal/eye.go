package rehearsal

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/galafarm/gala/media/verify"
)

// eyePace is how often playlists are looked at, and so how precise times are.
const eyePace = 100 * time.Millisecond

// remembered is how far back segments are kept.
const remembered = 10 * time.Minute

// eye watches the job's tree at the origin for the whole rehearsal.
type eye struct {
	mu   sync.Mutex
	seen []verify.Sighting
	news chan struct{} // poked by every sighting
}

func newEye() *eye { return &eye{news: make(chan struct{}, 1)} }

// watch until ctx ends. A tree that is not there yet is waited for.
func (e *eye) watch(ctx context.Context, tree string) (verify.Report, error) {
	for {
		report, err := verify.Watch(ctx, verify.WatchOptions{Target: tree, Pace: eyePace, See: e.see})
		if err == nil || !rest(ctx, eyePace) {
			return report, err
		}
	}
}

func (e *eye) see(s verify.Sighting) {
	e.mu.Lock()
	e.seen = append(e.seen, s)
	if old := len(e.seen) / 2; old > 1000 && time.Since(e.seen[old].Listed) > remembered {
		e.seen = slices.Clone(e.seen[old:])
	}
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *eye) sightings() []verify.Sighting {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// until waits for what the sightings show, or for ctx.
func (e *eye) until(ctx context.Context, so func([]verify.Sighting) bool) error {
	for !so(e.sightings()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.news:
		}
	}
	return nil
}

// steadyFor is how many segments of each rendition in a row have to be at the
// live edge before the next fault.
const steadyFor = 3

// steady: every rendition of u is at its edge since then.
func steady(seen []verify.Sighting, u usual, since time.Time) bool {
	for name := range u {
		run := 0
		for _, s := range seen {
			switch {
			case s.Rendition != name || s.Listed.Before(since):
			case !s.Gap && u.onEdge(s):
				run++
			default:
				run = 0
			}
		}
		if run < steadyFor {
			return false
		}
	}
	return len(u) > 0
}
