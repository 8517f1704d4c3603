package libav

import (
	"fmt"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// clock makes the timestamps of a container's packets grow for ever: it
// unwraps 33-bit ones and closes jumps that no programme has.
type clock struct {
	wraps   bool
	steady  bool // jumps are programme: the times were put right before (a ring)
	unwrap  timeline.Unwrap33
	streams map[int]*trackClock
	offset  int64 // µs, added to every stream
	pause   int64 // µs that passed on the wall before this packet; live only
	notes   notes
}

// trackClock is where one track's packets are expected. A track may move to
// another stream in mid-source.
type trackClock struct {
	base timeline.Timebase
	next int64 // expected decode time, in ticks, offset included
	end  int64 // when the last packet so far has been presented, likewise
	have bool
}

// maxJump is the largest gap between neighbouring packets that is taken for
// programme, whatever the other tracks say; a larger one is a splice, and the two
// ends are joined. As ffmpeg's dts_delta_threshold.
const maxJump = 10_000_000 // µs

var microseconds = timeline.Timebase{Num: 1, Den: 1_000_000}

func newClock(fc *astiav.FormatContext) *clock {
	c := &clock{streams: map[int]*trackClock{}}
	if f := fc.InputFormat(); f != nil && f.Name() == "mpegts" {
		c.wraps = true
	}
	return c
}

// stream begins to keep the time of a stream.
func (c *clock) stream(s *astiav.Stream) *trackClock {
	t := &trackClock{base: timebase(s.TimeBase())}
	c.streams[s.Index()] = t
	return t
}

// move lets a track go on in stream to, where its next packet follows the last.
func (c *clock) move(t *trackClock, to *astiav.Stream) {
	for i, have := range c.streams {
		if have == t {
			delete(c.streams, i)
		}
	}
	base := timebase(to.TimeBase())
	t.next, t.end, t.base = timeline.Rescale(t.next, t.base, base), timeline.Rescale(t.end, t.base, base), base
	c.streams[to.Index()] = t
}

func timebase(r astiav.Rational) timeline.Timebase {
	return timeline.Timebase{Num: int64(r.Num()), Den: int64(r.Den())}
}

// reset forgets what came before a seek. expected is roughly the timestamp to
// come, so that a 33-bit clock is unwrapped as it was before.
func (c *clock) reset(expected time.Duration) {
	c.unwrap, c.offset = timeline.Unwrap33{}, 0
	c.unwrap.Seed(timeline.Rescale(expected.Microseconds(), microseconds, timeline.Timebase{Num: 1, Den: 90000}))
	for _, s := range c.streams {
		s.have = false
	}
}

// noPTS is AV_NOPTS_VALUE.
const noPTS = int64(-1 << 63)

func (c *clock) fix(p *astiav.Packet) {
	pts, dts := c.fixed(p.StreamIndex(), p.Pts(), p.Dts(), p.Duration())
	p.SetPts(pts)
	p.SetDts(dts)
}

// fixed are a packet's times, made to grow for ever.
func (c *clock) fixed(stream int, pts, dts, duration int64) (int64, int64) {
	s := c.streams[stream]
	if s == nil {
		return pts, dts
	}
	raw := [2]int64{pts, dts}
	if c.wraps {
		pts, dts = c.unwrapped(pts, dts)
	}
	ref := dts
	if ref == noPTS {
		ref = pts
	}
	if ref == noPTS {
		return raw[0], raw[1]
	}
	shift := timeline.Rescale(c.offset, microseconds, s.base)
	if gap := timeline.Rescale(ref+shift-s.next, s.base, microseconds); s.have && !c.steady && (gap > maxJump || gap < -maxJump) && !c.beside(s, ref+shift) {
		c.offset += c.end(s) + c.pause - timeline.Rescale(max(ref, pts)+shift, s.base, microseconds)
		c.notes.add(fmt.Sprintf("timestamps jump by %.0f s: joined without a gap", float64(gap)/1e6))
		shift = timeline.Rescale(c.offset, microseconds, s.base)
		s.end = ref + shift
	}
	s.next = ref + shift + duration
	if end := max(ref, pts) + shift + duration; !s.have || end > s.end {
		s.end = end
	}
	s.have = true
	if pts != noPTS {
		pts += shift
	}
	if dts != noPTS {
		dts += shift
	}
	return pts, dts
}

// follows is the time of a packet that the clock does not run by: cues are few,
// and last as long as they like.
func (c *clock) follows(p *astiav.Packet, base timeline.Timebase) int64 {
	pts := p.Pts()
	if c.wraps {
		near := c.unwrap
		pts = near.Next(pts)
	}
	return pts + timeline.Rescale(c.offset, microseconds, base)
}

// end is when the last of the tracks that run beside s ends, in µs: after a
// splice nothing may fall on what was there before.
func (c *clock) end(s *trackClock) int64 {
	own := timeline.Rescale(s.end, s.base, microseconds)
	latest := own
	for _, t := range c.streams {
		if at := timeline.Rescale(t.end, t.base, microseconds); t.have && at-own < maxJump {
			latest = max(latest, at)
		}
	}
	return latest
}

// beside tells whether a packet of s that decodes at ref is where another track
// is: after a gap of its own (a pause in the sound, a picture that stood for
// long), which is programme.
func (c *clock) beside(s *trackClock, ref int64) bool {
	at := timeline.Rescale(ref, s.base, microseconds)
	for _, t := range c.streams {
		if t == s || !t.have {
			continue
		}
		if d := at - timeline.Rescale(t.next, t.base, microseconds); max(d, -d) < maxJump/2 {
			return true
		}
	}
	return false
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
