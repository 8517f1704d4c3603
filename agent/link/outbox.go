package link

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Bounds of what waits for a scheduler. Status and anchors are one per run, so
// only what outlives a run needs a bound of its own.
const (
	maxOutcomes  = 1024
	maxRuns      = 1024
	maxProposals = 1024
	maxProbes    = 512
)

// Outbox holds what the scheduler has to learn. Statuses overwrite each other,
// which is how a slow link coalesces them; outcomes, proposals and probe
// results stay until they are acknowledged.
type Outbox struct {
	log   *slog.Logger
	ready chan struct{} // poked when something urgent waits

	mu        sync.Mutex
	statuses  map[run]*letter // newest of each run
	outcomes  []*letter
	proposals []*letter
	probes    []*letter
	telemetry *galav1.Telemetry
	offers    []*galav1.DeviceOffer // nil: told
}

type run struct {
	assignment string
	epoch      uint64
}

// letter is one message and how far it got: sent is the sequence of the beat
// that acknowledges it, 0 while it waits.
type letter struct {
	run     run
	message *galav1.AttachRequest
	sent    uint64
	strikes int // streams that a scheduler ended for something that was sent
}

// NewOutbox is empty.
func NewOutbox(log *slog.Logger) *Outbox {
	return &Outbox{log: log, ready: make(chan struct{}, 1), statuses: map[run]*letter{}}
}

// Report takes the status of a run, or its outcome, after which nothing more
// is said of it.
func (o *Outbox) Report(r *galav1.AssignmentReport) {
	l := &letter{
		run:     run{r.GetAssignment(), r.GetEpoch()},
		message: &galav1.AttachRequest{Message: &galav1.AttachRequest_Report{Report: r}},
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.GetOutcome() == nil {
		if len(o.statuses) < maxRuns || o.statuses[l.run] != nil {
			o.statuses[l.run] = l
		}
		return
	}
	delete(o.statuses, l.run)
	o.proposals = slices.DeleteFunc(o.proposals, func(p *letter) bool { return p.run == l.run })
	o.outcomes = o.put(o.outcomes, l, maxOutcomes)
}

// Propose takes an anchor proposal; a run has one.
func (o *Outbox) Propose(p *galav1.AnchorProposal) {
	l := &letter{
		run:     run{p.GetAssignment(), p.GetEpoch()},
		message: &galav1.AttachRequest{Message: &galav1.AttachRequest_Anchor{Anchor: p}},
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proposals = slices.DeleteFunc(o.proposals, func(p *letter) bool { return p.run == l.run })
	o.proposals = o.put(o.proposals, l, maxProposals)
}

// Probed takes the answer to a probe request.
func (o *Outbox) Probed(r *galav1.ProbeResult) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.probes = o.put(o.probes, &letter{message: &galav1.AttachRequest{Message: &galav1.AttachRequest_Probe{Probe: r}}}, maxProbes)
}

// Telemetry is only ever the newest, and never sent twice.
func (o *Outbox) Telemetry(t *galav1.Telemetry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.telemetry = t
}

// Offers are all that the host offers now: only the newest are ever told. They
// stay until they are sent, over streams too: a Hello may be older.
func (o *Outbox) Offers(all []*galav1.DeviceOffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.offers = all
	poke(o.ready)
}

// put drops the oldest past a bound; mu is held.
func (o *Outbox) put(list []*letter, l *letter, most int) []*letter {
	if len(list) >= most {
		o.log.Warn("dropped what no scheduler took in time", "message", list[0].message.String())
		list = list[1:]
	}
	poke(o.ready)
	return append(list, l)
}

// poke wakes whoever waits, once for any number of pokes.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// decided ends the proposals of an assignment.
func (o *Outbox) decided(assignment string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proposals = slices.DeleteFunc(o.proposals, func(p *letter) bool { return p.run.assignment == assignment })
}

// reopen makes everything wait again that was not acknowledged on the last
// stream, and every status: the next scheduler may have lost its memory.
func (o *Outbox) reopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range o.lists() {
		for _, l := range list {
			l.sent = 0
		}
	}
	for _, l := range o.statuses {
		l.sent = 0
	}
	o.telemetry = nil
}

// maxStrikes: something that a scheduler refuses this often is dropped, lest it
// end every stream for ever.
const maxStrikes = 3

// refused blames everything that was under way when a scheduler ended a stream
// for an invalid message; gRPC does not say which.
func (o *Outbox) refused() {
	o.mu.Lock()
	defer o.mu.Unlock()
	strike := func(l *letter) bool {
		if l.sent != 0 {
			l.strikes++
		}
		if l.strikes >= maxStrikes {
			o.log.Error("dropped what schedulers refuse", "message", l.message.String())
		}
		return l.strikes >= maxStrikes
	}
	o.outcomes = slices.DeleteFunc(o.outcomes, strike)
	o.proposals = slices.DeleteFunc(o.proposals, strike)
	o.probes = slices.DeleteFunc(o.probes, strike)
	maps.DeleteFunc(o.statuses, func(_ run, l *letter) bool { return strike(l) })
}

func (o *Outbox) lists() [][]*letter { return [][]*letter{o.outcomes, o.proposals, o.probes} }

// urgent are the waiting messages that should not wait for the next flush, now
// regarded as sent before the beat with sequence seq.
func (o *Outbox) urgent(seq uint64) (out []*galav1.AttachRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range o.lists() {
		for _, l := range list {
			out = l.send(out, seq)
		}
	}
	if o.offers != nil {
		out = append(out, &galav1.AttachRequest{Message: &galav1.AttachRequest_Offers{Offers: &galav1.DeviceOffers{Devices: o.offers}}})
		o.offers = nil
	}
	return out
}

// routine is the newest status of every run that has a new one, and telemetry.
func (o *Outbox) routine(seq uint64) (out []*galav1.AttachRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.statuses {
		out = l.send(out, seq)
	}
	if o.telemetry != nil {
		out = append(out, &galav1.AttachRequest{Message: &galav1.AttachRequest_Telemetry{Telemetry: o.telemetry}})
		o.telemetry = nil
	}
	return out
}

func (l *letter) send(out []*galav1.AttachRequest, seq uint64) []*galav1.AttachRequest {
	if l.sent != 0 {
		return out
	}
	l.sent = seq
	return append(out, l.message)
}

// acknowledge forgets what was sent before the beat seq, and returns the
// outcomes among it. Proposals stay until they are decided.
func (o *Outbox) acknowledge(seq uint64) (delivered []run) {
	o.mu.Lock()
	defer o.mu.Unlock()
	acked := func(l *letter) bool { return l.sent != 0 && l.sent <= seq }
	for _, l := range o.outcomes {
		if acked(l) {
			delivered = append(delivered, l.run)
		}
	}
	o.outcomes = slices.DeleteFunc(o.outcomes, acked)
	o.probes = slices.DeleteFunc(o.probes, acked)
	return delivered
}

// owes says whether an outcome still waits to be acknowledged.
func (o *Outbox) owes() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.outcomes) > 0
}
