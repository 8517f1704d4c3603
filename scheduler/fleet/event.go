package fleet

import (
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/timeline"
)

// Event is something that happened to the fleet.
type Event interface {
	apply(*View, time.Time) []Effect
}

// Attached: an agent said hello on a new session.
type Attached struct {
	Session                 Session
	Name, Instance, Version string
	Labels                  map[string]string
	Devices                 []Device
	Held                    []Held
	// Sources are the jobs whose live sources it holds without a worker.
	Sources []string
}

// Held is a lease that an agent re-reports when it attaches.
type Held struct {
	Assignment, Job, Device string
	Epoch                   uint64
	Sessions                int
	Spec                    any // opaque
}

// Detached: a session's stream ended.
type Detached struct {
	Agent   string
	Session Session
	Cause   string
}

// Beat renews every lease of the agent and names them.
type Beat struct {
	Agent       string
	Session     Session
	Assignments []string
}

// Report is a worker's progress or, once, its outcome.
type Report struct {
	Agent           string
	Session         Session
	Assignment, Job string
	Epoch           uint64
	Status          *Status
	Outcome         *media.Error
}

// Proposal asks to fix the anchor of a job's source.
type Proposal struct {
	Agent           string
	Session         Session
	Assignment, Job string
	Epoch           uint64
	Input           int
	Anchor          timeline.Anchor
}

// Probed answers a probe.
type Probed struct {
	Agent   string
	Session Session
	ID      string
	// Source is nil when Err is set.
	Source *job.Source
	Err    *media.Error
}

// Heard is an agent's telemetry.
type Heard struct {
	Agent     string
	Session   Session
	Telemetry Telemetry
}

// Offered: an agent's devices are others than before.
type Offered struct {
	Agent   string
	Session Session
	Devices []Device
}

// Granted: the store holds this placement now, and the agent is being told.
type Granted struct {
	Agent, Assignment, Job, Device string
	Epoch                          uint64
	Sessions                       int
}

// StopSent: the agent is being told to stop an assignment.
type StopSent struct {
	Agent, Assignment string
	Epoch             uint64
	Mode              StopMode
}

// Decided: the agent is being told which anchor of a generation of an input holds.
type Decided struct {
	Agent, Assignment string
	Input             int
	Generation        uint32
}

// SwitchSent: the agent is being told which input the operator wants.
type SwitchSent struct {
	Agent, Assignment string
	Number            int64
}

// ProbeSent: the agent is being asked to probe an input of a job.
type ProbeSent struct {
	Agent, ID, Job string
	Input, Try     int
	Hopeless       []int // inputs that were refused for good before
}

// Forget drops what is known about an assignment that ended.
type Forget struct {
	Agent, Assignment string
	Epoch             uint64
}

// HoldSent: the agent is being told to hold a job's live source without a
// worker, or to let go of it.
type HoldSent struct {
	Agent, Job string
	Release    bool
}

// ForgetProbe drops a probe that was answered or given up.
type ForgetProbe struct{ Job string }

// Tick is the passing of time.
type Tick struct{}
