package packager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
)

// Options of a Packager.
type Options struct {
	Spec media.Spec
	// Sinks are those of Spec.Outputs, in order.
	Sinks []media.Sink
	Log   *slog.Logger
	Now   func() time.Time
	// Events is called from several goroutines and must not block. May be nil.
	Events func(Event)
	// Lag is how far the source's own clock runs behind the grid, as its anchor
	// has it: a live segment is late against its source, not against the grid.
	Lag time.Duration
}

// Packager packages one assignment. It must be ended by Finish, Stop, Leave or
// Abort, each of which waits for its goroutines. Writes of one rendition come
// one after the other; different renditions may write at the same time.
type Packager struct {
	spec    media.Spec
	log     *slog.Logger
	now     func() time.Time
	events  func(Event)
	lag     time.Duration
	target  int
	window  int
	outputs []*output
	order   []*track
	tracks  map[string]*track

	ctx    context.Context
	cancel context.CancelCauseFunc
	group  sync.WaitGroup
	ending ending
	once   sync.Once
}

// ending is how the takers leave when their lanes are empty; it is set before
// the lanes are closed.
type ending struct{ endlist bool }

// ErrAborted is what Write returns after Abort.
var ErrAborted = errors.New("packager was aborted")

// New starts one lane per rendition and sink.
func New(o Options) (*Packager, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	p := &Packager{spec: o.Spec, log: o.Log, now: o.Now, events: o.Events, lag: o.Lag, tracks: map[string]*track{}}
	if p.events == nil {
		p.events = func(Event) {}
	}
	g := o.Spec.Grid
	p.target = hls.TargetFor(g.SegmentTicks(), g.Timescale)
	p.window = windowSegments(o.Spec.Window, p.segmentLength())
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	for i, s := range o.Sinks {
		p.outputs = append(p.outputs, &output{p: p, name: o.Spec.Outputs[i], sink: s})
	}
	for _, r := range o.Spec.Renditions {
		t := &track{p: p, rendition: r}
		p.tracks[r.Name], p.order = t, append(p.order, t)
		for _, out := range p.outputs {
			t.takers = append(t.takers, newTaker(t, out))
		}
	}
	p.start()
	return p, nil
}

func check(o Options) error {
	if len(o.Sinks) == 0 || len(o.Sinks) != len(o.Spec.Outputs) {
		return fmt.Errorf("packager: %d sinks for %d outputs; want one each", len(o.Sinks), len(o.Spec.Outputs))
	}
	if len(o.Spec.Renditions) == 0 || o.Log == nil || o.Now == nil {
		return errors.New("packager: renditions, a log and a clock are needed")
	}
	seen := map[string]bool{}
	for _, r := range o.Spec.Renditions {
		if seen[r.Name] || r.Name == "" {
			return fmt.Errorf("packager: rendition name %q is empty or used twice", r.Name)
		}
		seen[r.Name] = true
		// The frame size of audio is known later; any serves to check the grid.
		if _, err := newPace(o.Spec.Grid, r, 1024); err != nil {
			return fmt.Errorf("packager: %w", err)
		}
	}
	return nil
}

// leastWindow is what Apple's authoring rule 8.11 asks of a live playlist.
const leastWindow = 6

func windowSegments(window, segment time.Duration) int {
	return max(leastWindow, int((window+segment-1)/segment))
}

func (p *Packager) segmentLength() time.Duration {
	return p.spec.Grid.TimeOf(p.spec.Grid.FramesPerSegment())
}

func (p *Packager) start() {
	for _, t := range p.order {
		for _, k := range t.takers {
			p.group.Go(func() { k.run(p.ctx) })
		}
	}
}

// Init gives a rendition its decoder configuration, before its first packet or
// between two segments.
func (p *Packager) Init(rendition string, cfg media.CodecConfig) error {
	t, ok := p.tracks[rendition]
	if !ok {
		return fmt.Errorf("packager: no rendition %q in this assignment", rendition)
	}
	return t.configure(cfg)
}

// Write takes the next packet of a rendition in decode order. For a clip it
// waits while a sink is behind; for a live job it does not. An error is a
// *media.Error and ends the assignment.
func (p *Packager) Write(ctx context.Context, rendition string, pkt media.Packet) error {
	t, ok := p.tracks[rendition]
	if !ok {
		return fmt.Errorf("packager: no rendition %q in this assignment", rendition)
	}
	return t.write(ctx, pkt)
}

// Finish ends the job at the end of its source: the short last segments go
// out, every playlist ends, and a clip's multivariant playlist is written
// again with what was measured.
func (p *Packager) Finish(ctx context.Context) error {
	return p.end(ctx, ending{endlist: true}, true)
}

// Stop ends a live job that someone stopped: what is whole goes out and every
// playlist ends.
func (p *Packager) Stop(ctx context.Context) error {
	return p.end(ctx, ending{endlist: true}, false)
}

// Leave hands over at a segment boundary: what is whole goes out, and the
// playlists stay open for a successor.
func (p *Packager) Leave(ctx context.Context) error {
	defer p.Abort()
	p.close(ending{})
	return p.wait(ctx)
}

// Abort lets go at once. The playlists stay as they are.
func (p *Packager) Abort() {
	p.cancel(ErrAborted)
	p.close(ending{})
	p.group.Wait()
}

func (p *Packager) end(ctx context.Context, e ending, strict bool) error {
	defer p.Abort()
	var errs []error
	for _, t := range p.order {
		if err := t.flush(ctx, strict); err != nil {
			errs = append(errs, err)
		}
	}
	if err := firstFatal(errs); err != nil {
		return err
	}
	p.close(e)
	if err := p.wait(ctx); err != nil {
		return err
	}
	return p.conclude(ctx, strict)
}

// close lets nothing more in; the first call says how the takers end.
func (p *Packager) close(e ending) {
	p.once.Do(func() {
		p.ending = e
		for _, t := range p.order {
			for _, k := range t.takers {
				k.lane.Close()
			}
		}
	})
}

// wait is for the takers to empty their lanes and end their playlists.
func (p *Packager) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		p.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		p.cancel(context.Cause(ctx))
		<-done
		return sinkError(strings.Join(p.spec.Outputs, ", "), fmt.Errorf("not everything got through in time: %w", context.Cause(ctx)))
	}
	return p.verdict()
}

// verdict is the worst of what the takers ended with.
func (p *Packager) verdict() error {
	var fatal []error
	for _, t := range p.order {
		var errs []error
		for _, k := range t.takers {
			if k.err != nil {
				errs = append(errs, k.err)
			}
		}
		fatal = append(fatal, t.verdict(errs))
	}
	return firstFatal(fatal)
}

// conclude writes the measured multivariant playlist of a clip, and complains
// about what stayed empty.
func (p *Packager) conclude(ctx context.Context, finished bool) error {
	var empty int
	for _, t := range p.order {
		if t.takers[0].empty() {
			empty++
			p.log.Warn("rendition ended without a frame", "rendition", t.rendition.Name)
			p.events(Event{Kind: Empty, Rendition: t.rendition.Name, At: p.now(), Segment: -1})
		}
	}
	if finished && empty == len(p.order) {
		return &media.Error{Code: media.SourceError, Message: "no frame came out of the source for any rendition",
			Advice: "check the source with the probe: it may hold no decodable picture or sound"}
	}
	if p.spec.Live || !finished || !p.spec.WritesManifest {
		return nil
	}
	for _, out := range p.outputs {
		if err := out.putMaster(ctx, true); err != nil {
			return sinkError(out.name, err)
		}
	}
	return nil
}

func superseded(err error) bool { return errors.Is(err, media.ErrSuperseded) }
