package libav

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// Output takes what the encoders make; a packager. Write blocks for as long as
// the output wants to slow a VOD job down.
type Output interface {
	Init(rendition string, cfg media.CodecConfig) error
	Write(ctx context.Context, rendition string, p media.Packet) error
}

// Captioned is an Output that wants to know which caption channels have been
// met so far: a probe looks at the first seconds only.
type Captioned interface {
	Captions(channels []string)
}

// Options of a pipeline. Now and Propose may be nil for VOD.
type Options struct {
	Spec   media.Spec
	Rules  input.Rules
	Output Output
	Log    *slog.Logger
	Now    func() time.Time
	// Propose fixes the anchor of a live source: it gets the pipeline's own and
	// returns the one that holds.
	Propose func(context.Context, timeline.Anchor) (timeline.Anchor, error)
	// Ring reads a live source from its ingest; the input then only has a name.
	Ring OpenRing
}

// Pipeline is one decode to N renditions.
type Pipeline struct {
	o      Options
	facts  Info
	src    source
	anchor timeline.Anchor
	lag    time.Duration
	video  *videoStage
	audio  []*audioStage
	copies []*audioCopy
	// built: the stages above are there for others to read.
	built atomic.Bool

	ends ends

	lifts   map[string]lift // of the renditions that ask for a loudness
	metered atomic.Int64    // frames heard to measure

	cancel context.CancelCauseFunc // of a run

	mu   sync.Mutex
	stop int64 // the first segment not to make
	edge int64 // the highest segment that any stage has begun
	said notes // by the pipeline itself
}

// Status is how far a pipeline has come.
type Status struct {
	SourceUS                           int64
	Decoded, Doubled, Dropped, Damaged int64
	Renditions                         map[string]RenditionStatus
	Notes                              []string
}

// RenditionStatus counts one rendition's encoded frames.
type RenditionStatus struct{ Frames int64 }

var errFinished = errors.New("finished at a segment boundary")

// Open probes and opens the source and fixes its anchor. Every error is a
// *media.Error.
func Open(ctx context.Context, o Options) (*Pipeline, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pipeline{o: o, stop: math.MaxInt64, edge: math.MinInt64}
	var err error
	if o.Ring != nil {
		p.facts, err = ProbeRing(ctx, o.Spec.Input, o.Ring)
	} else {
		p.facts, err = Probe(ctx, o.Spec.Input, o.Rules)
	}
	if err == nil {
		err = p.openSource(ctx)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Facts are what the probe found.
func (p *Pipeline) Facts() Info { return p.facts }

// Stop ends the pipeline at the next segment boundary that no stage has passed,
// so that all renditions end with the same segment. The first call counts.
func (p *Pipeline) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop == math.MaxInt64 {
		p.stop = max(p.edge, p.o.Spec.Grid.Segment(p.firstFrame())) + 1
	}
}

// at notes that a stage begins segment n, and tells whether it may.
func (p *Pipeline) at(n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n >= p.stop {
		return false
	}
	p.edge = max(p.edge, n)
	return true
}

// failed ends the run because of err, at once: who calls it may still have to
// take what others hand over before it can return.
func (p *Pipeline) failed(err error) error {
	p.cancel(err)
	return err
}

// Run decodes, encodes and hands over everything until the source ends, Stop
// takes effect, or something fails. On a clean end all encoders are drained.
func (p *Pipeline) Run(ctx context.Context) error {
	defer p.src.close()
	if err := p.measureLoudness(ctx); err != nil {
		return err
	}
	if err := p.build(); err != nil {
		return err
	}
	outer := ctx
	ctx, p.cancel = context.WithCancelCause(ctx)
	defer p.cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	srcCtx, stopSource := context.WithCancel(ctx)
	defer stopSource()
	out := sinks{live: p.o.Spec.Live, audio: make([]func(*astiav.Frame) error, len(p.facts.Audio)), packets: make([]func(*astiav.Packet, int64) error, len(p.facts.Audio)), text: p.cueSinks()}
	defer out.close()
	p.ends = newEnds(p)
	for _, a := range p.audio {
		g.Go(func() error { return a.run(ctx) })
		out.hear(a.a, p.facts.Audio, func(f *astiav.Frame) error { return send(ctx, a.in, f) })
	}
	for _, c := range p.copies {
		g.Go(func() error { return c.run(ctx) })
		prev := out.packets[c.a.Track]
		out.packets[c.a.Track] = func(pkt *astiav.Packet, at int64) error {
			if prev != nil {
				if err := prev(pkt, at); err != nil {
					return err
				}
			}
			return c.send(ctx, pkt, at)
		}
	}
	if p.video != nil {
		g.Go(func() error { return p.video.run(ctx) })
		out.video = func(f *astiav.Frame) error { return send(ctx, p.video.in, f) }
		for _, b := range p.video.branches {
			g.Go(func() error { return b.run(ctx) })
		}
	}
	g.Go(func() error { // every stage that stops early stops the source
		err := p.src.run(srcCtx, out)
		if err == nil {
			err = out.flush()
		}
		for _, a := range p.audio {
			close(a.in)
		}
		for _, c := range p.copies {
			close(c.in)
		}
		if p.video != nil {
			close(p.video.in)
		}
		if errors.Is(err, errFinished) || errors.Is(err, context.Canceled) && ctx.Err() == nil {
			return nil
		}
		return err
	})
	g.Go(func() error { p.watchStages(srcCtx); stopSource(); return nil })
	err := g.Wait()
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case outer.Err() != nil:
		return outer.Err()
	case cause != nil && !errors.Is(cause, context.Canceled):
		err = cause // the first failure, not what followed from it
	}
	return fmt.Errorf("pipeline: %w", err)
}

