package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Undying is a worker that was killed and lives on: a call into the kernel, most
// likely of its GPU's driver, does not come back. It does nothing more, and what it
// has of the device stays taken.
type Undying struct {
	PID        int       `json:"pid"`
	Device     string    `json:"device"`
	Assignment string    `json:"assignment"`
	Job        string    `json:"job"`
	Since      time.Time `json:"since"` // it was given up
}

// String is a sentence's beginning.
func (u Undying) String() string {
	if onGPU(u.Device) {
		return fmt.Sprintf("worker %d does not die; its GPU driver hangs", u.PID)
	}
	return fmt.Sprintf("worker %d does not die; it hangs in the kernel", u.PID)
}

func onGPU(device string) bool { return device != "" && device != "cpu" }

type undead struct {
	Undying
	proc *process
}

// giveUp tells the outcome of a worker that does not die, so that its job goes on
// elsewhere. Nothing that it might still write counts: the next epoch fences it.
func (r *run) giveUp() {
	u := Undying{PID: r.proc.pid, Device: r.spec.GetDevice(), Assignment: r.spec.GetId(), Job: r.spec.GetJob(), Since: time.Now()}
	r.log.Error("a worker does not die", "pid", u.PID, "device", u.Device)
	if err := r.dir.writeJSON(fileUndying, u); err != nil {
		r.log.Warn("undying worker not on disk", "error", err)
	}
	r.undying = &u
	r.conclude(u.outcome(r.evidence(exit{})))
}

// outcome is the worker's own word where it has said one.
func (u Undying) outcome(e evidence) *galav1.Outcome {
	switch why := u.String(); {
	case e.written != nil:
		return e.written
	case e.stop != nil && e.stop.Cause == causeSuperseded:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED, false, e.stop.Reason+"; "+why, "")
	case onGPU(u.Device):
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_DEVICE_LOST, true, why+e.stopReason(),
			"look for XID lines in the kernel's log of this host, and reboot it")
	default:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_STALLED, true, why+e.stopReason(),
			"look at the disks and network mounts of this host, and reboot it")
	}
}

func (e evidence) stopReason() string {
	if e.stop == nil {
		return ""
	}
	return " (it was stopped: " + e.stop.Reason + ")"
}

// outlive waits for the end that an undying worker may have after all, and leaves it
// when ctx ends.
func (s *Supervisor) outlive(ctx context.Context, dir runDir) {
	s.mu.Lock()
	u := s.undead[dir]
	s.mu.Unlock()
	if u.proc.wait(ctx) != nil {
		u.proc.leave()
		return
	}
	s.log.Info("a worker has died at last", "worker", u.Assignment, "pid", u.PID, "device", u.Device, "how", u.proc.reap().String())
	if err := dir.remove(fileUndying); err != nil {
		s.log.Warn("forget undying worker", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.undead, dir)
}

// adoptUndying goes on waiting for one that an earlier agent has given up.
func (s *Supervisor) adoptUndying(dir runDir) {
	var u Undying
	p, err := dir.process()
	if err == nil {
		err = dir.readJSON(fileUndying, &u)
	}
	if err != nil {
		_ = dir.remove(fileUndying) // it is gone
		return
	}
	s.log.Warn("a worker still does not die", "worker", u.Assignment, "pid", u.PID, "device", u.Device)
	s.undead[dir] = undead{Undying: u, proc: p}
}

// Undying are the workers that were killed and live on, the oldest first.
func (s *Supervisor) Undying() (all []Undying) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.undead {
		all = append(all, u.Undying)
	}
	slices.SortFunc(all, func(a, b Undying) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.PID, b.PID)) })
	return all
}
