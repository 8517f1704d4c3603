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

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// fileSource demuxes and decodes a file or an http object: to its end, or
// looped in real time when live.
type fileSource struct {
	name   string
	facts  Info
	d      *demuxer
	pace   pacer
	loop   *loop
	tracks map[int]*fileTrack // by stream index

	mu     sync.Mutex
	extra  notes
	frames atomic.Int64
	errs   atomic.Int64
}

// fileTrack is one decoded stream: its packets queue here, its frames leave
// with shift added (loops, and a live source's place on the wall clock).
type fileTrack struct {
	dec    *decoder
	queue  chan queued
	emit   func(*astiav.Frame) error
	base   timeline.Timebase
	video  bool
	others int64
}

// queued is a packet, or with nil a splice: drain, and shift by this much.
type queued struct {
	pkt   *astiav.Packet
	shift int64 // in the track's base
}

// Queues between demuxer and decoders, in packets. Audio's is long, because
// some files interleave seconds apart.
const videoQueue, audioQueue = 32, 512

func openFileSource(ctx context.Context, name string, rules input.Rules, facts Info, pace pacer) (*fileSource, error) {
	d, err := openDemuxer(ctx, name, rules)
	if err != nil {
		return nil, err
	}
	return &fileSource{name: name, facts: facts, d: d, pace: pace, tracks: map[int]*fileTrack{}}, nil
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
	if err := s.openTracks(out); err != nil {
		return err
	}
	defer s.closeTracks()
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range s.tracks {
		g.Go(func() error { return s.decodeLoop(ctx, t) })
	}
	g.Go(func() error {
		defer func() {
			for _, t := range s.tracks {
				close(t.queue)
			}
		}()
		return s.demuxLoop(ctx)
	})
	return g.Wait()
}

func (s *fileSource) openTracks(out sinks) error {
	streams := s.d.fc.Streams()
	open := func(index int, base timeline.Timebase, video bool, emit func(*astiav.Frame) error) error {
		if emit == nil {
			return nil
		}
		if index >= len(streams) {
			return fmt.Errorf("stream %d of %s is gone", index, s.name)
		}
		n, size := 1, audioQueue
		if video {
			n, size = min(runtime.NumCPU(), 4), videoQueue
		}
		dec, err := openDecoder(streams[index], n)
		if err != nil {
			return err
		}
		if v := s.facts.BestVideo(); video && v.Rate.Valid() {
			dec.step = timeline.Rescale(1, timeline.Timebase{Num: v.Rate.Den, Den: v.Rate.Num}, base)
		}
		s.d.clock.stream(streams[index])
		s.tracks[index] = &fileTrack{dec: dec, queue: make(chan queued, size), emit: emit, base: base, video: video}
		return nil
	}
	if v := s.facts.BestVideo(); v != nil {
		if err := open(v.Index, v.Base, true, out.video); err != nil {
			return err
		}
	}
	for i, a := range s.facts.Audio {
		if i < len(out.audio) {
			if err := open(a.Index, a.Base, false, out.audio[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *fileSource) closeTracks() {
	for _, t := range s.tracks {
		for q := range t.queue {
			if q.pkt != nil {
				q.pkt.Free()
			}
		}
		t.dec.Close()
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
		if err := s.d.seekTo(s.d.fc.StartTime()); err != nil {
			return err
		}
		if err := s.splice(ctx); err != nil {
			return err
		}
	}
}

// splice tells every track how far its timestamps are shifted from here on.
func (s *fileSource) splice(ctx context.Context) error {
	for _, t := range s.tracks {
		if err := t.put(ctx, queued{shift: s.loop.shift(t.base)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSource) demuxOnce(ctx context.Context) error {
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	for {
		err := s.d.next(pkt)
		if errors.Is(err, io.EOF) {
			if err != io.EOF { //nolint:errorlint // a bare EOF is the clean end
				s.note("the source ends early: " + err.Error())
			}
			for _, n := range s.d.clock.notes.list {
				s.note(n)
			}
			return nil
		}
		if err != nil {
			return err
		}
		t := s.tracks[pkt.StreamIndex()]
		if t == nil {
			s.newStream(pkt.StreamIndex())
			pkt.Unref()
			continue
		}
		if err := t.put(ctx, queued{pkt: pkt.Clone()}); err != nil {
			return err
		}
		pkt.Unref()
	}
}

// newStream says once that a track which appeared later is not followed.
func (s *fileSource) newStream(index int) {
	known := len(s.facts.Video) + len(s.facts.Audio)
	if streams := s.d.fc.Streams(); index >= known && index < len(streams) {
		if m := streams[index].CodecParameters().MediaType(); m == astiav.MediaTypeVideo || m == astiav.MediaTypeAudio {
			for _, v := range s.facts.Video {
				if v.Index == index {
					return
				}
			}
			for _, a := range s.facts.Audio {
				if a.Index == index {
					return
				}
			}
			s.note(fmt.Sprintf("%s stream %d was not followed", m, index))
		}
	}
}

func (t *fileTrack) put(ctx context.Context, q queued) error {
	select {
	case t.queue <- q:
		return nil
	case <-ctx.Done():
		if q.pkt != nil {
			q.pkt.Free()
		}
		return ctx.Err()
	}
}

func (s *fileSource) decodeLoop(ctx context.Context, t *fileTrack) error {
	shift := int64(0)
	if s.loop != nil {
		shift = s.loop.shift(t.base)
	}
	emit := func(f *astiav.Frame) error {
		f.SetPts(f.Pts() + shift)
		if t.video {
			s.frames.Add(1)
		}
		if err := s.pace.wait(ctx, f.Pts(), t.base); err != nil {
			return err
		}
		return t.emit(f)
	}
	defer func() { s.errs.Add(t.dec.errors) }()
	for q := range t.queue {
		if ctx.Err() != nil {
			if q.pkt != nil {
				q.pkt.Free()
			}
			return ctx.Err()
		}
		err := t.dec.decode(q.pkt, emit)
		if q.pkt != nil {
			q.pkt.Free()
		} else {
			t.dec.flush()
			shift = q.shift
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.dec.decode(nil, emit)
}

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
