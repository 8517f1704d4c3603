package libav

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// onAir tells whether a feed is.
func (d *desk) onAir(f *feed) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.air == f
}

// frameOf is the grid frame nearest to a time of the job's clock.
func (d *desk) frameOf(t int64, base timeline.Timebase) int64 {
	return d.p.anchor.Nearest(timeline.Rescale(t, base, d.p.anchor.Base), d.p.o.Spec.Grid.Rate)
}

// picture takes one of a feed's, on the job's clock.
func (d *desk) picture(ctx context.Context, f *feed, fr *astiav.Frame) error {
	base := d.p.facts.BestVideo().Base
	if ok, err := d.admit(ctx, f, d.frameOf(fr.Pts(), base)); !ok || err != nil {
		return err
	}
	defer d.passed()
	d.judged(f, func() string { return f.judge.picture(fr, timeline.Rescale(fr.Pts(), base, microseconds)) })
	return d.out.video(fr)
}

// judged notes what is wrong with what a feed shows.
func (d *desk) judged(f *feed, look func() string) {
	if l := d.loss; l.Black == 0 && l.Freeze == 0 && l.Silence == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if wrong := look(); wrong != "" && d.air == f && f.fault == "" {
		f.fault = f.in.label() + ": " + wrong
	}
}

// admit tells whether a feed's picture, or what leads it where there are none, is
// shown as frame n: passed is called when it is. The first one that is brings its
// feed on air, when what was admitted before is with the stage: it belongs before
// the cut.
func (d *desk) admit(ctx context.Context, f *feed, n int64) (bool, error) {
	f.shown.Store(d.now().UnixNano())
	d.mu.Lock()
	defer d.mu.Unlock()
	f.latest = max(f.latest, n)
	for f == d.coming && d.sending > 0 && (n >= d.next || d.early(f)) {
		d.sent.Wait()
	}
	switch f {
	case d.air:
		if n < d.filled {
			d.late.Add(1)
			return false, nil
		}
	case d.coming:
		if n < d.next && !d.early(f) {
			if d.gone.first >= 0 && n >= d.gone.first {
				d.late.Add(1) // its place was filled
			}
			d.nears(f, n)
			return false, nil
		}
		if err := d.takeOver(ctx, f, n); err != nil {
			return false, err
		}
	default:
		return false, nil // another took over
	}
	d.next = max(d.next, n+1)
	d.sending++
	return true, nil
}

// passed: what was admitted is with the stage, or nowhere any more.
func (d *desk) passed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sending--
	d.sent.Broadcast()
}

// early: pictures before the first wanted one are for the stage to keep, as long
// as it has none.
func (d *desk) early(f *feed) bool { return f.initial && d.gone.first < 0 }

// nears notes when a feed has come close to what is wanted.
func (d *desk) nears(f *feed, n int64) {
	behind := time.Second + max(0, d.lagOf(f)-d.lag) // it may come later than what is on air
	if f.near.IsZero() && n >= d.next-d.p.o.Spec.Grid.FrameAt(behind) {
		f.near = d.now()
	}
}

// lagOf is how far the grid is ahead of what a feed gives; that in force where it
// is not known.
func (d *desk) lagOf(f *feed) time.Duration {
	edge, ok := f.in.ear.edge()
	if !ok {
		return d.lag
	}
	return aheadOf(f.anchor, edge, d.p.o.Spec.Grid)
}

// takeOver brings a feed on air from frame n on.
func (d *desk) takeOver(ctx context.Context, f *feed, n int64) error {
	unheld := d.air == nil
	if !unheld {
		d.letGo(d.air)
	}
	before := d.active
	d.air, d.coming, d.active = f, nil, f.in
	f.in.failures = 0
	d.story.obeyed = max(d.story.obeyed, f.asked)
	if edge, ok := f.in.ear.edge(); ok {
		d.lag = aheadOf(f.anchor, edge, d.p.o.Spec.Grid)
	}
	if unheld && d.p.o.Spec.Resume && d.gone.first < 0 {
		d.p.mark(false, d.next, "") // where the one before left a lapse open
	}
	d.tell(before, f, n)
	if !f.initial || d.gone.first >= 0 {
		if err := d.p.cut(ctx, f.facts.BestVideo()); err != nil {
			return err
		}
	}
	d.gone = gone{first: -1}
	for _, h := range f.sound {
		if err := h.give(h.f); err != nil {
			return err
		}
	}
	from := timeline.Rescale(d.p.anchor.Time(n, d.p.o.Spec.Grid.Rate), d.p.anchor.Base, microseconds)
	for _, w := range f.words {
		if f.initial || w.until > from {
			if err := w.give(); err != nil {
				return err
			}
		}
	}
	f.drop()
	return nil
}

// tell records that a feed came on air.
func (d *desk) tell(before *deskInput, f *feed, n int64) {
	now := d.now()
	lapse := "without a lapse"
	if d.gone.first >= 0 {
		us := framesUS(n-d.gone.first, d.p.o.Spec.Grid)
		lapse = fmt.Sprintf("%d frames (%.2f s) were filled", n-d.gone.first, float64(us)/1e6)
		d.p.mark(false, n, d.gone.cause)
	}
	switch {
	case before != f.in:
		d.switches++
		d.log.Info("input switched", "from", before.name(), "to", f.in.name(), "cause", f.cause, "frame", n)
		d.story.add(now, "input_switched", f.cause, fmt.Sprintf("%s is on air from frame %d; %s", f.in.label(), n, lapse))
	case !d.gone.since.IsZero():
		d.log.Info("source back", "input", f.in.name(), "frame", n)
		d.story.add(now, "source_back", f.in.label()+" has pictures again", fmt.Sprintf("programme from frame %d; %s", n, lapse))
	}
	f.cause = ""
}

