package packager

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
)

// track is one rendition on its way in.
type track struct {
	p         *Packager
	rendition ladders.Rendition
	takers    []*taker // one per sink
	lock      *lock    // nil: in the clear

	mu   sync.Mutex // held through Write: packets come one by one
	pace pace
	asm  *assembler
	// Of subtitles.
	captions []caption    // not yet over
	cut      int64        // µs on the grid up to which they are in segments
	begun    bool         // a segment was cut
	late     atomic.Int64 // cues that came after their segment
	boxes    *boxes       // nil: none are written
	// opened is read by takers while a writer waits for them.
	opened atomic.Pointer[opened]
	// The first and the newest segment that came, newest -1 before.
	oldest, newest atomic.Int64
	written        written
}

// opened is the decoder configuration in force.
type opened struct {
	init cmaf.Init
	cfg  media.CodecConfig
}

// configure opens the rendition, or changes its decoder configuration between
// two segments.
func (t *track) configure(cfg media.CodecConfig) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	init, err := t.initSegment(cfg)
	if err != nil {
		return encoderError(t.rendition.Name, err)
	}
	if t.asm == nil {
		if t.pace, err = newPace(t.p.spec.Grid, t.rendition, cfg.FrameSize); err != nil {
			return encoderError(t.rendition.Name, err)
		}
		t.asm = t.assembler(init.Format)
	} else if len(t.asm.frames) > 0 && init.Name != t.opened.Load().init.Name {
		return encoderError(t.rendition.Name, fmt.Errorf("decoder configuration changed inside segment %d", t.asm.number))
	}
	t.opened.Store(&opened{init, cfg})
	return nil
}

// segmentName is the file name of segment number n.
func (t *track) segmentName(n int64) string {
	if t.rendition.Text != nil {
		return hls.TextName(n)
	}
	return hls.SegmentName(n)
}

func (t *track) initSegment(cfg media.CodecConfig) (cmaf.Init, error) {
	var init cmaf.Init
	var err error
	if t.rendition.Video != nil {
		init, err = cmaf.InitVideo(*t.rendition.Video, cfg, t.p.spec.Grid.Timescale)
	} else {
		init, err = cmaf.InitAudio(*t.rendition.Audio, cfg)
	}
	if err != nil || t.lock == nil {
		return init, err
	}
	return init.Protect(t.lock.protection())
}

// assembler begins where the job does: a clip at 0 or where it is resumed, a
// live source at the first whole segment that comes.
func (t *track) assembler(format string) *assembler {
	a := &assembler{pace: t.pace, format: format, snap: t.p.spec.Live}
	if t.p.spec.Resume {
		a.number = t.p.spec.FirstSegment
	}
	return a
}

func (t *track) write(ctx context.Context, p media.Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asm == nil {
		return encoderError(t.rendition.Name, fmt.Errorf("frame %d came before the decoder configuration", p.Index))
	}
	b, err := t.asm.add(p)
	if err != nil {
		return encoderError(t.rendition.Name, err)
	}
	if err := t.send(ctx, b); err != nil || t != t.p.leader {
		return err
	}
	return t.p.letText(ctx, t.at(t.asm.first(t.asm.number)+int64(len(t.asm.frames))))
}

// at is when a frame of the track is, on the grid.
func (t *track) at(frame int64) hls.Micros {
	return hls.Between(0, frame*t.pace.ticks, t.pace.timescale)
}

// flush sends the short last segment. A live source that is stopped in the
// middle of a GOP may leave an incomplete one: it is let go.
func (t *track) flush(ctx context.Context, strict bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asm == nil {
		return nil
	}
	b, err := t.asm.flush()
	if err != nil && strict {
		return encoderError(t.rendition.Name, err)
	}
	if b != nil {
		t.p.EndAt(b.number)
	}
	return t.send(ctx, b)
}

func (t *track) send(ctx context.Context, b *batch) error {
	if b == nil {
		return nil
	}
	s, err := t.pace.encode(t.rendition.Name, b, &t.opened.Load().init, t.p.spec.Live, t.p.brands(b.number)...)
	if err != nil {
		return encoderError(t.rendition.Name, err)
	}
	if err := t.deliver(ctx, s); err != nil || t != t.p.leader {
		return err
	}
	t.p.held = append(t.p.held, span{s, t.at(b.first), t.at(b.next), b.first * t.pace.ticks, b.next * t.pace.ticks})
	return nil
}

// brands are what a live job's segment says of itself.
func (p *Packager) brands(number int64) (all []func(cmaf.Segment) (cmaf.Segment, error)) {
	if p.spec.Live && p.lapses.in(number) {
		all = append(all, cmaf.Segment.Slate)
	}
	if p.spec.Live && number >= p.endAt.Load() {
		all = append(all, cmaf.Segment.Last)
	}
	return all
}

func (t *track) deliver(ctx context.Context, s *segment) error {
	if t.newest.Swap(s.number) < 0 {
		t.oldest.Store(s.number)
	}
	var errs []error
	for _, k := range t.takers {
		if err := k.lane.Send(ctx, s); err != nil {
			errs = append(errs, err)
		}
	}
	return t.verdict(errs)
}

// verdict: a clip needs every sink, a live job any one, unless a successor has
// taken over.
func (t *track) verdict(errs []error) error {
	err := firstFatal(errs)
	if err == nil || t.p.spec.Live && len(errs) < len(t.takers) && !superseded(err) {
		return nil
	}
	return err
}
