package libav

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ac3"
	"github.com/galafarm/gala/timeline"
)

// audioCopy passes one track's own frames on. Each takes the nearest place on
// the audio frame grid, so that the sound keeps a distance of up to half a frame,
// 16 ms, from where it was. What is missing is filled with frames of silence.
type audioCopy struct {
	p     *Pipeline
	name  string
	a     ladders.Audio
	in    chan passedPacket
	done  chan struct{}
	base  timeline.Timebase
	grid  timeline.AudioGrid
	place timeline.Placer

	first, next int64
	last        int64 // source time of the packet before, in base
	silent      []byte
	opened      bool
	frames      atomic.Int64
	damaged     atomic.Bool
	left        atomic.Bool // dependent substreams were left out
}

// passedPacket is a packet of a track as it is, at a time in the track's base.
type passedPacket struct {
	data []byte
	at   int64 // noPTS: it follows the one before
}

// pause tells that nothing of the track comes before its time.
func (q passedPacket) pause() bool { return q.data == nil && q.at != noPTS }

func newAudioCopy(p *Pipeline, r ladders.Rendition) (*audioCopy, error) {
	rate := int64(r.Audio.SampleRate)
	c := &audioCopy{p: p, name: r.Name, a: *r.Audio, in: make(chan passedPacket, audioFrames), done: make(chan struct{}),
		base: p.facts.Audio[r.Audio.Track].Base, grid: timeline.AudioGrid{SampleRate: rate, FrameSize: ac3.Samples}, last: noPTS}
	c.place = timeline.Placer{Anchor: timeline.Anchor{Base: timeline.Timebase{Num: 1, Den: rate}}, Rate: timeline.Rate{Num: rate, Den: ac3.Samples}}
	g := p.o.Spec.Grid
	c.first = c.grid.FrameAtOrAfter(g.Ticks(p.firstFrame()), g.Timescale)
	c.next = c.first
	var err error
	if c.silent, err = silentUnit(c.a); err != nil {
		return nil, &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("rendition %s: silence for its gaps", r.Name), Advice: "leave passthrough out of the audio rung", Err: err}
	}
	return c, nil
}

func (c *audioCopy) run(ctx context.Context) error {
	defer c.finish()
	tell := sync.OnceFunc(func() { c.p.ends.at(samplesUS(c.grid.Sample(c.next), c.grid)) })
	defer tell()
	for q := range c.in {
		if err := c.take(ctx, q); err != nil {
			return c.drain(err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	tell()
	if c.p.o.Spec.Live {
		return nil
	}
	return ignoreFinished(c.quietEnd(ctx))
}

// quietEnd is silence until the longest track ends, where more than a frame is
// missing.
func (c *audioCopy) quietEnd(ctx context.Context) error {
	end, err := c.p.ends.wait(ctx)
	if err != nil {
		return err
	}
	until := timeline.Rescale(end, microseconds, timeline.Timebase{Num: 1, Den: c.grid.SampleRate})
	if until-c.grid.Sample(c.next) <= c.grid.FrameSize {
		return nil
	}
	return c.quietUntil(ctx, (until+c.grid.FrameSize-1)/c.grid.FrameSize)
}

func (c *audioCopy) take(ctx context.Context, q passedPacket) error {
	if q.pause() {
		return c.quietUntil(ctx, c.p.samples(q.at, c.base, c.grid)/c.grid.FrameSize)
	}
	u, err := ac3.Parse(q.data)
	if err != nil || u.SampleRate != c.a.SampleRate || u.Enhanced != (c.a.Codec == "ec-3") {
		if err != nil && !errors.Is(err, ac3.ErrDamaged) && !c.opened {
			return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("rendition %s: %v", c.name, err), Advice: "leave passthrough out of the audio rung: the track is then decoded and encoded"}
		}
		c.damaged.Store(true) // its place is filled
		return nil
	}
	if u.Left {
		c.left.Store(true)
	}
	switch {
	case q.at == noPTS && c.last == noPTS:
		return nil
	case q.at == noPTS:
		q.at = c.last + timeline.Rescale(ac3.Samples, timeline.Timebase{Num: 1, Den: c.grid.SampleRate}, c.base)
	}
	c.last = q.at
	if err := c.open(u); err != nil {
		return err
	}
	k, ok := c.place.Place(c.p.samples(q.at, c.base, c.grid))
	if !ok || k < c.next {
		return nil
	}
	if err := c.quietUntil(ctx, k); err != nil {
		return err
	}
	return c.emit(ctx, u.Data)
}

// open announces the track as its first frame describes it.
func (c *audioCopy) open(u ac3.Unit) error {
	if c.opened {
		return nil
	}
	c.opened = true
	return c.p.o.Output.Init(c.name, media.CodecConfig{Extradata: u.Box(), FrameSize: c.grid.FrameSize})
}

// quietUntil fills up to frame k.
func (c *audioCopy) quietUntil(ctx context.Context, k int64) error {
	for c.next < k {
		if !c.opened { // of a track of which nothing came
			u, err := ac3.Parse(c.silent)
			if err == nil {
				err = c.open(u)
			}
			if err != nil {
				return err
			}
		}
		if err := c.emit(ctx, c.silent); err != nil {
			return err
		}
	}
	return nil
}

func (c *audioCopy) emit(ctx context.Context, data []byte) error {
	if !c.p.at(c.grid.Segment(c.p.o.Spec.Grid, c.next)) {
		return errFinished
	}
	k := c.next
	c.next++
	c.frames.Add(1)
	return c.p.o.Output.Write(ctx, c.name, media.Packet{Data: data, Index: k, Key: true})
}

// send queues a packet's bytes; nil is one that was damaged, or a pause.
func (c *audioCopy) send(ctx context.Context, pkt *astiav.Packet, at int64) error {
	q := passedPacket{at: at}
	if pkt != nil {
		q.data = append([]byte(nil), pkt.Data()...)
	}
	select {
	case c.in <- q:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *audioCopy) drain(err error) error {
	c.finish()
	if err = ignoreFinished(err); err != nil {
		_ = c.p.failed(err)
	}
	for range c.in { // what is still coming
	}
	return err
}

func (c *audioCopy) finish() {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
}

// notes on what could not be passed on.
func (c *audioCopy) notes(n *notes) {
	if c.damaged.Load() {
		n.add(fmt.Sprintf("rendition %s: damaged frames of its track are filled with silence", c.name))
	}
	if c.left.Load() {
		n.add(fmt.Sprintf("rendition %s: channels beyond 5.1 are in substreams of their own, which are left out", c.name))
	}
}
