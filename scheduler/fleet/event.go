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
}

// Held is a lease that an agent re-reports when it attaches.
type Held struct {
	Assignment, Job, Device string
	Epoch                   uint64
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

// Granted: the store holds this placement now, and the agent is being told.
type Granted struct {
	Agent, Assignment, Job, Device string
	Epoch                          uint64
}

// StopSent: the agent is being told to stop an assignment.
type StopSent struct {
	Agent, Assignment string
	Epoch             uint64
	Mode              StopMode
}

// Decided: the agent is being told which anchor of a generation holds.
type Decided struct {
	Agent, Assignment string
	Generation        uint32
}

// ProbeSent: the agent is being asked to probe a job's input.
type ProbeSent struct {
	Agent, ID, Job string
	Try            int
}

// Forget drops what is known about an assignment that ended.
type Forget struct {
	Agent, Assignment string
	Epoch             uint64
}

// ForgetProbe drops a probe that was answered or given up.
type ForgetProbe struct{ Job string }

// Tick is the passing of time.
type Tick struct{}
