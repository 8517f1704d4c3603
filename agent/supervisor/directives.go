package supervisor

import (
	"cmp"
	"fmt"
	"slices"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Start runs an assignment. The same one again changes nothing; a higher epoch
// supersedes what is held here, a lower one is refused.
func (s *Supervisor) Start(a *galav1.Assignment) {
	dir, err := runDirOf(s.dir, a)
	r := newRun(&s.env, dir, a, s.log)
	if err == nil {
		err = s.hold(r)
	}
	if err != nil {
		s.env.reports.Report(r.newReport(nil, refusal(err)))
	}
}

// hold enters a run; an error is why it cannot.
func (s *Supervisor) hold(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[keyOf(r.spec)] != nil {
		return nil
	}
	if s.closed {
		return fmt.Errorf("agent: %w", errClosing)
	}
	if len(s.runs) >= s.env.limits.Runs {
		return fmt.Errorf("%w: %d", errFull, len(s.runs))
	}
	for _, other := range s.epochsOf(r.spec.GetId()) {
		if other.spec.GetEpoch() > r.spec.GetEpoch() {
			return fmt.Errorf("%w: epoch %d", errSuperseded, other.spec.GetEpoch())
		}
		other.request(newStop(causeSuperseded, fmt.Sprintf("epoch %d was placed on this agent", r.spec.GetEpoch())))
	}
	s.runs[keyOf(r.spec)] = r
	if s.launch != nil {
		s.launch(r)
	}
	return nil
}

// epochsOf are the runs of one assignment; mu is held.
func (s *Supervisor) epochsOf(assignment string) (found []*run) {
	for k, r := range s.runs {
		if k.assignment == assignment {
			found = append(found, r)
		}
	}
	return found
}

// Stop obeys a directive whose epoch is not below the lease's.
func (s *Supervisor) Stop(d *galav1.StopAssignment) {
	s.mu.Lock()
	found := s.epochsOf(d.GetAssignment())
	s.mu.Unlock()
	for _, r := range found {
		if r.spec.GetEpoch() <= d.GetEpoch() {
			r.request(newStop(causeOf(d.GetMode()), d.GetReason()))
		}
	}
	if len(found) == 0 {
		s.recall(d)
	}
}

// recall answers a stop of something that is not held: with its outcome if it
// is known, so that the asker need not wait for one.
func (s *Supervisor) recall(d *galav1.StopAssignment) {
	a := &galav1.Assignment{Id: d.GetAssignment(), Epoch: d.GetEpoch()}
	o := outcome(galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false, "this agent does not hold the assignment", "")
	if dir, err := runDirOf(s.dir, a); err == nil {
		if spec, err := dir.assignment(); err == nil {
			a = spec
		}
		if known, err := dir.outcome(); err == nil {
			o = known
		}
	}
	s.env.reports.Report(newRun(&s.env, "", a, s.log).newReport(o.GetStatus(), o))
}

// Switch passes the operator's order about inputs to the newest run of its
// assignment.
func (s *Supervisor) Switch(d *galav1.SwitchInput) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.epochsOf(d.GetAssignment())
	if len(runs) == 0 {
		return
	}
	newest := slices.MaxFunc(runs, func(a, b *run) int { return cmp.Compare(a.spec.GetEpoch(), b.spec.GetEpoch()) })
	if newest.spec.GetEpoch() <= d.GetEpoch() {
		newest.order(d.GetOrder())
	}
}

// SetAnchor passes a decision to the newest run of its assignment.
func (s *Supervisor) SetAnchor(d *galav1.AnchorDecision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.epochsOf(d.GetAssignment())
	if len(runs) == 0 {
		return
	}
	slices.MaxFunc(runs, func(a, b *run) int { return cmp.Compare(a.spec.GetEpoch(), b.spec.GetEpoch()) }).offer(d)
}

// Delivered remembers that a scheduler has taken the outcome of a run.
func (s *Supervisor) Delivered(assignment string, epoch uint64) {
	dir, err := runDirOf(s.dir, &galav1.Assignment{Id: assignment, Epoch: epoch})
	if err != nil {
		return
	}
	select {
	case s.declared <- dir:
	default: // reported once more by the next agent
	}
}
