package libav

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
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

// Sheds is an Output that is told of segments which a rendition leaves out, because
// the machine cannot keep up.
type Sheds interface {
	Skip(ctx context.Context, rendition string, segment int64) error
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
	// Inputs, where there are any, are what Ring is for one: a live source that runs
	// by itself, and its backups in order of preference.
	Inputs []LiveInput
	// OnAir is the input to begin with. Order is the operator's newest, Obeyed the
	// newest one that was carried out before.
	OnAir  int
	Order  Order
	Obeyed int64
	// Known is what a live job that goes on knows from before.
	Known Known
}

// LiveInput is one of the inputs of a live job.
type LiveInput struct {
	Name string
	Ring OpenRing
	// Anchor is the newest that is recorded, nil before the first.
	Anchor *timeline.Anchor
	// Propose fixes it as Options.Propose does; may be nil.
	Propose func(context.Context, timeline.Anchor) (timeline.Anchor, error)
}

// Order is a wish of the operator: which input shall be on air. Numbers count up
// from 1; 0 is none.
type Order struct {
	Input  int
	Number int64
}

// Known is what can be known of a source that is away: what a probe found, and how
// far the grid was ahead of it. Facts is nil where nothing is.
type Known struct {
	Facts *Info
	Lag   time.Duration
}

// Pipeline is one decode to N renditions.
type Pipeline struct {
	o      Options
	first  int // of the inputs, which it begins with
	facts  Info
	src    source
	anchor timeline.Anchor
	lag    time.Duration
	video  *videoStage
	audio  []*audioStage
	copies []*audioCopy
	gpu    *gpu // nil without renditions that are encoded on one
	// built: the stages above are there for others to read.
	built atomic.Bool

	ends ends

	lifts   map[string]lift // of the renditions that ask for a loudness
	metered atomic.Int64    // frames heard to measure

	gauge gauge // of a live source

	cancel context.CancelCauseFunc // of a run

	mu      sync.Mutex
	stop    int64  // the first segment not to make
	stopped func() // where set, called by the first Stop
	edge    int64  // the highest segment that any stage has begun
	said    notes  // by the pipeline itself
	story   story  // likewise: what it did about its load
}

var errFinished = errors.New("finished at a segment boundary")

// Facts are what the probe found.
func (p *Pipeline) Facts() Info { return p.facts }

// Stop ends the pipeline at the next segment boundary that no stage has passed,
// so that all renditions end with the same segment. The first call counts.
func (p *Pipeline) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop == math.MaxInt64 {
		p.stop = max(p.edge, p.o.Spec.Grid.Segment(p.firstFrame())) + 1
		if p.stopped != nil {
			p.stopped()
		}
	}
}

// LastSegment is the one that a stop lets the pipeline finish; ok is false
// before one.
func (p *Pipeline) LastSegment() (number int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop - 1, p.stop != math.MaxInt64
}

// untilStop is ctx until Stop is called: errFinished then.
func (p *Pipeline) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = func() { cancel(errFinished) }
	if p.stop != math.MaxInt64 {
		p.stopped()
	}
	return ctx, func() { cancel(nil) }
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
	defer func() {
		if p.src != nil {
			p.src.close()
		}
		p.gpu.Close()
	}()
	if err := p.measureLoudness(ctx); err != nil {
		return ignoreFinished(err)
	}
	if p.src == nil {
		if err := p.openClip(ctx); err != nil {
			return err
		}
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
		out.hear(a.a, p.facts.Audio, func(f *astiav.Frame) error {
			return sendTo(ctx, a.in, f, func(f *astiav.Frame) heard { return heard{f: f} })
		})
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
		out.video = func(f *astiav.Frame) error {
			return sendTo(ctx, p.video.in, f, func(f *astiav.Frame) shot { return shot{f: f} })
		}
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
	if p.video != nil && p.o.Spec.Live {
		g.Go(func() error { p.govern(srcCtx); return nil })
	}
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
	return sendTo(ctx, to, f, func(f *astiav.Frame) *astiav.Frame { return f })
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
