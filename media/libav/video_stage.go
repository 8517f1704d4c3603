package libav

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/timeline"
)

// videoStage puts decoded pictures on the grid and hands each to the branches
// that show it. Gaps are filled with the picture before; what falls on a taken
// index is dropped.
type videoStage struct {
	p        *Pipeline
	in       chan shot
	done     chan struct{}
	base     timeline.Timebase // of what comes in
	anchor   timeline.Anchor   // in the base of what is placed
	grid     timeline.Grid
	placer   timeline.Placer
	pre      *preFilter
	burn     *burner
	branches []*branch // that are scaled from the source
	views    map[ladders.Range]*view
	last     *astiav.Frame // the picture shown at next-1, or before first
	lastAt   int64         // its time, in the anchor's base
	captions captions.Channels
	ended    bool  // the source came to its own end
	next     int64 // the grid frame to fill next
	until    int64 // when the source's last picture ends, in base

	doubled, dropped, position atomic.Int64
}

// videoFrames is how many decoded pictures may wait; few, as in a branch.
const videoFrames = 1

func newVideoStage(p *Pipeline) (*videoStage, error) {
	v := p.facts.BestVideo()
	spec := p.o.Spec
	s := &videoStage{p: p, in: make(chan shot, videoFrames), done: make(chan struct{}), grid: spec.Grid, next: p.firstFrame()}
	s.views = map[ladders.Range]*view{}
	for _, r := range spec.Renditions {
		if r.Video == nil {
			continue
		}
		if v == nil {
			return nil, &media.Error{Code: media.SourceError, Message: "rendition " + r.Name + " wants video, the source has none", Advice: "the source changed since it was probed: submit the job again"}
		}
		enc, err := newVideoEncoder(r.Name, *r.Video, spec.Grid, spec.Live)
		if err != nil {
			return nil, err
		}
		if err := s.equip(enc); err != nil {
			return nil, err
		}
		view := s.view(*r.Video)
		if enc.gpu != nil && view.up == nil {
			view.up = newLifter(enc.gpu)
		}
		s.branch(branchKey{r.Video.Width, r.Video.Height, r.Video.Divisor, enc.format, ladders.Range(r.Video.Range.String()), r.Video.Scaler.Or(), r.Video.ScaledFrom, enc.gpu != nil}, view).add(enc)
	}
	if len(s.branches) == 0 {
		return nil, nil
	}
	var err error
	if s.burn, err = newBurner(spec, s.asked()); err != nil {
		return nil, err
	}
	s.base = v.Base
	s.pre = newPreFilter(*v, s.asked(), spec.Grid.Rate)
	s.anchor = p.anchor
	s.anchor.Base = s.pre.base(s.base)
	s.anchor.Source = timeline.Rescale(p.anchor.Source, p.anchor.Base, s.anchor.Base)
	s.placer = timeline.Placer{Anchor: s.anchor, Rate: spec.Grid.Rate}
	return s, nil
}

// equip gives an encoder of a GPU the worker's device, which the first one opens.
func (s *videoStage) equip(e *videoEncoder) (err error) {
	if !e.row.GPU {
		return nil
	}
	if s.p.gpu == nil {
		if s.p.gpu, err = openGPU(); err != nil {
			return err
		}
	}
	return e.on(s.p.gpu)
}

// asked is what the ladder wants done to pictures; all renditions say the same.
func (s *videoStage) asked() *ladders.Picture {
	for _, r := range s.p.o.Spec.Renditions {
		if r.Video != nil {
			return r.Video.Picture
		}
	}
	return nil
}

// view is the one of a rendition's range.
func (s *videoStage) view(v ladders.Video) *view {
	r := ladders.Range(v.Range.String())
	if s.views[r] == nil {
		s.views[r] = newView(r)
	}
	s.views[r].add(v)
	return s.views[r]
}

