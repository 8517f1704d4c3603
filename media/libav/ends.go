package libav

import (
	"context"
	"sync"

	"github.com/galafarm/gala/timeline"
)

// ends lets the stages of a clip agree how long it lasts: every track of a
// ladder covers the same time (Apple HLS authoring 8.3, 8.7), so the shorter
// one goes on with its last picture, or with silence, until the longest ends.
type ends struct {
	waiting *sync.WaitGroup
	all     chan struct{}
	mu      *sync.Mutex
	latest  *int64 // of all, in µs since the start of the grid
}

func newEnds(p *Pipeline) ends {
	e := ends{waiting: &sync.WaitGroup{}, all: make(chan struct{}), mu: &sync.Mutex{}, latest: new(int64)}
	e.waiting.Add(len(p.audio) + len(p.copies))
	if p.video != nil {
		e.waiting.Add(1)
	}
	go func() { e.waiting.Wait(); close(e.all) }()
	return e
}

// at tells where one stage's source ended; each stage calls it once, however
// it ends.
func (e ends) at(us int64) {
	e.mu.Lock()
	*e.latest = max(*e.latest, us)
	e.mu.Unlock()
	e.waiting.Done()
}

// wait is the latest end, when all stages have told theirs.
func (e ends) wait(ctx context.Context) (int64, error) {
	select {
	case <-e.all:
		e.mu.Lock()
		defer e.mu.Unlock()
		return *e.latest, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// samplesUS is the length of n samples in µs.
func samplesUS(n int64, a timeline.AudioGrid) int64 {
	return timeline.Rescale(n, timeline.Timebase{Num: 1, Den: a.SampleRate}, microseconds)
}

// framesUS is the length of n grid frames in µs.
func framesUS(n int64, g timeline.Grid) int64 {
	return timeline.Rescale(n, frameBase(g.Rate), microseconds)
}

// frameBase is one frame of a rate.
func frameBase(r timeline.Rate) timeline.Timebase {
	return timeline.Timebase{Num: r.Den, Den: r.Num}
}
