package libav

import (
	"context"
	"fmt"
	"math"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// fileTrack is one decoded stream: its packets queue here, its frames leave
// with shift added (loops, and a live source's place on the wall clock).
type fileTrack struct {
	queue   chan queued
	emit    func(*astiav.Frame) error
	packet  func(*astiav.Packet, int64) error // nil: nobody wants them
	base    timeline.Timebase
	video   bool
	threads int

	// Of the demuxer.
	codec astiav.CodecID
	clock *trackClock
	last  int64 // seq of its last packet, -1 when its stream is gone
	// measured, where set, takes the time of each packet instead of the queue.
	measured func(pts int64)
	// heard is the time of its last packet, hushed until when it was told that
	// there was none since, both in µs; noPTS before the first.
	heard, hushed int64
	// skip, where set, takes packets instead of the queue, as long as none is wanted.
	skip *skip

	// Of the decoding goroutine.
	dec        *decoder
	shift      int64
	errors     int64 // of decoders before this one
	guessed    int64
	first, end int64 // in base, unshifted, of what was shown
	shown      bool
}

// queued is a packet, a pause, a decoder to go on with, or else a splice: drain,
// and shift by this much.
type queued struct {
	pkt   *astiav.Packet
	pause *int64 // µs: no packet came up to here
	next  *decoder
	shift int64 // in the track's base
}

func (q queued) free() {
	if q.pkt != nil {
		q.pkt.Free()
	}
	if q.next != nil {
		q.next.Close()
	}
}

func (t *fileTrack) put(ctx context.Context, q queued) error {
	if t.measured != nil {
		if q.pkt != nil && q.pkt.Pts() != noPTS {
			t.measured(timeline.Rescale(q.pkt.Pts(), t.clock.base, t.base))
		}
		q.free()
		return ctx.Err()
	}
	if t.skip != nil {
		return t.skip.put(ctx, t, q)
	}
	select {
	case t.queue <- q:
		return nil
	case <-ctx.Done():
		q.free()
		return ctx.Err()
	}
}

func (s *fileSource) decodeLoop(ctx context.Context, t *fileTrack) error {
	defer func() {
		for q := range t.queue { // after a failure: what is still coming
			q.free()
		}
	}()
	if s.loop != nil {
		t.shift = s.loop.shift(t.base)
	}
	emit := func(f *astiav.Frame) error { return s.show(ctx, t, f) }
	for q := range t.queue {
		if ctx.Err() != nil {
			q.free()
			return ctx.Err()
		}
		if err := s.decode(t, q, emit); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.decode(t, queued{shift: t.shift}, emit)
}

// decode does what is queued; all but a packet drains the decoder first.
func (s *fileSource) decode(t *fileTrack, q queued, emit func(*astiav.Frame) error) error {
	if q.pause != nil {
		return t.packet(nil, timeline.Rescale(*q.pause, microseconds, t.base)+t.shift)
	}
	before := t.dec.errors
	err := t.dec.decode(q.pkt, emit)
	s.errs.Add(t.dec.errors - before)
	switch {
	case q.pkt != nil:
		if err == nil && t.packet != nil {
			err = t.pass(q.pkt, t.dec.errors > before)
		}
		q.pkt.Free()
	case q.next != nil:
		q.next.follow(t.dec)
		t.errors, t.guessed = t.errors+t.dec.errors, t.guessed+t.dec.guessed
		t.dec.Close()
		t.dec = q.next
	default:
		t.dec.flush()
		t.shift = q.shift
	}
	return err
}

// pass hands on a packet whose frames were shown, or nil for one that did not
// decode.
func (t *fileTrack) pass(p *astiav.Packet, damaged bool) error {
	if damaged {
		return t.packet(nil, noPTS)
	}
	at := p.Pts()
	if at != noPTS {
		at = timeline.Rescale(at, t.clock.base, t.base) + t.shift
	}
	return t.packet(p, at)
}

// show hands on one frame when its time has come.
func (s *fileSource) show(ctx context.Context, t *fileTrack, f *astiav.Frame) error {
	at := timeline.Rescale(f.Pts(), t.dec.base, t.base)
	end := timeline.Rescale(t.dec.next, t.dec.base, t.base)
	if !t.shown {
		t.first, t.end, t.shown = at, end, true
	}
	t.end = max(t.end, end)
	f.SetPts(at + t.shift)
	if t.video {
		s.frames.Add(1)
		s.pace.aged(f.Pts(), t.base)
	}
	if err := s.pace.wait(ctx, f.Pts(), t.base); err != nil {
		return err
	}
	return t.emit(f)
}

// sumUp says what was repaired, when a source was read to its end.
func (s *fileSource) sumUp(out sinks) {
	first, end := int64(math.MaxInt64), int64(math.MinInt64)
	for _, t := range s.all {
		kind := "audio"
		if t.video {
			kind = "video"
		}
		if n := t.errors + t.dec.errors; n > 0 {
			s.note(fmt.Sprintf("damaged packets or pictures in the %s: %d; what decodes is shown", kind, n))
		}
		// Audio frames without one are the rule: several share a packet.
		if n := t.guessed + t.dec.guessed; n > 0 && t.video {
			s.note(fmt.Sprintf("pictures without a timestamp: %d; each follows the one before", n))
		}
		if t.shown {
			first, end = min(first, timeline.Rescale(t.first, t.base, microseconds)), max(end, timeline.Rescale(t.end, t.base, microseconds))
		}
	}
	spliced := len(s.d.clock.notes.list) > 0 // then the promise means nothing
	whole := !spliced && (out.video != nil || s.facts.BestVideo() == nil)
	if short := s.facts.DurationUS - (end - first); end > first && whole && short > max(shortfall, s.facts.DurationUS/20) {
		s.note(fmt.Sprintf("the container promises %.2f s, %.2f s decode", float64(s.facts.DurationUS)/1e6, float64(end-first)/1e6))
	}
}

// shortfall is how much of what a header promises may be missing in silence, in
// µs; or a twentieth of it, where that is more.
const shortfall = 500_000