func (s *videoStage) run(ctx context.Context) error {
	defer s.close()
	tell := sync.OnceFunc(func() { s.p.ends.at(framesUS(s.next, s.grid)) })
	defer tell()
	for x := range s.in {
		if x.f == nil {
			if err := s.without(ctx, x); err != nil {
				return s.drainInput(err)
			}
			continue
		}
		f := x.f
		if d := frameDuration(f); d > 0 && timeline.Rescale(d, s.base, microseconds) < maxJump {
			s.until = max(s.until, f.Pts()+d)
		}
		lookOf(f).put(f)
		s.caption(f)
		err := s.pre.push(f, s.base, func(f *astiav.Frame) error { return s.place(ctx, f) })
		f.Free()
		if err != nil {
			return s.drainInput(err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.pre.push(nil, s.base, func(f *astiav.Frame) error { return s.place(ctx, f) }); err != nil {
		return ignoreFinished(err)
	}
	if err := s.stay(ctx); err != nil {
		return ignoreFinished(err)
	}
	s.ended = true
	tell()
	if s.p.o.Spec.Live || s.last == nil {
		return nil
	}
	return ignoreFinished(s.hold(ctx))
}

// stay shows the last picture for as long as the source does.
func (s *videoStage) stay(ctx context.Context) error {
	if s.last == nil {
		return nil
	}
	return s.fill(ctx, s.p.anchor.Nearest(s.until, s.grid.Rate))
}

// hold shows the last picture until the longest track ends. Less than a frame
// of each kind is left alone: tracks never end on the same tick.
func (s *videoStage) hold(ctx context.Context) error {
	end, err := s.p.ends.wait(ctx)
	if err != nil {
		return err
	}
	if end-framesUS(s.next, s.grid) > framesUS(1, s.grid)+s.p.shortestSound() {
		if err := s.fill(ctx, timeline.Rescale(end, microseconds, frameBase(s.grid.Rate))); err != nil {
			return err
		}
	}
	return s.fill(ctx, s.wholeFor(s.next))
}

// shortestSound is the shortest audio frame of all renditions in µs, 0 without any.
func (p *Pipeline) shortestSound() int64 {
	shortest := int64(0)
	note := func(g timeline.AudioGrid) {
		if us := samplesUS(g.FrameSize, g); shortest == 0 || us < shortest {
			shortest = us
		}
	}
	for _, a := range p.audio {
		note(a.grid)
	}
	for _, c := range p.copies {
		note(c.grid)
	}
	return shortest
}

// wholeFor is the first grid frame from n on that is a whole number of frames of
// every rung: all end on the same tick, at whatever rate.
func (s *videoStage) wholeFor(n int64) int64 {
	for slices.ContainsFunc(s.all(), func(b *branch) bool { return n%b.divisor != 0 }) {
		n++
	}
	return n
}

// drainInput frees what is still coming after the stop or a failure, so that
// the source is not held up while audio goes on to the boundary.
func (s *videoStage) drainInput(err error) error {
	s.finish()
	if err = ignoreFinished(err); err != nil {
		_ = s.p.failed(err)
	}
	for x := range s.in {
		x.free()
	}
	return err
}

func (s *videoStage) finish() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// place gives one picture its index and fills what was skipped before it.
func (s *videoStage) place(ctx context.Context, f *astiav.Frame) error {
	n, ok := s.placer.Place(f.Pts())
	s.position.Store(f.Pts())
	if !ok {
		s.dropped.Add(1)
		return nil
	}
	if n < s.next && s.next > s.p.firstFrame() {
		s.dropped.Add(1) // it comes too late: its place was filled
		return nil
	}
	if n < s.next {
		s.keep(f) // before the first wanted frame: only there to fill a gap
		for _, b := range s.branches {
			b.captions.Drop(f.Pts())
		}
		return nil
	}
	if s.last == nil {
		s.keep(f) // a gap before the first picture shows that picture
	}
	if err := s.fill(ctx, n); err != nil {
		return err
	}
	s.keep(f)
	if err := s.emit(ctx, n); err != nil {
		return err
	}
	s.next = n + 1
	return nil
}

func (s *videoStage) keep(f *astiav.Frame) {
	if s.last != nil {
		s.last.Free()
	}
	s.last, s.lastAt = f.Clone(), f.Pts()
	s.burn.forget()
	s.forgetViews()
}

func (s *videoStage) forgetViews() {
	for _, v := range s.views {
		v.forget()
	}
}

// shown is the kept picture as frame n shows it.
func (s *videoStage) shown(n int64) (*astiav.Frame, error) {
	f, fresh, err := s.burn.of(s.last, n)
	if fresh {
		s.forgetViews()
	}
	return f, err
}

// fill repeats the picture before up to frame n.
func (s *videoStage) fill(ctx context.Context, n int64) error {
	for ; s.next < n; s.next++ {
		s.doubled.Add(1)
		if err := s.emit(ctx, s.next); err != nil {
			return err
		}
	}
	return nil
}

// caption takes the captions off a picture before filters and doubling can copy
// them; every branch deals them out again at its own rate.
func (s *videoStage) caption(f *astiav.Frame) {
	ts := captions.Triplets(takeA53(f))
	if len(ts) == 0 {
		return
	}
	at := timeline.Rescale(f.Pts(), s.base, s.anchor.Base)
	for _, b := range s.branches {
		b.captions.Put(at, ts)
	}
	if out, ok := s.p.o.Output.(Captioned); ok && s.captions.See(ts) {
		out.Captions(s.captions.List())
	}
}

// emit hands the kept picture to every branch as frame n.
func (s *videoStage) emit(ctx context.Context, n int64) error {
	if !s.p.at(s.grid.Segment(n)) {
		return errFinished
	}
	for _, b := range s.branches {
		if n%b.divisor != 0 {
			continue
		}
		f, err := s.shown(n)
		if err == nil {
			f, err = b.view.of(f)
		}
		if err == nil && b.wantsLifted(f) {
			f, err = b.view.onGPU(f)
		}
		if err != nil {
			return err
		}
		c := f.Clone()
		if c == nil {
			return fmt.Errorf("allocate frame")
		}
		c.SetPts(n)
		ts := b.captions.Take(s.lastAt)
		if b.dealt = len(ts); !setA53(c, captions.Bytes(ts)) {
			c.Free()
			return fmt.Errorf("allocate captions")
		}
		select {
		case b.in <- c:
		case <-ctx.Done():
			c.Free()
			return ctx.Err()
		}
	}
	return nil
}

func (s *videoStage) close() {
	s.finish()
	for _, b := range s.branches {
		close(b.in)
	}
	if s.last != nil {
		s.last.Free()
		s.last = nil
	}
	for _, v := range s.views {
		v.close()
	}
	s.burn.close()
	s.pre.Close()
}

func (s *videoStage) status(st *Status) {
	st.Doubled, st.Dropped = s.doubled.Load(), s.dropped.Load()
	st.SourceUS = timeline.Rescale(s.position.Load()-s.anchor.Source, s.anchor.Base, microseconds)
	for _, b := range s.all() {
		for _, e := range b.encoders {
			st.Renditions[e.enc.name] = RenditionStatus{Frames: e.frames.Load()}
		}
	}
}