// heldMostSound bounds the sound that waits for a picture.
const heldMostSound = 1000

// text takes a cue that ends at a time of the job's clock, in µs.
func (d *desk) text(f *feed, until int64, give func() error) error {
	d.mu.Lock()
	if f != d.air {
		defer d.mu.Unlock()
		if f == d.coming && len(f.words) < heldMostSound {
			f.words = append(f.words, heldText{until, give})
		}
		return nil
	}
	d.mu.Unlock()
	return give()
}

// sound takes a frame of audio track i.
func (d *desk) sound(ctx context.Context, f *feed, i int, fr *astiav.Frame, give func(*astiav.Frame) error) error {
	base := d.p.facts.Audio[i].Base
	f.spoke[i].Store(d.now().UnixNano())
	if d.out.video == nil || f.facts.BestVideo() == nil { // it leads
		if ok, err := d.admit(ctx, f, d.frameOf(fr.Pts(), base)); !ok || err != nil {
			return err
		}
		defer d.passed()
	}
	d.mu.Lock()
	if f != d.air {
		defer d.mu.Unlock()
		if f != d.coming || d.frameOf(fr.Pts(), base) < d.filled-1 && !d.early(f) {
			return nil
		}
		c := fr.Clone()
		if c == nil {
			return errors.New("allocate frame")
		}
		f.sound = append(f.sound, heldSound{c, give})
		if len(f.sound) > heldMostSound {
			f.sound[0].f.Free()
			f.sound = f.sound[1:]
		}
		return nil
	}
	d.mu.Unlock()
	d.judged(f, func() string { return f.judge.sound(i, fr, base) })
	return give(fr)
}

// fill goes on without pictures, at the last moment at which one could have come.
func (d *desk) fill(ctx context.Context, now time.Time) error {
	due := d.due(now)
	if d.air != nil {
		return d.fillMissing(ctx, now, due)
	}
	if d.gone.since.IsZero() || due <= d.next || d.waits(now) {
		return nil
	}
	if d.gone.first < 0 {
		d.gone.first = d.next
		d.p.mark(true, d.next, d.gone.cause)
	}
	if !d.gone.slated && now.Sub(d.gone.since) >= d.loss.Slate {
		d.gone.slated = true
		d.story.add(now, "slate_on", d.gone.cause, fmt.Sprintf("the slate is shown from frame %d", d.next))
		d.log.Warn("slate on", "frame", d.next)
		if err := d.p.slate(ctx); err != nil {
			return err
		}
	}
	d.next, d.filled = due, due
	return d.p.holdUntil(ctx, due, func(int) bool { return true }, true)
}

// due is the grid frame whose picture would have had to come by now.
func (d *desk) due(now time.Time) int64 {
	patience := d.active.ear.patience()
	if d.coming != nil {
		patience = max(patience, d.coming.in.ear.patience())
	}
	at := time.Duration(now.UnixNano()) - d.lag - patience
	return d.p.o.Spec.Grid.FrameAt(at)
}

// How long frames may be late for an input that is being opened, so that it shows
// them itself; and how long the first feed of a worker may show nothing, which
// decodes its way to what was missed.
const (
	openPatience = time.Second
	showPatience = 300 * time.Millisecond
	firstShow    = 2 * time.Second
)

// waits: what is being opened will have the frames that are due.
func (d *desk) waits(now time.Time) bool {
	f := d.coming
	switch {
	case f == nil:
		return !d.busy.IsZero() && now.Sub(d.busy) < openPatience && !d.gone.slated && d.gone.first < 0
	case f.initial:
		return !f.ending && now.Sub(latest(f.opened, time.Unix(0, f.shown.Load()))) < firstShow
	case !f.near.IsZero():
		return now.Sub(f.near) < overlap
	case d.gone.slated:
		return false
	}
	return now.Sub(f.opened) < openPatience || now.Sub(f.opened) < 3*openPatience && now.Sub(time.Unix(0, f.shown.Load())) < showPatience
}

// fillMissing goes on for what the input on air does not have, or gives no more.
func (d *desk) fillMissing(ctx context.Context, now time.Time, due int64) error {
	f := d.air
	if d.next >= due {
		f.initial = false // it has caught up
	}
	if due <= d.missed || now.Sub(d.excused) < laneLapse || f.initial && d.next < due-d.p.o.Spec.Grid.FrameAt(laneLapse+time.Second) {
		return nil // it catches up
	}
	leads := d.out.video != nil && f.facts.BestVideo() != nil
	stands := leads && due > d.next && f.lacks(&f.shown, now)
	used := func(track int) bool { return d.out.audio[track] != nil || d.out.packets[track] != nil }
	missing := func(track int) bool {
		return used(track) && (track >= len(f.facts.Audio) || f.lacks(&f.spoke[track], now))
	}
	none, gone := leads && !stands || d.out.video == nil, stands
	for i := range d.out.audio {
		none, gone = none && !missing(i), gone || i < len(f.facts.Audio) && missing(i)
	}
	if none {
		f.mute = false
		return nil
	}
	if gone && !f.mute {
		f.mute = true
		d.story.add(now, "input_incomplete", f.in.label()+" gives no pictures, or no sound of a track", "the last picture stands, silence stands for the sound")
	}
	d.missed = due
	if stands {
		d.next, d.filled = due, due
	}
	return d.p.holdUntil(ctx, due, missing, !leads || stands)
}
