package libav

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// branch scales to one size, once, for all renditions of that size, rate and
// pixel format, and for the branches that are scaled from its pictures.
type branch struct {
	branchKey
	stage      *videoStage
	view       *view
	in         chan *astiav.Frame
	scale      *graph
	scaledFrom string             // geometry that scale was built for
	gpu        *gpu               // that its encoders are on; nil: the processor
	up         *lifter            // of pictures that were scaled by the processor
	graphs     map[string]*graph  // that scale on the GPU, by what comes
	encoders   []*encoderFeed     // none where only others need its pictures
	smaller    []*branch          // get its pictures in place of the source's
	captions   *captions.Dealer   // of the stage, until in is closed; nil for a smaller one, whose pictures have theirs
	dealt      int                // captions of the last frame, likewise
	rest       []captions.Triplet // what is left when in is closed
}

type branchKey struct {
	width, height int
	divisor       int64
	format        string
	shows         ladders.Range
	scaler        ladders.Scaler
	from          ladders.Size // of the branch that it is scaled from; zero: the source
	onGPU         bool
}

// larger is the key of the branch that k is scaled from.
func (k branchKey) larger() branchKey {
	k.width, k.height, k.from = k.from.W, k.from.H, ladders.Size{}
	return k
}

type encoderFeed struct {
	enc    *videoEncoder
	in     chan *astiav.Frame
	frames atomic.Int64
	ease   atomic.Int32 // an encoders.Ease, from the next segment on

	mu   sync.Mutex
	naps []nap
}

// Pictures waiting before a scaler and before an encoder: as few as keep both
// busy. Every one more is memory, and a picture that has left the cache when
// its turn comes.
const scaleQueue, encodeQueue = 1, 2

// branch is the one of a key; the one that it is scaled from comes with it.
func (s *videoStage) branch(k branchKey, v *view) *branch {
	for _, b := range s.all() {
		if b.branchKey == k {
			return b
		}
	}
	b := &branch{branchKey: k, stage: s, view: v, in: make(chan *astiav.Frame, scaleQueue)}
	if k.onGPU {
		b.gpu, b.up, b.graphs = s.p.gpu, newLifter(s.p.gpu), map[string]*graph{}
	}
	if k.from == (ladders.Size{}) {
		b.captions = captions.NewDealer(s.grid.Rate.Div(k.divisor))
		s.branches = append(s.branches, b)
		return b
	}
	larger := s.branch(k.larger(), v)
	larger.smaller = append(larger.smaller, b)
	return b
}

// all are the stage's branches and those that are scaled from them.
func (s *videoStage) all() (all []*branch) {
	for _, b := range s.branches {
		all = append(append(all, b), b.smaller...)
	}
	return all
}

func (b *branch) add(e *videoEncoder) {
	b.encoders = append(b.encoders, &encoderFeed{enc: e, in: make(chan *astiav.Frame, encodeQueue)})
}

func (b *branch) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range b.encoders {
		g.Go(func() error { return b.encodeLoop(ctx, e) })
	}
	for _, c := range b.smaller {
		g.Go(func() error { return c.run(ctx) })
	}
	g.Go(func() error { return b.scaleLoop(ctx) })
	return g.Wait()
}

func (b *branch) scaleLoop(ctx context.Context) (err error) {
	defer func() {
		for f := range b.in { // after a failure: let the stage go on to see it
			f.Free()
		}
		if b.captions != nil && b.stage.ended {
			b.rest = b.captions.Rest(b.dealt)
		}
		for _, c := range b.smaller {
			c.rest = b.rest
			close(c.in)
		}
		for _, e := range b.encoders {
			close(e.in)
		}
		b.closeScale()
	}()
	for f := range b.in {
		give := func(out *astiav.Frame) error { return b.fan(ctx, out, f.Pts()) }
		if b.asleep(f.Pts()) {
			err = give(f) // for the encoders to count
		} else {
			err = b.scaled(f, give)
		}
		f.Free()
		if err != nil {
			return b.stage.p.failed(err)
		}
	}
	return nil
}

func (b *branch) fan(ctx context.Context, f *astiav.Frame, n int64) error {
	f.SetPts(n)
	for _, e := range b.encoders {
		if err := send(ctx, e.in, f); err != nil {
			return err
		}
	}
	for _, c := range b.smaller {
		if err := send(ctx, c.in, f); err != nil {
			return err
		}
	}
	return nil
}

// asleep tells whether no encoder wants frame n, here or further on.
func (b *branch) asleep(n int64) bool {
	return !slices.ContainsFunc(b.encoders, func(e *encoderFeed) bool { return !e.asleep(n) }) &&
		!slices.ContainsFunc(b.smaller, func(c *branch) bool { return !c.asleep(n) })
}

func (b *branch) closeScale() {
	if b.scale != nil {
		b.scale.Close()
	}
	b.closeGraphs()
	b.up.Close()
}

// scaled brings a picture to the branch's size and format, in limited range, and
// into the memory where its encoders want it.
func (b *branch) scaled(f *astiav.Frame, emit func(*astiav.Frame) error) error {
	switch {
	case b.gpu == nil:
		return b.scaledHere(f, emit)
	case poolOf(f) != 0:
		return b.scaledOnGPU(f, emit)
	}
	return b.scaledHere(f, func(out *astiav.Frame) error {
		up, err := b.up.lift(out, b.format, b.scaler)
		if err != nil {
			return err
		}
		defer up.Free()
		return emit(up)
	})
}

// wantsLifted tells whether a picture is to be scaled on the GPU. Bars are laid
// around it by the processor.
func (b *branch) wantsLifted(f *astiav.Frame) bool {
	return b.gpu != nil && !otherShape(f, b.width, b.height)
}

