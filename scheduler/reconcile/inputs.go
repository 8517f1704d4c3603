package reconcile

import (
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// inputs takes over what a worker tells of a live job's inputs, and tells it what
// the operator wants.
func (r run) inputs(pl job.Placement, l *fleet.Lease) {
	if l.Status.Source.Told {
		r.keepSource(l.Epoch, l.Status.Source)
	}
	order := r.job.Inputs.Order
	if order.Number > r.r.OnScreen.Obeyed && l.Ordered < order.Number && l.Outcome == nil && l.Told {
		r.trace("switch %s to input %d", pl.Assignment, order.Input)
		r.send(Send{Agent: pl.Agent, Switch: &Switch{Assignment: pl.Assignment, Epoch: pl.Epoch, Order: order}})
	}
}

// keepSource writes down what changed: events once each, the lag seldom.
func (r run) keepSource(epoch uint64, s fleet.InputState) {
	have := &r.r.OnScreen
	r.happened(epoch, s.Events, &have.Event)
	if have.Input != s.Input || s.Obeyed > have.Obeyed {
		have.Input, have.Obeyed = s.Input, max(have.Obeyed, s.Obeyed)
		r.changed()
	}
	if moved := have.LagUS - s.LagUS; max(moved, -moved) > lagStep {
		have.LagUS = s.LagUS
		r.changed()
	}
}

// lagStep is how far the lag may move before it is written down, in µs.
const lagStep = 200_000

// happened records events of a worker once each.
func (r run) happened(epoch uint64, events []fleet.WorkerEvent, newest *int64) {
	have := &r.r.OnScreen
	if epoch > have.Epoch {
		have.Epoch, have.Event, have.Own = epoch, 0, 0
	}
	for _, e := range events {
		if epoch == have.Epoch && e.Number > *newest {
			*newest = e.Number
			r.recordAt(e.At, e.Kind, e.Cause, e.Effect)
		}
	}
}
