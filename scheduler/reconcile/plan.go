package reconcile

import (
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/timeline"
)

// Plan is what to do about one job.
type Plan struct {
	// Job is the record to write if Write is set; its Revision is the one read.
	Job   job.Job
	Write bool
	// Sends go out in order, after the write where there is one.
	Sends []Send
	// Wake is when to look at the job again though nothing happened; zero: never.
	Wake time.Time
	// Blocked: look again when the fleet has room it did not have.
	Blocked bool
	// Freed: once this is written the fleet has room that was kept for the job.
	Freed bool
	// Trace says what was decided, one line each.
	Trace []string
}

// Send is a directive to an agent: exactly one field beside Agent is set.
type Send struct {
	Agent  string
	Start  *Start
	Stop   *Stop
	Probe  *Probe
	Anchor *Anchor
	Hold   *Hold
	Switch *Switch
	// Forget is no directive: the view drops a lease that has told its outcome.
	Forget *fleet.Forget
}

// Start an assignment.
type Start struct {
	Placement job.Placement
	// Replica and Folder are those of job.Replica: Folder is its tree in the job's.
	Replica    int
	Folder     string
	Renditions []ladders.Rendition
	Anchor     *timeline.Anchor
	// OnScreen is what the worker before showed.
	OnScreen job.OnScreen
	// Resume after what is published; ResumeSegment is the first to encode.
	Resume        bool
	ResumeSegment int64
}

// Stop an assignment.
type Stop struct {
	Assignment string
	Epoch      uint64
	Mode       fleet.StopMode
	Reason     string
}

// Probe an input of a job: 0 is its first.
type Probe struct {
	ID, Input string
	Number    int
	Try       int
	// Hopeless are the inputs that were refused for good before.
	Hopeless []int
}

// Hold the job's live source without a worker, or let go of it.
type Hold struct{ Release bool }

// Switch an assignment to another input.
type Switch struct {
	Assignment string
	Epoch      uint64
	Order      job.InputOrder
}

// Anchor that holds for an assignment's source.
type Anchor struct {
	Assignment string
	Input      int
	Generation uint32 // of the proposal that is answered
	Anchor     timeline.Anchor
}

// Resolver applies a job's ladder to its source.
type Resolver func(job.Spec, job.Source) (*ladders.Resolved, error)

// Settings are the intervals and limits of the reconciler.
type Settings struct {
	// MissingGrace is how long an agent may not name a lease before the worker
	// counts as gone: its outcome may be on the way.
	MissingGrace time.Duration
	// ProbeTimeout and ProbeTries bound the asking about an input.
	ProbeTimeout time.Duration
	ProbeTries   int
	// ProbesPerAgent is how many inputs an agent looks at at once.
	ProbesPerAgent int
	// FinishPatience is how long a live job may take to finish its segment
	// before it is told to drop it, and again before it counts as ended.
	FinishPatience time.Duration
	// YieldPatience is how long a clip that makes room for live may take to finish
	// its segment before it is told to drop it.
	YieldPatience time.Duration
	// LeaveGrace is how long an agent that hands its work over may take to end.
	LeaveGrace time.Duration
	// MaxFailures without a new segment, then the job fails.
	MaxFailures int
	// FailureStands is how long a place that failed a replica is its last choice.
	FailureStands time.Duration
	// FirstBackoff and LastBackoff bound the pause between such failures.
	FirstBackoff, LastBackoff time.Duration
	// WarmRing is how much of a source must be held at the new place of a run
	// before it is handed over; WarmPatience how long that is waited for.
	WarmRing, WarmPatience time.Duration
	// PublishEvery is how often at most the newest segments are written down.
	PublishEvery time.Duration
}

// DefaultSettings is what a scheduler runs with.
func DefaultSettings() Settings {
	return Settings{
		MissingGrace: 800 * time.Millisecond,
		ProbeTimeout: 45 * time.Second, ProbeTries: 3, ProbesPerAgent: 4,
		FinishPatience: 20 * time.Second, YieldPatience: 5 * time.Second, LeaveGrace: 10 * time.Second,
		MaxFailures: 5, FailureStands: 10 * time.Minute, FirstBackoff: 500 * time.Millisecond, LastBackoff: 15 * time.Second,
		WarmRing: 10 * time.Second, WarmPatience: 30 * time.Second,
		PublishEvery: 5 * time.Second,
	}
}
