package libav

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// feed is an input that is being decoded: on its way to air, or on it.
type feed struct {
	in     *deskInput
	facts  Info
	anchor timeline.Anchor
	want   int64 // the grid frame from which on its pictures are wanted
	cause  string
	asked  int64 // the order that it answers, 0 for none
	src    *fileSource
	cancel context.CancelFunc
	abort  context.CancelFunc // of its reading; nil where the worker began with it
	err    error              // of its run
	opened time.Time
	// initial: the first of this worker, which makes up for what was missed.
	initial bool
	ending  bool // told to end when what was received is decoded

	// Under the desk's mutex.
	sound  []heldSound // before its first picture
	words  []heldText  // likewise
	latest int64       // the newest grid frame that it showed
	near   time.Time   // when it came close to what is wanted
	judge  judge
	fault  string      // what is wrong with what it shows
	summed atomic.Bool // what it did is added up
	// shown is when its decoder last gave something that leads, spoke when each
	// audio track did, in ns since the Unix epoch.
	shown atomic.Int64
	spoke []atomic.Int64
	mute  bool // what it lacks was told
	alone bool // that there was no other input to go to was told
}

// laneLapse is how long a part of an input - its pictures, a track - may give
// nothing while the rest goes on, before what it lacks is filled.
const laneLapse = 2 * time.Second

// lacks tells that nothing of a part came for long, though everything that was
// received is decoded: the stages are not behind.
func (f *feed) lacks(at *atomic.Int64, now time.Time) bool {
	atEdge := now.Sub(time.Unix(0, f.src.d.ring.waited.Load())) < laneLapse/4
	bound := max(laneLapse, f.in.ear.patience()) // lists come a segment at a time
	if at.Load() == 0 {
		bound *= 3 // decoders are only being opened
	}
	return atEdge && now.Sub(latest(f.opened, time.Unix(0, at.Load()))) > bound
}

// heldSound waits for the first picture.
type heldSound struct {
	f    *astiav.Frame
	give func(*astiav.Frame) error
}

// heldText waits likewise; until is when it is over, in µs.
type heldText struct {
	until int64
	give  func() error
}

func (f *feed) drop() {
	f.words = nil
	for _, h := range f.sound {
		h.f.Free()
	}
	f.sound = nil
}

// place moves times of one source to the clock of another, through their anchors.
type place struct {
	from, to timeline.Anchor
	rate     timeline.Rate
}

// of is time t, in ticks of base, as a time of the other clock in ticks of out.
func (p place) of(t int64, base, out timeline.Timebase) int64 {
	since := t - timeline.Rescale(p.from.Source, p.from.Base, base)
	return timeline.Rescale(since, base, out) + timeline.Rescale(p.to.Source, p.to.Base, out) +
		timeline.Rescale(p.from.Frame-p.to.Frame, frameBase(p.rate), out)
}

// sinks are the desk's, for what this feed delivers.
func (f *feed) sinks(ctx context.Context, d *desk) sinks {
	f.spoke = make([]atomic.Int64, len(f.facts.Audio))
	at := place{f.anchor, d.p.anchor, d.p.o.Spec.Grid.Rate}
	out := sinks{live: true, audio: make([]func(*astiav.Frame) error, len(f.facts.Audio)),
		packets: make([]func(*astiav.Packet, int64) error, len(f.facts.Audio)), text: make([]textSink, len(f.facts.Text))}
	if v := f.facts.BestVideo(); v != nil && d.out.video != nil {
		out.video = func(fr *astiav.Frame) error {
			fr.SetPts(at.of(fr.Pts(), v.Base, d.p.facts.BestVideo().Base))
			return d.picture(ctx, f, fr)
		}
	}
	for i, a := range f.facts.Audio {
		if i >= len(d.p.facts.Audio) {
			break
		}
		base := d.p.facts.Audio[i].Base
		if give := d.out.audio[i]; give != nil {
			out.audio[i] = func(fr *astiav.Frame) error {
				fr.SetPts(at.of(fr.Pts(), a.Base, base))
				return d.sound(ctx, f, i, fr, give)
			}
		}
		if give := d.out.packets[i]; give != nil {
			out.packets[i] = func(p *astiav.Packet, t int64) error {
				f.spoke[i].Store(d.now().UnixNano())
				if t != noPTS {
					t = at.of(t, a.Base, base)
				}
				if !d.onAir(f) {
					return nil
				}
				return give(p, t)
			}
		}
	}
	for i := range min(len(f.facts.Text), len(d.out.text)) {
		if give := d.out.text[i]; give != nil {
			out.text[i] = func(c webvtt.Cue, page bool) error {
				c.Start, c.End = at.of(c.Start, microseconds, microseconds), at.of(c.End, microseconds, microseconds)
				return d.text(f, c.End, func() error { return give(c, page) })
			}
		}
	}
	return out
}
