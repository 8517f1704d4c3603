package libav

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// desk is the source of a live job whose inputs run by themselves. It decodes the
// one that is on air and listens to the others. Where nothing comes it goes on in
// real time: the last picture stands and sound is silence, then the slate is
// shown, until this input or another one has pictures for the frames that come
// next. Everything it hands on is on one clock, that of the job's first anchor.
//
// A grid frame is given once: what comes for one that was filled is dropped.
type desk struct {
	p      *Pipeline
	log    *slog.Logger
	now    func() time.Time
	loss   media.Loss
	inputs []*deskInput
	out    sinks
	first  *feed // opened before the run
	ended  chan *feed
	opened chan *feed
	work   *errgroup.Group

	mu     sync.Mutex
	active *deskInput // on air now, or last
	air    *feed      // nil while nothing is
	coming *feed      // its pictures are not here yet
	busy   time.Time  // since when one is being opened; zero: none is
	warm   bool       // one is being made ready
	next   int64      // the grid frame after the newest that was given
	// sending counts what was admitted and is on its way to a stage; sent tells of
	// each that has got there.
	sending int
	sent    *sync.Cond
	began   time.Time
	// looked is when the desk looked last, excused when it last had not for long:
	// what it did not hear then is no loss.
	looked, excused time.Time

	missed int64 // up to here what the input on air lacks is filled
	filled int64 // up to here nothing is taken from a feed any more
	lag    time.Duration
	gone   gone
	order  Order // the operator's newest
	story  story
	// switches from one input to another so far.
	switches int

	// seen is how it was when the desk last looked: who asks need not wait for
	// stages that have much to do.
	seen    atomic.Pointer[seen]
	late    atomic.Int64
	decoded atomic.Int64 // by feeds that ended
	damaged atomic.Int64
	notesMu sync.Mutex
	notes   notes
}

// deskInput is one of the job's inputs.
type deskInput struct {
	LiveInput
	index int
	ear   *ear

	opening   sync.Mutex // for what follows
	anchor    *timeline.Anchor
	facts     *Info
	described []ring.Stream
	// Under the desk's mutex.
	notBefore time.Time // after a failure to open or decode it
	faulty    time.Time // until then, for what it showed
	failures  int
	ready     bool // it was prepared
}

func (in *deskInput) name() string { return media.InputName(in.index) }

// seen is a snapshot.
type seen struct {
	status   SourceStatus
	feeds    [2]*feed
	switches int // from one input to another so far
}

// gone is a lapse: since when nothing comes, and what was done about it.
type gone struct {
	since  time.Time // zero: there is none
	cause  string
	first  int64 // the first grid frame that was filled, -1 for none
	slated bool
}

func newDesk(p *Pipeline) *desk {
	d := &desk{p: p, log: p.o.Log, now: p.o.Now, loss: p.o.Spec.Loss.Or(), ended: make(chan *feed), opened: make(chan *feed),
		next: p.firstFrame(), filled: math.MinInt64, gone: gone{first: -1}}
	d.sent = sync.NewCond(&d.mu)
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for i, in := range p.inputs() {
		listed := strings.HasPrefix(in.Name, "http:") || strings.HasPrefix(in.Name, "https:")
		d.inputs = append(d.inputs, &deskInput{LiveInput: in, index: i, ear: newEar(in.Ring, listed, d.loss.After), anchor: in.Anchor})
	}
	d.active = d.inputs[min(p.o.OnAir, len(d.inputs)-1)]
	d.order, d.story.obeyed = p.o.Order, p.o.Obeyed
	d.lag = p.lag
	return d
}

// inputs of the job, the source first.
func (p *Pipeline) inputs() []LiveInput {
	if len(p.o.Inputs) > 0 {
		return p.o.Inputs
	}
	return []LiveInput{{Name: p.o.Spec.Input, Ring: p.o.Ring, Anchor: p.o.Spec.Anchor, Propose: p.o.Propose}}
}

func (d *desk) info() Info { return d.p.facts }

func (d *desk) stats() sourceStats {
	st := sourceStats{decoded: d.decoded.Load(), errors: d.damaged.Load()}
	if seen := d.seen.Load(); seen != nil {
		for _, f := range seen.feeds {
			if f == nil || f.summed.Load() {
				continue
			}
			s := f.src.stats()
			st.decoded, st.errors, st.notes = st.decoded+s.decoded, st.errors+s.errors, append(st.notes, s.notes...)
		}
	}
	d.notesMu.Lock()
	defer d.notesMu.Unlock()
	st.notes = append(append([]string(nil), d.notes.list...), st.notes...)
	return st
}

func (d *desk) note(sentences ...string) {
	d.notesMu.Lock()
	defer d.notesMu.Unlock()
	for _, s := range sentences {
		d.notes.add(s)
	}
}

func (d *desk) close() {
	if d.first != nil {
		d.first.src.close()
	}
}

// deskTick is how often the desk looks around.
const deskTick = 20 * time.Millisecond

// starved is how late a look may be before the host, and not the source, is to blame.
const starved = 10 * deskTick

