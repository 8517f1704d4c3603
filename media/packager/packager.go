package packager

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

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/keys"
)

// Options of a Packager.
type Options struct {
	Spec media.Spec
	// Sinks are those of Spec.Outputs, in order.
	Sinks []media.Sink
	// Above are the trees of the job at the same outputs, written without an epoch;
	// of a replica only (Spec.Replica).
	Above []media.Sink
	Log   *slog.Logger
	Now   func() time.Time
	// Events is called from several goroutines and must not block. May be nil.
	Events func(Event)
	// Lag is how far the source's own clock runs behind the grid, as its anchor
	// has it: a live segment is late against its source, not against the grid.
	Lag time.Duration
	// Stills decodes for thumbnails; without it there are none.
	Stills Stills
	// Keys encrypt what Spec.Protection says; needed then, else not looked at.
	Keys keys.Set
	// Scratch is a directory for files that are put together before they are
	// put; the system's own when empty.
	Scratch string
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
	began   time.Time
	target  int
	window  int
	outputs []*output
	order   []*track
	tracks  map[string]*track
	leader  *track // by which subtitles are cut
	held    []span // that they are still to be cut for; under the leader's lock
	stills  Stills
	scratch string
	sheets  *sheets // of thumbnails, when they are made
	lapses  lapses
	// finishing counts what was done after the last segment.
	finishing atomic.Int64

	ctx    context.Context
	cancel context.CancelCauseFunc
	group  sync.WaitGroup
	unions sync.WaitGroup
	ending ending
	once   sync.Once
	// endAt is the last segment of a live job, once that is known.
	endAt atomic.Int64

	mu  sync.Mutex
	met []string // caption channels
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
	p := &Packager{spec: o.Spec, log: o.Log, now: o.Now, events: o.Events, lag: o.Lag, stills: o.Stills, scratch: o.Scratch, tracks: map[string]*track{}}
	p.began = p.now()
	p.endAt.Store(math.MaxInt64)
	p.lapses.grid = o.Spec.Grid
	if o.Spec.Protection != nil {
		p.stills = nil // pictures in the clear beside encrypted ones
	}
	if p.events == nil {
		p.events = func(Event) {}
	}
	g := o.Spec.Grid
	p.target = hls.TargetFor(g.SegmentTicks(), g.Timescale)
	p.window = windowSegments(o.Spec.Window, p.segmentLength())
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	for i, s := range o.Sinks {
		out := &output{p: p, name: address.Public(o.Spec.Outputs[i]), index: i, sink: s}
		if len(o.Above) > 0 {
			out.union = newUnion(p, out, o.Above[i])
		}
		p.outputs = append(p.outputs, out)
	}
	for _, r := range o.Spec.Renditions {
		t := &track{p: p, rendition: r}
		t.newest.Store(-1)
		var err error
		if t.lock, err = lockFor(o, r); err != nil {
			return nil, err
		}
		p.tracks[r.Name], p.order = t, append(p.order, t)
		for _, out := range p.outputs {
			t.takers = append(t.takers, newTaker(t, out))
		}
	}
	p.leader = lead(p.order)
	if err := p.boxText(); err != nil {
		return nil, err
	}
	p.start()
	return p, nil
}

func check(o Options) error {
	if len(o.Sinks) == 0 || len(o.Sinks) != len(o.Spec.Outputs) {
		return fmt.Errorf("packager: %d sinks for %d outputs; want one each", len(o.Sinks), len(o.Spec.Outputs))
	}
	if replica := o.Spec.Replica > 0; replica != (len(o.Above) > 0) || replica && len(o.Above) != len(o.Sinks) {
		return fmt.Errorf("packager: replica %d with %d trees above %d outputs", o.Spec.Replica, len(o.Above), len(o.Sinks))
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
		if r.Text != nil {
			continue
		}
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
	for _, out := range p.outputs {
		if out.union != nil {
			p.unions.Go(func() { out.union.run(p.ctx) })
		}
		var running sync.WaitGroup
		for _, k := range out.takers() {
			running.Add(1)
			p.group.Go(func() {
				defer running.Done()
				k.run(p.ctx)
			})
		}
		p.group.Go(func() {
			running.Wait()
			out.whole.Store(!slices.ContainsFunc(out.takers(), func(k *taker) bool { return k.err != nil }))
		})
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

// EndAt tells a live job's last segment before its last frame comes: it is
// branded as such.
func (p *Packager) EndAt(segment int64) { p.endAt.Store(segment) }

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
