package libav

import (
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// clock makes the timestamps of a container's packets grow for ever: it
// unwraps 33-bit ones and closes jumps that no programme has.
type clock struct {
	wraps   bool
	unwrap  timeline.Unwrap33
	streams map[int]*streamClock
	offset  int64 // µs, added to every stream
	notes   notes
}

type streamClock struct {
	base timeline.Timebase
	next int64 // expected decode time, in ticks, offset included
	have bool
}

// maxJump is the largest gap between neighbouring packets that is taken for
// programme; a larger one is a splice, and the two ends are joined. As
// ffmpeg's dts_delta_threshold.
const maxJump = 10_000_000 // µs

var microseconds = timeline.Timebase{Num: 1, Den: 1_000_000}

func newClock(fc *astiav.FormatContext) *clock {
	c := &clock{streams: map[int]*streamClock{}}
	if f := fc.InputFormat(); f != nil && f.Name() == "mpegts" {
		c.wraps = true
	}
	return c
}

func (c *clock) stream(s *astiav.Stream) {
	c.streams[s.Index()] = &streamClock{base: timebase(s.TimeBase())}
}

func timebase(r astiav.Rational) timeline.Timebase {
	return timeline.Timebase{Num: int64(r.Num()), Den: int64(r.Den())}
}

func (c *clock) reset() {
	c.unwrap, c.offset = timeline.Unwrap33{}, 0
	for _, s := range c.streams {
		s.have = false
	}
}

// noPTS is AV_NOPTS_VALUE.
const noPTS = int64(-1 << 63)

func (c *clock) fix(p *astiav.Packet) {
	s := c.streams[p.StreamIndex()]
	if s == nil {
		return
	}
	pts, dts := p.Pts(), p.Dts()
	if c.wraps {
		pts, dts = c.unwrapped(pts, dts)
	}
	ref := dts
	if ref == noPTS {
		ref = pts
	}
	if ref == noPTS {
		return
	}
	shift := timeline.Rescale(c.offset, microseconds, s.base)
	if s.have {
		gap := timeline.Rescale(ref+shift-s.next, s.base, microseconds)
		if gap > maxJump || gap < -maxJump {
			c.offset -= gap
			c.notes.add(fmt.Sprintf("timestamps jump by %.3f s: joined without a gap", float64(gap)/1e6))
			shift = timeline.Rescale(c.offset, microseconds, s.base)
		}
	}
	s.next, s.have = ref+shift+p.Duration(), true
	if pts != noPTS {
		p.SetPts(pts + shift)
	}
	if dts != noPTS {
		p.SetDts(dts + shift)
	}
}

// unwrapped puts a packet's pair next to the one before it in the file; all
// streams of a transport stream share one clock.
func (c *clock) unwrapped(pts, dts int64) (int64, int64) {
	if dts != noPTS {
		dts = c.unwrap.Next(dts)
	}
	if pts != noPTS {
		if dts == noPTS {
			return c.unwrap.Next(pts), dts
		}
		near := c.unwrap // a copy: a presentation time does not move the clock
		pts = near.Next(pts)
	}
	return pts, dts
}

// notes keeps the first sentences about what was repaired, each once.
type notes struct{ list []string }

const maxNotes = 20

func (n *notes) add(s string) {
	for _, have := range n.list {
		if have == s {
			return
		}
	}
	if len(n.list) < maxNotes {
		n.list = append(n.list, s)
	}
}
