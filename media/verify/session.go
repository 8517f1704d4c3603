package verify

import (
	"context"
	"errors"
	"io"

	"github.com/galafarm/gala/timeline"
)

// session feeds a rendition's segments to the decoder as they are read; a new
// init segment or a hole begins a new run, as it does in a player.
type session struct {
	decoder Decoder
	keys    unlocker
	locked  bool // a segment could not be decrypted for want of its key
	runs    []*run
}

// run is one init segment and the segments that follow it without a hole.
type run struct {
	init     *initSegment
	first    *segment
	next     int64 // number of the segment that would continue it
	expected int   // frames fed
	samples  int64
	pipe     *io.PipeWriter
	done     chan struct{}
	// Written by the decoding goroutine, read after done.
	frames  int
	decoded int64 // audio samples
	pts     steps
	cards   steps
	sum     Summary
	err     error
}

// steps follows a number that should go up evenly.
type steps struct {
	count       int
	first, last int64
	step        int64
	uneven      int
}

func (s *steps) add(v int64) {
	switch s.count {
	case 0:
		s.first = v
	case 1:
		s.step = v - s.last
	default:
		if v-s.last != s.step {
			s.uneven++
		}
	}
	s.last = v
	s.count++
}

func newSession(d Decoder, k unlocker) *session { return &session{decoder: d, keys: k} }

// feed hands one segment to the decoder. A decoder that gave up early takes
// nothing more; that is judged at the end.
func (s *session) feed(ctx context.Context, init *initSegment, seg *segment, body []byte) error {
	if s.decoder == nil {
		return nil
	}
	r := s.current()
	if r == nil || r.init != init || r.next != seg.number || seg.discontinuity {
		if err := s.close(); err != nil {
			return err
		}
		r = s.begin(ctx, init, seg)
	}
	r.next = seg.number + 1
	r.expected += seg.frames
	r.samples += seg.length()
	_, _ = r.pipe.Write(body) // errs when the decoder is gone
	return ctx.Err()
}

func (s *session) current() *run {
	if len(s.runs) == 0 {
		return nil
	}
	return s.runs[len(s.runs)-1]
}

func (s *session) begin(ctx context.Context, init *initSegment, seg *segment) *run {
	read, write := io.Pipe()
	r := &run{init: init, first: seg, pipe: write, done: make(chan struct{})}
	s.runs = append(s.runs, r)
	go func() {
		defer close(r.done)
		r.sum, r.err = s.decoder.Decode(ctx, read, r.frame)
		read.CloseWithError(io.ErrClosedPipe) // so that feed does not wait for a reader
	}()
	_, _ = write.Write(init.open)
	return r
}

func (r *run) frame(f Frame) {
	r.frames++
	r.decoded += f.Samples
	if f.Type == "video" {
		r.pts.add(timeline.Rescale(f.PTS, timeline.Timebase{Num: f.TB[0], Den: max(f.TB[1], 1)}, timeline.Timebase{Num: 1, Den: r.init.track.Timescale}))
		if f.Card != nil && *f.Card >= 0 {
			r.cards.add(*f.Card)
		}
	}
}

// close ends the current run and waits for its decoder.
func (s *session) close() error {
	r := s.current()
	if r == nil || r.pipe == nil {
		return nil
	}
	_ = r.pipe.Close() // never errs
	<-r.done
	r.pipe = nil
	if r.err != nil && !errors.Is(r.err, context.Canceled) {
		return errors.Join(ErrCannotLook, r.err)
	}
	return r.err
}

// judge applies the decode rules to all runs.
func (s *session) judge(b *book, r *rendition) {
	if s.locked {
		b.skip(locked, "decode", "card")
		b.note("rendition %s is encrypted: it was not decoded; give the keys with --keys FILE", r.name)
		return
	}
	if s.decoder == nil {
		b.skip("no gala-worker beside this program to decode with", "decode", "card")
		return
	}
	for _, run := range s.runs {
		run.judge(b)
	}
	if !r.video() {
		b.skip("no test card in the picture", "card")
	}
}

func (r *run) judge(b *book) {
	where := at(r.first.path)
	b.holds("decode", r.sum.Errors == 0, where, "%d errors from here on: %q", r.sum.Errors, r.sum.Messages)
	if !r.init.track.Video {
		b.holds("decode", r.decoded == r.samples, where, "%d samples come out of %d", r.decoded, r.samples)
		return
	}
	b.holds("decode", r.frames == r.expected, where, "%d frames come out of %d", r.frames, r.expected)
	if r.pts.count > 0 {
		b.holds("decode", r.pts.first == r.first.start, where, "the first frame comes out at %d, not %d", r.pts.first, r.first.start)
	}
	b.holds("decode", r.pts.uneven == 0 && (r.pts.count < 2 || r.pts.step == r.first.frameTicks), where,
		"frames come out %d ticks apart, not %d; %d steps differ", r.pts.step, r.first.frameTicks, r.pts.uneven)
	if r.cards.count*2 > r.frames && r.frames > 1 {
		b.holds("card", r.cards.uneven == 0, where, "%d of %d steps of the card's number differ from %d", r.cards.uneven, r.cards.count-1, r.cards.step)
	}
}
