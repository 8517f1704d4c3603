package libav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

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
	// skipUS, where set, is the time before which pictures need not be decoded.
	skipUS *int64
	// hush: tracks that are passed on are told of their pauses.
	hush bool

	// Of the demuxer alone.
	seq       int64 // packets read
	told      int   // notes of the clock that were passed on
	all       []*fileTrack
	tracks    map[int]*fileTrack // by stream index
	streams   []*astiav.Stream
	known     map[int]astiav.CodecID // what was there from the start
	newcomers map[int]*newcomer
	texts     map[int][]*textTrack // by stream index: pages of teletext share one

	mu     sync.Mutex
	extra  notes
	frames atomic.Int64
	// skipped are pictures that were passed over.
	skipped atomic.Int64
	errs    atomic.Int64
}

// Queues between demuxer and decoders, in packets. Audio's is long, because
// some files interleave seconds apart.
const videoQueue, audioQueue = 32, 512

func openFileSource(ctx context.Context, name string, rules input.Rules, facts Info, pace pacer) (*fileSource, error) {
	d, err := openDemuxer(ctx, name, rules)
	if err != nil {
		return nil, err
	}
	return newFileSource(name, d, facts, pace), nil
}

func newFileSource(name string, d *demuxer, facts Info, pace pacer) *fileSource {
	s := &fileSource{name: name, facts: facts, d: d, pace: pace, tracks: map[int]*fileTrack{}, known: map[int]astiav.CodecID{}, newcomers: map[int]*newcomer{}, texts: map[int][]*textTrack{}, streams: d.fc.Streams(), hush: d.ring != nil}
	for i, st := range s.streams {
		s.known[i] = st.CodecParameters().CodecID()
	}
	return s
}

func (s *fileSource) info() Info { return s.facts }

func (s *fileSource) stats() sourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sourceStats{decoded: s.frames.Load() + s.skipped.Load(), errors: s.errs.Load(), notes: append([]string(nil), s.extra.list...)}
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
	defer context.AfterFunc(ctx, s.d.stop)()
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
		if s.skipUS != nil && *s.skipUS > timeline.Rescale(v.First, v.Base, microseconds) {
			t.skip = s.newSkip(s.stream(v.Index))
			t.first, t.end, t.shown = v.First, v.First, true
		}
		if v.Rate.Valid() {
			t.dec.step = timeline.Rescale(1, timeline.Timebase{Num: v.Rate.Den, Den: v.Rate.Num}, v.Base)
		}
	}
	for i, a := range s.facts.Audio {
		t := out.soundTrack(i)
		if t == nil {
			continue
		}
		t.base = a.Base
		if err := s.open(t, a.Index); err != nil {
			return err
		}
	}
	for i, info := range s.facts.Text {
		if i < len(out.text) && out.text[i] != nil && s.stream(info.Index) != nil {
			t, err := openText(s.stream(info.Index), info, out.text[i])
			if err != nil {
				return err
			}
			s.texts[info.Index] = append(s.texts[info.Index], t)
		}
	}
	return nil
}

// soundTrack is a track for what is wanted of the i-th audio stream, or nil. One
// that is only passed on is decoded all the same: its frames keep the pace, and
// tell what is damaged.
func (o sinks) soundTrack(i int) *fileTrack {
	t := &fileTrack{queue: make(chan queued, audioQueue), threads: 1, emit: func(*astiav.Frame) error { return nil }}
	wanted := false
	if i < len(o.audio) && o.audio[i] != nil {
		t.emit, wanted = o.audio[i], true
	}
	if i < len(o.packets) && o.packets[i] != nil {
		t.packet, wanted = o.packets[i], true
	}
	if !wanted {
		return nil
	}
	return t
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
	t.heard = noPTS
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
	for _, t := range s.all {
		if t.skip != nil {
			t.skip.drop()
		}
	}
	for _, all := range s.texts {
		for _, t := range all {
			t.close()
		}
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
			return s.finish()
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
	if err := s.seam(); err != nil {
		return err
	}
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
		s.tell()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := s.settle(ctx)
	for _, t := range s.all {
		if t.skip != nil && err == nil {
			err = t.skip.end(ctx, t, "")
		}
	}
	s.tell()
	return err
}

// tell passes on what the clock found: a live source has no end to wait for.
func (s *fileSource) tell() {
	for ; s.told < len(s.d.clock.notes.list); s.told++ {
		s.note(s.d.clock.notes.list[s.told])
	}
}