// watchStages returns once every stage has ended or reached the stop.
func (p *Pipeline) watchStages(ctx context.Context) {
	var done []<-chan struct{}
	if p.video != nil {
		done = append(done, p.video.done)
	}
	for _, a := range p.audio {
		done = append(done, a.done)
	}
	for _, c := range p.copies {
		done = append(done, c.done)
	}
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return
		}
	}
}

func tee(a, b func(*astiav.Frame) error) func(*astiav.Frame) error {
	if a == nil {
		return b
	}
	return func(f *astiav.Frame) error {
		if err := a(f); err != nil {
			return err
		}
		return b(f)
	}
}

// send gives a stage its own reference of f.
func send(ctx context.Context, to chan<- *astiav.Frame, f *astiav.Frame) error {
	c := f.Clone()
	if c == nil {
		return errors.New("allocate frame")
	}
	select {
	case to <- c:
		return nil
	case <-ctx.Done():
		c.Free()
		return ctx.Err()
	}
}

func (p *Pipeline) build() error {
	var err error
	if p.video, err = newVideoStage(p); err != nil {
		return err
	}
	for _, r := range p.o.Spec.Renditions {
		if r.Audio == nil {
			continue
		}
		if last := lastTrack(*r.Audio); last >= len(p.facts.Audio) {
			return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("rendition %s wants audio track %d, the source has %d", r.Name, last, len(p.facts.Audio)), Advice: "the source changed since it was probed: submit the job again"}
		}
		if err := p.addAudio(r); err != nil {
			return err
		}
	}
	if p.video == nil && len(p.audio) == 0 && len(p.copies) == 0 {
		return &media.Error{Code: media.SourceError, Message: "no rendition of the ladder fits the source", Advice: "add a rung for what the source has"}
	}
	p.built.Store(true)
	return nil
}

func (p *Pipeline) addAudio(r ladders.Rendition) error {
	if r.Audio.Passthrough {
		c, err := newAudioCopy(p, r)
		if err == nil {
			p.copies = append(p.copies, c)
		}
		return err
	}
	a, err := newAudioStage(p, r)
	if err == nil {
		p.audio = append(p.audio, a)
	}
	return err
}

// say adds a sentence to the job's notes.
func (p *Pipeline) say(sentence string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.add(sentence)
}

// Status so far; safe to call at any time after Open.
func (p *Pipeline) Status() Status {
	st := p.src.stats()
	s := Status{Decoded: st.decoded + p.metered.Load(), Damaged: st.errors, Renditions: map[string]RenditionStatus{}}
	said := notes{}
	p.mu.Lock()
	own := slices.Clone(p.said.list)
	p.mu.Unlock()
	for _, n := range slices.Concat(p.facts.Notes, own, st.notes) {
		said.add(n)
	}
	if p.built.Load() {
		p.stages(&s, &said)
	}
	s.Notes = said.list
	return s
}

func (p *Pipeline) stages(s *Status, said *notes) {
	if p.video != nil {
		p.video.status(s)
	}
	for _, a := range p.audio {
		s.Renditions[a.name] = RenditionStatus{Frames: a.frames.Load()}
	}
	for _, c := range p.copies {
		c.notes(said)
		s.Renditions[c.name] = RenditionStatus{Frames: c.frames.Load()}
	}
}
