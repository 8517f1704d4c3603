package libav

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/galafarm/gala/media/encoders"
)

// A live pipeline that cannot keep up sheds work in a stated order: the looking
// ahead of its encoders, then their search, then rungs, the largest first, because
// it frees the most and whoever watched it has the next one. The smallest rung
// and the sound are never shed. What was shed comes back step by step.
//
// The measure is how old the source's packets are when they are read: in a pipeline
// that keeps up they are read when they arrive, and every queue behind the reading
// is bounded. A standing age is work that does not get done; an age that comes and
// goes is a source that sends in bursts, and one that shrinks is a successor
// catching up.

// shedStep is one step: an ease of all encoders, or a rung that is let go.
type shedStep struct {
	ease encoders.Ease
	rung *encoderFeed
}

func (s shedStep) String() string {
	if s.rung != nil {
		return "rendition " + s.rung.enc.name + " is left out"
	}
	return "encodes " + s.ease.String()
}

// from is the age from which on the step is taken.
func (s shedStep) from() time.Duration {
	if s.rung != nil {
		return desperate
	}
	return standing
}

// back says what comes back with the step before this one.
func (s shedStep) back(before encoders.Ease) string {
	if s.rung != nil {
		return "rendition " + s.rung.enc.name + " is back"
	}
	return "encodes " + before.String()
}

// shedSteps of a video stage, in order.
func (s *videoStage) shedSteps() []shedStep {
	var feeds []*encoderFeed
	for _, b := range s.all() {
		feeds = append(feeds, b.encoders...)
	}
	var steps []shedStep
	if slices.ContainsFunc(feeds, func(e *encoderFeed) bool { return e.enc.row.Eases() }) {
		steps = append(steps, shedStep{ease: encoders.NoLookahead}, shedStep{ease: encoders.Quickest})
	}
	slices.SortStableFunc(feeds, func(a, b *encoderFeed) int { return cmp.Compare(b.enc.work(), a.enc.work()) })
	for _, e := range feeds[:max(len(feeds)-1, 0)] {
		steps = append(steps, shedStep{ease: encoders.Quickest, rung: e})
	}
	return steps
}

// work is what a rendition costs, in pixels per thousand seconds.
func (e *videoEncoder) work() int64 {
	r := e.rate()
	return int64(e.v.Width) * int64(e.v.Height) * r.Num * 1000 / max(r.Den, 1)
}

// govern watches over a live pipeline until ctx ends.
func (p *Pipeline) govern(ctx context.Context) {
	steps := p.video.shedSteps()
	var from []time.Duration
	for _, s := range steps {
		from = append(from, s.from())
	}
	newGovernor(from...).govern(ctx, &p.gauge, func(was, is int, age time.Duration) {
		for ; was < is; was++ {
			p.shed(steps, was, was+1, age)
		}
		for ; was > is; was-- {
			p.shed(steps, was, was-1, age)
		}
	})
}

// shed goes from one level to the next.
func (p *Pipeline) shed(steps []shedStep, from, to int, age time.Duration) {
	before := encoders.Full
	if i := min(from, to); i > 0 {
		before = steps[i-1].ease
	}
	if to > from {
		step := steps[from]
		p.tell("overload", fmt.Sprintf("the worker is %.1f s behind its source and does not catch up", age.Seconds()), step.String())
		p.video.ease(step.ease)
		if step.rung != nil {
			p.video.atBoundary(step.rung.nap)
		}
		return
	}
	step := steps[to]
	p.tell("overload_over", fmt.Sprintf("the worker keeps up with its source, %d of %d steps of work are left out", to, len(steps)), step.back(before))
	p.video.ease(before)
	if step.rung != nil {
		p.video.atBoundary(step.rung.wake)
	}
}

// ease tells all encoders, which change at their next segment.
func (s *videoStage) ease(e encoders.Ease) {
	for _, b := range s.all() {
		for _, f := range b.encoders {
			f.ease.Store(int32(e))
		}
	}
}

// atBoundary does something at the first frame of a segment that no stage has begun,
// nor begins before it is done.
func (s *videoStage) atBoundary(do func(n int64)) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	do(s.grid.FirstFrame(max(s.p.edge, s.grid.Segment(s.p.firstFrame())) + 1))
}

// nap is a run of frames, [from, until), that a rendition leaves out.
type nap struct{ from, until int64 }

// nap leaves the rendition out from frame n on.
func (e *encoderFeed) nap(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.naps = append(e.naps, nap{n, math.MaxInt64})
}

// wake brings it back from frame n on.
func (e *encoderFeed) wake(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.naps) - 1; last >= 0 {
		e.naps[last].until = n
	}
}

// asleep tells whether frame n is left out. Frames are asked about in order.
func (e *encoderFeed) asleep(n int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.naps) > 0 && e.naps[0].until < n-napMemory {
		e.naps = e.naps[1:]
	}
	return slices.ContainsFunc(e.naps, func(x nap) bool { return x.from <= n && n < x.until })
}

// napMemory is how many frames at most lie between a scaler and an encoder.
const napMemory = 1 << 10
