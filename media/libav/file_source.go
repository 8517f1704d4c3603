package libav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"encoding/binary"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// fileSource demuxes and decodes a file or an http object: to its end, or
// looped in real time when live.
type fileSource struct {
	name  string
	facts Info
	d     *demuxer
	pace  pacer
	loop  *loop

	// Of the demuxer alone.
	seq       int64 // packets read
	all       []*fileTrack
	tracks    map[int]*fileTrack // by stream index
	streams   []*astiav.Stream
	known     map[int]astiav.CodecID // what was there from the start
	newcomers map[int]*newcomer

	mu     sync.Mutex
	extra  notes
	frames atomic.Int64
	errs   atomic.Int64
}

// fileTrack is one decoded stream: its packets queue here, its frames leave
// with shift added (loops, and a live source's place on the wall clock).
type fileTrack struct {
	queue   chan queued
	emit    func(*astiav.Frame) error
	base    timeline.Timebase
	video   bool
	threads int

	// Of the demuxer.
	codec astiav.CodecID
	clock *trackClock
	last  int64 // seq of its last packet, -1 when its stream is gone
	// measured, where set, takes the time of each packet instead of the queue.
	measured func(pts int64)

	// Of the decoding goroutine.
	dec        *decoder
	shift      int64
	errors     int64 // of decoders before this one
	guessed    int64
	first, end int64 // in base, unshifted, of what was shown
	shown      bool
}

// queued is a packet, a decoder to go on with, or else a splice: drain, and
// shift by this much.
type queued struct {
	pkt   *astiav.Packet
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

// Queues between demuxer and decoders, in packets. Audio's is long, because
// some files interleave seconds apart.
const videoQueue, audioQueue = 32, 512

func openFileSource(ctx context.Context, name string, rules input.Rules, facts Info, pace pacer) (*fileSource, error) {
	d, err := openDemuxer(ctx, name, rules)
	if err != nil {
		return nil, err
	}
	s := &fileSource{name: name, facts: facts, d: d, pace: pace, tracks: map[int]*fileTrack{}, known: map[int]astiav.CodecID{}, newcomers: map[int]*newcomer{}, streams: d.fc.Streams()}
	for i, st := range s.streams {
		s.known[i] = st.CodecParameters().CodecID()
	}
	return s, nil
}

func (s *fileSource) info() Info { return s.facts }

func (s *fileSource) stats() sourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sourceStats{decoded: s.frames.Load(), errors: s.errs.Load(), notes: append([]string(nil), s.extra.list...)}
}

func (s *fileSource) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extra.add(text)
}

func (s *fileSource) close() { s.d.Close() }

func (s *fileSource) run(ctx context.Context, out sinks) error {
	defer s.closeTracks()
	if err := s.openTracks(out); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range s.all {
		g.Go(func() error { return s.decodeLoop(ctx, t) })
	}
	g.Go(func() error {
		defer func() {
			for _, t := range s.all {
				close(t.queue)
			}
		}()
		return s.demuxLoop(ctx)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	s.sumUp(out)
	return nil
}

func (s *fileSource) openTracks(out sinks) error {
	if v := s.facts.BestVideo(); v != nil && out.video != nil {
		t := &fileTrack{queue: make(chan queued, videoQueue), emit: out.video, base: v.Base, video: true, threads: min(runtime.NumCPU(), 4)}
		if err := s.open(t, v.Index); err != nil {
			return err
		}
		if v.Rate.Valid() {
			t.dec.step = timeline.Rescale(1, timeline.Timebase{Num: v.Rate.Den, Den: v.Rate.Num}, v.Base)
		}
	}
	for i, a := range s.facts.Audio {
		if i >= len(out.audio) || out.audio[i] == nil {
			continue
		}
		t := &fileTrack{queue: make(chan queued, audioQueue), emit: out.audio[i], base: a.Base, threads: 1}
		if err := s.open(t, a.Index); err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSource) open(t *fileTrack, index int) error {
	stream := s.stream(index)
	if stream == nil {
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("stream %d of source %s is gone", index, s.name), Advice: "the source changed since it was probed: submit the job again"}
	}
	var err error
	if t.dec, err = openDecoder(stream, t.threads); err != nil {
		return err
	}
	t.codec, t.clock = stream.CodecParameters().CodecID(), s.d.clock.stream(stream)
	s.tracks[index], s.all = t, append(s.all, t)
	return nil
}

func (s *fileSource) closeTracks() {
	for _, t := range s.all {
		t.dec.Close()
	}
	for _, n := range s.newcomers {
		n.drop()
	}
}

// demuxLoop hands packets to their tracks; a live file starts over at its end.
func (s *fileSource) demuxLoop(ctx context.Context) error {
	if s.loop != nil {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	for {
		if err := s.demuxOnce(ctx); err != nil {
			return err
		}
		if s.loop == nil {
			return nil
		}
		s.loop.count++
		if err := s.d.rewind(); err != nil {
			return err
		}
		if err := s.splice(ctx); err != nil {
			return err
		}
	}
}

// splice tells every track how far its timestamps are shifted from here on.
func (s *fileSource) splice(ctx context.Context) error {
	for _, t := range s.all {
		if err := t.put(ctx, queued{shift: s.loop.shift(t.base)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSource) demuxOnce(ctx context.Context) error {
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	for ctx.Err() == nil {
		err := s.d.read(pkt)
		if errors.Is(err, io.EOF) {
			if err != io.EOF && ctx.Err() == nil { //nolint:errorlint // a bare EOF is the clean end
				s.note("the source ends early: " + err.Error())
			}
			break
		}
		if err != nil {
			return err
		}
		err = s.take(ctx, pkt)
		pkt.Unref()
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := s.settle(ctx)
	for _, n := range s.d.clock.notes.list {
		s.note(n)
	}
	return err
}

func (t *fileTrack) put(ctx context.Context, q queued) error {
	if t.measured != nil {
		if q.pkt != nil && q.pkt.Pts() != noPTS {
			t.measured(timeline.Rescale(q.pkt.Pts(), t.clock.base, t.base))
		}
		q.free()
		return ctx.Err()
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
	before := t.dec.errors
	err := t.dec.decode(q.pkt, emit)
	s.errs.Add(t.dec.errors - before)
	switch {
	case q.pkt != nil:
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

// show hands on one frame when its time has come.
func (s *fileSource) show(ctx context.Context, t *fileTrack, f *astiav.Frame) error {
	at := timeline.Rescale(f.Pts(), t.dec.base, t.base)
	end := timeline.Rescale(t.dec.next, t.dec.base, t.base)
	if !t.shown {
		t.first, t.end, t.shown = at, end, true
	}
	t.end = max(t.end, end)
	if t.video {
		s.frames.Add(1)
	}
	f.SetPts(at + t.shift)
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

func floatBytes(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.NativeEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func floatPeak(b []byte) float64 {
	loudest := float64(0)
	for ; len(b) >= 4; b = b[4:] {
		loudest = max(loudest, math.Abs(float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))))
	}
	return loudest
}
