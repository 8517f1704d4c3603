package libav

import (
	"fmt"
	"time"
)

// watch sees whether what is on air has stopped coming.
func (d *desk) watch(now time.Time) {
	for _, f := range []*feed{d.air, d.coming} {
		if f == nil {
			continue
		}
		silent := now.Sub(latest(latest(f.in.ear.heard(), f.opened), d.excused))
		f.ending = silent > f.in.ear.patience()
		f.src.d.ring.ending.Store(f.ending)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// alive tells an input that could be shown.
func (d *desk) alive(in *deskInput, now time.Time) bool {
	return d.signal(in, now) && !now.Before(in.faulty)
}

// signal tells one that an operator may choose, whatever it showed before.
func (d *desk) signal(in *deskInput, now time.Time) bool {
	_, key := in.ear.edge()
	return key && now.Sub(in.ear.heard()) <= in.ear.patience() && !now.Before(in.notBefore)
}

// How long a feed may take: to have pictures for the frames that are next, while
// the one before it still runs, or when another could be tried.
const (
	overlap = 1500 * time.Millisecond
	attempt = 5 * time.Second
)

// nothingShown is how long the first feed of a worker may decode nothing.
const nothingShown = 10 * time.Second

var errNothingShown = fmt.Errorf("nothing was decoded for %v", nothingShown)

// retire lets go of what has had its time.
func (d *desk) retire(now time.Time) {
	f := d.coming
	if f == nil {
		return
	}
	if f.initial {
		if now.Sub(latest(latest(f.opened, time.Unix(0, f.shown.Load())), d.excused)) > nothingShown {
			d.letGo(f)
			d.coming = nil
			d.failed(f.in, errNothingShown)
			d.lose(now, f.in.label()+" sends what does not decode")
		}
		return
	}
	if d.air != nil && !f.near.IsZero() && now.Sub(f.near) > overlap {
		d.letGo(d.air) // the other runs behind it
		d.air = nil
		d.lag = max(d.lag, d.lagOf(f))
		d.gone = gone{since: now, cause: f.cause, first: -1}
	}
	if now.Sub(f.opened) > attempt && d.other(f.in, now) != nil {
		d.letGo(f)
		d.coming = nil
		d.failed(f.in, nil)
	}
}

// letGo ends a feed whose pictures are not wanted any more.
func (d *desk) letGo(f *feed) {
	f.drop()
	f.cancel()
}

// other is the best input that could be shown beside one.
func (d *desk) other(than *deskInput, now time.Time) *deskInput {
	for _, in := range d.inputs {
		if in != than && d.alive(in, now) {
			return in
		}
	}
	return nil
}

// choose is the input to go to, and why; nil to leave it as it is.
func (d *desk) choose(now time.Time) (*deskInput, string) {
	lost := d.air == nil || d.air.ending
	wanted := d.inputs[d.order.Input]
	switch {
	case d.order.Number > d.story.obeyed && wanted == d.active && !lost:
		d.story.obeyed = d.order.Number
		return nil, ""
	case d.order.Number > d.story.obeyed && d.signal(wanted, now):
		return wanted, "the operator asked"
	case !lost && d.air.fault != "":
		return d.leaveFaulty(now)
	case !lost:
		ordered := d.order.Number > 0 && d.inputs[d.order.Input] == d.active
		if home := d.inputs[0]; d.loss.Return > 0 && !ordered && d.active != home && d.alive(home, now) && now.Sub(home.ear.steadySince()) >= d.loss.Return {
			return home, fmt.Sprintf("%s has been healthy for %v", home.name(), d.loss.Return)
		}
		return nil, ""
	}
	if d.air == nil && (d.alive(d.active, now) || d.signal(d.active, now) && d.other(d.active, now) == nil) {
		return d.active, "it is back"
	}
	if d.gone.since.IsZero() && d.air == nil && d.coming == nil && d.busy.IsZero() {
		if now.Sub(d.began) < firstSign {
			return nil, ""
		}
		d.lose(now.Add(-d.loss.Slate), "nothing has come since this worker began")
	}
	if in := d.other(d.active, now); in != nil {
		return in, ""
	}
	return nil, ""
}

// leaveFaulty goes to another input because of what this one shows. Where there is
// none it stays, and is looked at anew.
func (d *desk) leaveFaulty(now time.Time) (*deskInput, string) {
	fault, in := d.air.fault, d.other(d.active, now)
	if in == nil {
		if !d.air.alone {
			d.air.alone = true
			d.story.add(now, "input_faulty", fault, "no other input has a signal: it stays on air")
		}
		d.air.fault, d.air.judge = "", judge{loss: d.loss}
		return nil, ""
	}
	if d.coming == nil && d.busy.IsZero() {
		d.active.failures = min(d.active.failures+1, 10)
		d.active.faulty = now.Add(time.Duration(d.active.failures) * faultyFor)
	}
	return in, fault
}

// faultyFor is how long an input is not chosen again after it showed nothing worth
// seeing: only decoding could tell whether it does now.
const faultyFor = 30 * time.Second

// firstSign is how long a worker that goes on waits for the input that was on air
// before it tries others, or goes on without.
const firstSign = 700 * time.Millisecond
