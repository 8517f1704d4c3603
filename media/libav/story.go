package libav

import (
	"slices"
	"time"
)

// WorkerEvent is something that happened to a live job while it ran. Numbers count
// up from 1.
type WorkerEvent struct {
	Number              int64
	At                  time.Time
	Kind, Cause, Effect string
}

// SourceStatus is how the inputs of a live job are.
type SourceStatus struct {
	// Input is on air, or was last.
	Input int
	// Lapse tells that there is no programme; Slate, that the slate is shown.
	Lapse, Slate bool
	// Lag is how far the grid is ahead of what comes.
	Lag time.Duration
	// Obeyed is the operator's newest order that was carried out.
	Obeyed int64
	// Events are the newest, the oldest first.
	Events []WorkerEvent
}

// story is what happened to the inputs.
type story struct {
	events []WorkerEvent
	count  int64
	obeyed int64
}

// maxStory bounds what a source that comes and goes makes a worker remember.
const maxStory = 32

func (s *story) add(at time.Time, kind, cause, effect string) {
	s.count++
	s.events = append(s.events, WorkerEvent{s.count, at, kind, cause, effect})
	if extra := len(s.events) - maxStory; extra > 0 {
		s.events = slices.Delete(s.events, 0, extra)
	}
}

// status is nil before the desk has looked.
func (d *desk) status() *SourceStatus {
	seen := d.seen.Load()
	if seen == nil {
		return nil
	}
	st := seen.status
	return &st
}

func (p *Pipeline) desk() *desk {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, _ := p.src.(*desk)
	return d
}

// Switch puts an input on air as soon as it can be. An order that is older than
// another does nothing.
func (p *Pipeline) Switch(o Order) {
	d := p.desk()
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.Number > d.order.Number && o.Input >= 0 && o.Input < len(d.inputs) {
		d.order = o
	}
}
