package packager

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/timeline"
)

// pace is a rendition's own frame grid: its frames are counted one by one,
// whatever the job's grid counts.
type pace struct {
	grid      timeline.Grid
	audio     *timeline.AudioGrid
	divisor   int64 // grid frames per video frame
	timescale int64
	ticks     int64 // of one frame
	gop       int64 // frames per GOP, video only
}

func newPace(g timeline.Grid, r ladders.Rendition, frameSize int64) (pace, error) {
	switch {
	case r.Video != nil:
		k := r.Video.Divisor
		if k <= 0 || g.FramesPerGOP <= 0 || g.FramesPerGOP%k != 0 || g.Timescale <= 0 {
			return pace{}, fmt.Errorf("rendition %s: GOP of %d frames does not divide by %d: %w", r.Name, g.FramesPerGOP, k, timeline.ErrBadGrid)
		}
		return pace{grid: g, divisor: k, timescale: g.Timescale, ticks: g.FrameTicks() * k, gop: g.FramesPerGOP / k}, nil
	case r.Audio != nil && r.Audio.SampleRate > 0 && frameSize > 0:
		a := &timeline.AudioGrid{SampleRate: int64(r.Audio.SampleRate), FrameSize: frameSize}
		return pace{grid: g, audio: a, divisor: 1, timescale: a.SampleRate, ticks: frameSize}, nil
	}
	return pace{}, fmt.Errorf("rendition %s: neither video nor audio with a frame size: %w", r.Name, timeline.ErrBadGrid)
}

// first is the first frame of segment number.
func (p pace) first(number int64) int64 {
	if p.audio != nil {
		return p.audio.FirstFrame(p.grid, number)
	}
	return p.grid.FirstFrame(number) / p.divisor
}

// segment holds frame f.
func (p pace) segment(f int64) int64 {
	if p.audio != nil {
		return p.audio.Segment(p.grid, f)
	}
	return p.grid.Segment(f * p.divisor)
}

// startingAt is the first whole segment at or after frame f.
func (p pace) startingAt(f int64) int64 {
	n := p.segment(f)
	if p.first(n) < f {
		n++
	}
	return n
}

// between is the time from frame a to frame b.
func (p pace) between(a, b int64) hls.Micros {
	return hls.Between(a*p.ticks, b*p.ticks, p.timescale)
}

// wall is when frame f is on air, for a live job.
func (p pace) wall(f int64) time.Time {
	t := f * p.ticks
	return time.Unix(t/p.timescale, t%p.timescale*1e9/p.timescale).UTC()
}
