package libav

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"

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
}

// Pipeline is one decode to N renditions.
type Pipeline struct {
	o      Options
	facts  Info
	src    source
	anchor timeline.Anchor
	video  *videoStage
	audio  []*audioStage

	ends ends

	cancel context.CancelCauseFunc // of a run

	mu   sync.Mutex
	stop int64 // the first segment not to make
	edge int64 // the highest segment that any stage has begun
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
	if p.facts, err = Probe(ctx, o.Spec.Input, o.Rules); err != nil {
		return nil, err
	}
	if err := p.openSource(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Lag is how far a live source's clock runs behind its place on the grid.
func (p *Pipeline) Lag() time.Duration {
	if !p.o.Spec.Live {
		return 0
	}
	wall := time.Duration(timeline.Rescale(p.anchor.Source, p.anchor.Base, microseconds)) * time.Microsecond
	return wall - p.o.Spec.Grid.TimeOf(p.anchor.Frame)
}

// Facts are what the probe found.
func (p *Pipeline) Facts() Info { return p.facts }

func (p *Pipeline) openSource(ctx context.Context) error {
	pace := pacer{now: p.o.Now, live: p.o.Spec.Live}
	if strings.HasPrefix(p.o.Spec.Input, input.TestCard) {
		spec, err := parseCard(p.o.Spec.Input)
		if err != nil {
			return err
		}
		c := &cardSource{spec: spec, pace: pace}
		p.src = c
		if !p.o.Spec.Live {
			if spec.frames == 0 {
				return badCard(p.o.Spec.Input, "a clip needs a duration")
			}
			p.anchor = timeline.Anchor{Generation: 1, Base: spec.base(), Frame: 0}
			return nil
		}
		spec.frames = 0
		now := timeline.Rescale(p.o.Now().UnixMicro(), microseconds, spec.base())
		if err := p.fix(ctx, now, spec.base()); err != nil {
			return err
		}
		// A little before the join, so that the audio encoder has its run-up.
		early := timeline.Rescale(runUp, microseconds, spec.base())
		c.spec.frames, c.first = 0, max(p.wanted()-early, p.anchor.Source)
		return nil
	}
	s, err := openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pace)
	if err != nil {
		return err
	}
	p.src = s
	if !p.o.Spec.Live {
		p.anchor = vodAnchor(p.facts, p.o.Spec.Grid)
		return nil
	}
	return p.openLoop(ctx, s)
}

// openLoop puts a file on the wall clock.
func (p *Pipeline) openLoop(ctx context.Context, s *fileSource) error {
	once, err := openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pacer{})
	if err != nil {
		return err
	}
	defer once.close()
	l, err := measure(ctx, once)
	if err != nil {
		return err
	}
	if err := p.fix(ctx, timeline.Rescale(p.o.Now().UnixMicro(), microseconds, l.base), l.base); err != nil {
		return err
	}
	l.start = p.anchor.Source
	l.wanted = p.wanted()
	s.loop = l
	return nil
}

// fix settles the anchor: the job's, or the one that the scheduler makes of
// ours. Ours puts the first frame on the segment boundary at or before now.
func (p *Pipeline) fix(ctx context.Context, source int64, base timeline.Timebase) error {
	if p.o.Spec.Anchor != nil {
		p.anchor = *p.o.Spec.Anchor
		return nil
	}
	g := p.o.Spec.Grid
	n := g.FirstFrame(g.Segment(g.FrameAt(time.Duration(p.o.Now().UnixNano()))))
	p.anchor = timeline.Anchor{Generation: 1, Source: source, Base: base, Frame: n}
	if p.o.Propose == nil {
		return nil
	}
	var err error
	p.anchor, err = p.o.Propose(ctx, p.anchor)
	return err
}

// firstFrame is the first grid frame that is encoded.
func (p *Pipeline) firstFrame() int64 {
	g := p.o.Spec.Grid
	if p.o.Spec.Resume {
		return g.FirstFrame(p.o.Spec.FirstSegment)
	}
	if p.o.Spec.Live {
		return p.anchor.Frame
	}
	return 0
}

// wanted is the source time of the first frame that is encoded.
func (p *Pipeline) wanted() int64 { return p.anchor.Time(p.firstFrame(), p.o.Spec.Grid.Rate) }

// vodAnchor puts the first picture, or an audio track that begins earlier, at
// frame 0. Nothing that decodes is cut off: a lead is covered by the first picture.
func vodAnchor(facts Info, g timeline.Grid) timeline.Anchor {
	v := facts.BestVideo()
	if v == nil {
		a := facts.Audio[0]
		return timeline.Anchor{Generation: 1, Source: a.First, Base: a.Base}
	}
	anchor := timeline.Anchor{Generation: 1, Source: v.First, Base: v.Base}
	for _, a := range facts.Audio {
		// How many frames this track leads the picture.
		lead := -anchor.Nearest(timeline.Rescale(a.First, a.Base, v.Base), g.Rate)
		anchor.Frame = max(anchor.Frame, min(lead+anchor.Frame, maxLead(g)))
	}
	return anchor
}

// maxLead bounds how long the first picture is held: longer leads are damage.
func maxLead(g timeline.Grid) int64 { return g.FrameAt(30 * time.Second) }

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
	if err := p.build(); err != nil {
		return err
	}
	outer := ctx
	ctx, p.cancel = context.WithCancelCause(ctx)
	defer p.cancel(nil)
	g, ctx := errgroup.WithContext(ctx)
	srcCtx, stopSource := context.WithCancel(ctx)
	defer stopSource()
	out := sinks{audio: make([]func(*astiav.Frame) error, len(p.facts.Audio))}
	p.ends = newEnds(p)
	for _, a := range p.audio {
		g.Go(func() error { return a.run(ctx) })
		prev := out.audio[a.track]
		out.audio[a.track] = tee(prev, func(f *astiav.Frame) error { return send(ctx, a.in, f) })
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
		for _, a := range p.audio {
			close(a.in)
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
		if r.Audio.Track >= len(p.facts.Audio) {
			return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("rendition %s wants audio track %d, the source has %d", r.Name, r.Audio.Track, len(p.facts.Audio)), Advice: "the source changed since it was probed: submit the job again"}
		}
		a, err := newAudioStage(p, r)
		if err != nil {
			return err
		}
		p.audio = append(p.audio, a)
	}
	if p.video == nil && len(p.audio) == 0 {
		return &media.Error{Code: media.SourceError, Message: "no rendition of the ladder fits the source", Advice: "add a rung for what the source has"}
	}
	return nil
}

// Status so far; safe to call at any time after Open.
func (p *Pipeline) Status() Status {
	st := p.src.stats()
	s := Status{Decoded: st.decoded, Damaged: st.errors, Renditions: map[string]RenditionStatus{}}
	said := notes{}
	for _, n := range append(append([]string(nil), p.facts.Notes...), st.notes...) {
		said.add(n)
	}
	s.Notes = said.list
	if p.video != nil {
		p.video.status(&s)
	}
	for _, a := range p.audio {
		s.Renditions[a.name] = RenditionStatus{Frames: a.frames.Load()}
	}
	return s
}
