package libav

import (
	"context"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// loop plays a file in real time for ever. Its clock is the wall clock since
// the Unix epoch: pass k begins at start + k·length, so where it stands at any
// moment follows from start alone, which the anchor keeps.
type loop struct {
	// start is the wall time of the file's first frame, in ticks of base.
	start int64
	base  timeline.Timebase
	// first is the file's own timestamp of that frame, in ticks of base.
	first int64
	// frames of rate in one pass: whole, so that there is no seam in the timeline.
	frames int64
	rate   timeline.Rate
	count  int64
	// wanted is the wall time to begin at, in ticks of base; start or later.
	wanted int64
	// broken: timestamps jump or wrap within a pass, so it is read from its start.
	broken bool
}

// frameBase is one frame of the loop's rate.
func (l *loop) frameBase() timeline.Timebase {
	return timeline.Timebase{Num: l.rate.Den, Den: l.rate.Num}
}

// shift is what pass count adds to the file's timestamps, in ticks of base.
func (l *loop) shift(base timeline.Timebase) int64 {
	return timeline.Rescale(l.start-l.first, l.base, base) + timeline.Rescale(l.count*l.frames, l.frameBase(), base)
}

// seek makes the loop begin with the pass that holds wall time t (ticks of
// base) and returns the file's own time there, in µs.
func (l *loop) seek(t int64) int64 {
	at := timeline.Rescale(t-l.start, l.base, l.frameBase())
	if at < 0 {
		at = 0
	}
	l.count = at / l.frames
	return timeline.Rescale(l.first, l.base, microseconds) + timeline.Rescale(at%l.frames, l.frameBase(), microseconds)
}

// start seeks to where the first wanted frame lies.
func (s *fileSource) start(ctx context.Context) error {
	if s.loop.wanted <= s.loop.start {
		return s.seam()
	}
	us := s.loop.seek(s.loop.wanted)
	if err := s.seam(); err != nil || s.loop.broken {
		return err
	}
	// A little earlier, so that the audio encoder has its run-up.
	if err := s.d.seekTo(max(us-runUp, s.d.fc.StartTime())); err != nil {
		return err
	}
	return ctx.Err()
}

// runUp is how far before the join a resumed source begins, in µs.
const runUp = 500_000

// measure reads the whole file once, without decoding, to find how long one
// pass is: to the last frame of the picture, or of the first sound.
func measure(ctx context.Context, s *fileSource) (*loop, error) {
	l := &loop{rate: timeline.Rate{Num: 48000, Den: 1024}}
	ignore := func(*astiav.Frame) error { return nil }
	want := sinks{audio: []func(*astiav.Frame) error{ignore}}
	if v := s.facts.BestVideo(); v != nil {
		l.rate, l.base, l.first = v.Rate, v.Base, v.First
		want = sinks{video: ignore}
	} else {
		l.base, l.first = s.facts.Audio[0].Base, s.facts.Audio[0].First
	}
	defer s.closeTracks()
	if err := s.openTracks(want); err != nil {
		return nil, err
	}
	last := l.first
	s.all[0].measured = func(pts int64) { last = max(last, pts) }
	if err := s.demuxOnce(ctx); err != nil {
		return nil, err
	}
	l.broken = len(s.d.clock.notes.list) > 0 || s.d.clock.wraps && last >= 1<<33
	if l.frames = timeline.Rescale(last-l.first, l.base, l.frameBase()) + 1; l.frames < 2 {
		return nil, &media.Error{Code: media.SourceError, Message: "source " + s.name + " is too short to loop", Advice: "give a source of at least a second"}
	}
	return l, nil
}