// scaledHere scales on the processor. Fewer bits are dithered by the scaler.
func (b *branch) scaledHere(f *astiav.Frame, emit func(*astiav.Frame) error) error {
	if f.Width() == b.width && f.Height() == b.height && b.plain(f) {
		return emit(f)
	}
	key := geometry(f)
	if b.scaledFrom != key {
		if b.scale != nil {
			b.scale.Close()
		}
		var err error
		b.scale, err = newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, b.chain(f), 1)
		if err != nil {
			b.scale, b.scaledFrom = nil, ""
			return &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("scale %s to %dx%d", key, b.width, b.height), Err: err, Advice: "the source's picture format is not supported: convert it to 4:2:0"}
		}
		b.scaledFrom = key
	}
	return b.scale.push(f, emit)
}

// plain tells pictures that an encoder takes as they are.
func (b *branch) plain(f *astiav.Frame) bool {
	sar := f.SampleAspectRatio()
	return f.PixelFormat().Name() == b.format && f.ColorRange() != astiav.ColorRangeJpeg &&
		(sar.Num() == 0 || sar.Num() == sar.Den())
}

func geometry(f *astiav.Frame) string {
	return fmt.Sprintf("%dx%d %s %v %v %v", f.Width(), f.Height(), f.PixelFormat(), f.SampleAspectRatio(), f.ColorRange(), f.ColorSpace())
}

// chain is scaling; where the picture's shape is another than the rendition's
// (a source that changes in mid-stream), bars keep it true.
func (b *branch) chain(f *astiav.Frame) string {
	w, h, pad := int64(b.width), int64(b.height), ""
	if otherShape(f, b.width, b.height) {
		w, h = b.inside(f)
		pad = fmt.Sprintf(",pad=%d:%d:-1:-1", b.width, b.height)
	}
	return fmt.Sprintf("%s%s,format=%s,setsar=1", scaling(f, w, h, b.scaler, b.format), pad, b.format)
}

// shape is the picture's display size.
func shape(f *astiav.Frame) (w, h int64) {
	w, h = int64(f.Width()), int64(f.Height())
	if sar := f.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 {
		w, h = w*int64(sar.Num()), h*int64(sar.Den())
	}
	return w, h
}

// otherShape: more than 4 % off, and more than rounding to even explains.
func otherShape(f *astiav.Frame, width, height int) bool {
	w, h := shape(f)
	left, right := w*int64(height), h*int64(width)
	diff := max(left-right, right-left)
	return diff*25 > max(left, right) && diff > 4*max(w, h)
}

// inside is the largest even size of the picture's shape within the branch's.
func (b *branch) inside(f *astiav.Frame) (int64, int64) {
	sw, sh := shape(f)
	w, h := int64(b.width), int64(b.height)
	if sw*h > sh*w {
		h = max(2, w*sh/sw&^1)
	} else {
		w = max(2, h*sw/sh&^1)
	}
	return w, h
}

func (b *branch) encodeLoop(ctx context.Context, e *encoderFeed) (err error) {
	out := b.stage.p.o.Output
	defer func() {
		for f := range e.in {
			f.Free()
		}
		e.enc.Close()
	}()
	write := func(p media.Packet) error {
		e.frames.Add(1)
		return out.Write(ctx, e.enc.name, p)
	}
	for f := range e.in {
		if e.asleep(f.Pts()) {
			err = b.pass(ctx, e, f.Pts(), write)
		} else {
			err = b.encode(e, f, write)
		}
		f.Free()
		if err != nil {
			return b.stage.p.failed(err)
		}
	}
	if ctx.Err() != nil || e.enc.cc == nil {
		return ctx.Err()
	}
	e.enc.captionLast(b.rest)
	return e.enc.encode(nil, 0, write)
}

// encode takes one picture; an encoder that is not open is opened by it.
func (b *branch) encode(e *encoderFeed, f *astiav.Frame, write func(media.Packet) error) error {
	n := f.Pts()
	if e.enc.cc != nil && b.first(n) {
		if err := e.enc.change(encoders.Ease(e.ease.Load()), f, n, write); err != nil {
			return err
		}
	}
	if e.enc.cc == nil {
		if to := encoders.Ease(e.ease.Load()); to == encoders.Full || to != e.enc.refused {
			e.enc.ease = to
		}
		if err := e.enc.open(f, n); err != nil {
			return err
		}
		if e.enc.spared != "" {
			b.stage.p.say(fmt.Sprintf("rendition %s is encoded without %s: %s says to have that, and refuses it", e.enc.name, e.enc.spared, e.enc.gpu.model))
		}
		if err := b.stage.p.o.Output.Init(e.enc.name, e.enc.config); err != nil {
			return err
		}
	}
	return e.enc.encode(f, n, write)
}

// first tells the first frame of a segment.
func (b *branch) first(n int64) bool {
	return n == b.stage.grid.FirstFrame(b.stage.grid.Segment(n))
}

// pass leaves frame n out. What the encoder holds comes first; each segment that
// is over is told.
func (b *branch) pass(ctx context.Context, e *encoderFeed, n int64, write func(media.Packet) error) error {
	if e.enc.cc != nil {
		if err := e.enc.finish(write); err != nil {
			return err
		}
	}
	if grid := b.stage.grid; grid.Segment(n+b.divisor) > grid.Segment(n) {
		if out, ok := b.stage.p.o.Output.(Sheds); ok {
			return out.Skip(ctx, e.enc.name, grid.Segment(n))
		}
	}
	return nil
}