func (d *desk) run(ctx context.Context, out sinks) error {
	d.out = out
	d.work, ctx = errgroup.WithContext(ctx)
	for _, in := range d.inputs {
		d.work.Go(func() error { return in.ear.run(ctx) })
	}
	if f := d.first; f != nil {
		d.first = nil
		d.mu.Lock()
		f.opened, f.initial, d.coming = d.now(), true, f
		d.mu.Unlock()
		d.start(ctx, f)
	}
	d.began = d.now()
	d.work.Go(func() error { return d.direct(ctx) })
	return d.work.Wait()
}

func (d *desk) direct(ctx context.Context) error {
	tick := time.NewTicker(deskTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-d.ended:
			if err := d.over(f); err != nil {
				return err
			}
		case f := <-d.opened:
			d.came(ctx, f)
		case <-tick.C:
		}
		if err := d.look(ctx); err != nil {
			return err
		}
	}
}

// start decodes a feed until it ends.
func (d *desk) start(ctx context.Context, f *feed) {
	ctx, f.cancel = context.WithCancel(ctx)
	d.work.Go(func() error {
		defer f.cancel()
		if f.abort != nil {
			defer f.abort()
		}
		f.src.d.ring.follow()
		f.err = f.src.run(ctx, f.sinks(ctx, d))
		d.sum(f)
		f.src.close()
		select {
		case d.ended <- f:
		case <-ctx.Done():
			// The desk has let go of it, or ends.
			d.mu.Lock()
			f.drop()
			d.mu.Unlock()
		}
		return nil
	})
}

// sum adds up what a feed did.
func (d *desk) sum(f *feed) {
	st := f.src.stats()
	f.summed.Store(true)
	d.decoded.Add(st.decoded)
	d.damaged.Add(st.errors)
	d.note(st.notes...)
}

// over: a feed has ended, whose last pictures are through.
func (d *desk) over(f *feed) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.drop()
	switch f {
	case d.air:
		d.air = nil
		if f.err != nil {
			d.failed(f.in, nil)
		}
		if d.coming != nil { // what is filled waits for it
			d.lag = max(d.lag, d.lagOf(d.coming))
		}
		why := fmt.Sprintf("nothing came from %s for %v", f.in.label(), f.in.ear.patience().Round(10*time.Millisecond))
		if f.err != nil {
			why = fmt.Sprintf("%s broke off: %v", f.in.label(), f.err)
		}
		d.lose(f.in.lastHeard(d.now()), why)
	case d.coming:
		d.coming = nil
		d.failed(f.in, f.err)
		if d.air == nil {
			d.lose(f.in.lastHeard(d.now()), fmt.Sprintf("nothing came from %s", f.in.label()))
		}
	}
	return nil
}

// label is an input as sentences name it.
func (in *deskInput) label() string { return in.name() + " (" + input.Display(in.Name) + ")" }

func (in *deskInput) lastHeard(now time.Time) time.Time {
	if at := in.ear.heard(); !at.IsZero() && at.Before(now) {
		return at
	}
	return now
}

// failed: an input that has packets gave no pictures. It is tried again later.
func (d *desk) failed(in *deskInput, err error) {
	in.failures = min(in.failures+1, 5)
	in.notBefore = d.now().Add(time.Duration(in.failures) * time.Second)
	if err != nil {
		d.note(fmt.Sprintf("%s could not be decoded: %v", in.label(), err))
		d.log.Warn("input not decoded", "input", in.name(), "error", err)
	}
}

// lose begins a lapse; mu is held, or nothing runs yet.
func (d *desk) lose(since time.Time, cause string) {
	if !d.gone.since.IsZero() {
		return
	}
	d.gone = gone{since: since, cause: cause, first: -1}
	d.log.Warn("source lost", "input", d.active.name(), "cause", cause)
	d.story.add(d.now(), "source_lost", cause, "the last picture stands")
}

// look is the desk's look around.
func (d *desk) look(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if now.Sub(d.looked) > starved {
		d.excused = now
	}
	d.looked = now
	d.watch(now)
	d.retire(now)
	if to, cause := d.choose(now); to != nil && d.coming == nil && d.busy.IsZero() {
		d.fetch(ctx, to, cause)
	}
	d.follow(ctx)
	d.show()
	return d.fill(ctx, now)
}

// show takes the snapshot; mu is held.
func (d *desk) show() {
	d.seen.Store(&seen{feeds: [2]*feed{d.air, d.coming}, switches: d.switches, status: SourceStatus{
		Input: d.active.index, Lapse: d.gone.first >= 0, Slate: d.gone.slated, Lag: d.lag, Obeyed: d.story.obeyed, Events: slices.Clone(d.story.events),
	}})
}

// follow keeps up with what is on air, and makes the others ready: their anchors
// are recorded before they are needed.
func (d *desk) follow(ctx context.Context) {
	if d.air == nil {
		return
	}
	if edge, ok := d.air.in.ear.edge(); ok {
		d.lag = aheadOf(d.air.anchor, edge, d.p.o.Spec.Grid)
	}
	if d.warm || d.next < d.p.firstFrame()+d.p.o.Spec.Grid.FrameAt(time.Second) {
		return
	}
	for _, in := range d.inputs {
		if edge, ok := in.ear.edge(); ok && in != d.active && !in.ready {
			in.ready, d.warm = true, true
			lag, next := d.lag, d.next
			d.work.Go(func() error {
				d.prepare(ctx, in, edge, lag, next)
				d.mu.Lock()
				defer d.mu.Unlock()
				d.warm = false
				return nil
			})
			return
		}
	}
}
