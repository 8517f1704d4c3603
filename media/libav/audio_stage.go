package libav

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// audioStage resamples one track onto the audio frame grid and encodes it. The
// sample position is exact at the join and then counted. What the source's
// timestamps say otherwise (steady) is resampled away, inaudibly slowly, or past
// 15 ms filled with silence or cut: 20 ms are never passed for longer than it
// takes to be sure.
type audioStage struct {
	p     *Pipeline
	name  string
	a     ladders.Audio
	track int
	in    chan heard
	done  chan struct{}
	base  timeline.Timebase
	grid  timeline.AudioGrid

	cc      *astiav.CodecContext
	pkt     *astiav.Packet
	frame   *astiav.Frame // one encoder frame
	fifo    *astiav.AudioFifo
	line    steady
	g       *graph
	built   string
	began   int64 // the encoder's sample at which the resampler's first frame lies
	skip    int   // samples of the resampler that lie before the encoder's next one
	start   int64 // sample at which the encoder starts: a few frames early
	first   int64 // first frame that is handed out
	lead    int64 // samples of encoder delay beyond whole frames: the input is that much early
	fed     int64 // samples given to the encoder
	end     int64 // sample after the last real one
	frames  atomic.Int64
	flushed bool
	level   string // filters that change how loud it is
}

// preRoll is how many frames before the join the encoder starts, so that the
// join is inaudible.
const preRoll = 3

// audioFrames is how many decoded frames may wait.
const audioFrames = 64

func newAudioStage(p *Pipeline, r ladders.Rendition) (*audioStage, error) {
	s := &audioStage{p: p, name: r.Name, a: *r.Audio, track: r.Audio.Track, in: make(chan heard, audioFrames), done: make(chan struct{}), base: p.facts.Audio[r.Audio.Track].Base, pkt: astiav.AllocPacket()}
	s.level = levelled(s.a.Gain, false, 0, s.a.SampleRate)
	if s.a.Loudness != nil {
		s.level = p.lifts[r.Name].filters(s.a)
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *audioStage) run(ctx context.Context) error {
	defer s.close()
	tell := sync.OnceFunc(func() { s.p.ends.at(samplesUS(s.wholeFrames(s.end), s.grid)) })
	defer tell()
	if err := s.p.o.Output.Init(s.name, s.config()); err != nil {
		return s.drainInput(err)
	}
	for h := range s.in {
		if err := s.hear(ctx, h); err != nil {
			return s.drainInput(err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.feed(ctx, s.line.drain()); err != nil {
		return ignoreFinished(err)
	}
	if s.g != nil {
		if err := s.g.push(nil, func(out *astiav.Frame) error { return s.resampled(ctx, out) }); err != nil {
			return ignoreFinished(err)
		}
	}
	tell()
	if !s.p.o.Spec.Live {
		if err := s.silence(ctx); err != nil {
			return ignoreFinished(err)
		}
	}
	return s.flush(ctx)
}

func (s *audioStage) hear(ctx context.Context, h heard) error {
	if h.f == nil {
		return s.without(ctx, h.until)
	}
	defer h.f.Free()
	return s.take(ctx, h.f)
}

// silence follows the last sample until the longest track ends, where more
// than a frame is missing.
func (s *audioStage) silence(ctx context.Context) error {
	end, err := s.p.ends.wait(ctx)
	if err != nil {
		return err
	}
	until := timeline.Rescale(end, microseconds, timeline.Timebase{Num: 1, Den: s.grid.SampleRate})
	if until-s.end <= s.grid.FrameSize {
		return nil
	}
	s.end = until
	return s.quietUntil(ctx, until-s.start-s.lead)
}

// wholeFrames is the end of the frame that holds the sample before at.
func (s *audioStage) wholeFrames(at int64) int64 {
	size := s.grid.FrameSize
	if r := at % size; r > 0 {
		return at - r + size
	}
	return at
}

// drainInput frees what is still coming after the stop or a failure.
func (s *audioStage) drainInput(err error) error {
	s.finish()
	if err = ignoreFinished(err); err != nil {
		_ = s.p.failed(err)
	}
	for h := range s.in {
		h.free()
	}
	return err
}

func (s *audioStage) finish() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

func ignoreFinished(err error) error {
	if err == errFinished { //nolint:errorlint // a sentinel of this package, never wrapped
		return nil
	}
	return err
}

func (s *audioStage) fail(what string, err error) error {
	return &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("rendition %s: %s", s.name, what), Advice: "change the audio rung of the ladder (aac at 48 kHz, 1, 2 or 6 channels)", Err: err}
}

func (s *audioStage) close() {
	s.finish()
	s.line.free()
	if s.g != nil {
		s.g.Close()
	}
	s.fifo.Free()
	s.frame.Free()
	s.pkt.Free()
	s.cc.Free()
}
