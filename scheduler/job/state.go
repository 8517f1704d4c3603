package job

// State is where a job stands; the closed set that clients see.
type State string

// The states.
const (
	Accepted  State = "accepted"
	Waiting   State = "waiting"
	Starting  State = "starting"
	Running   State = "running"
	Degraded  State = "degraded"
	Finishing State = "finishing"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended states are final.
func (s State) Ended() bool { return s == Done || s == Failed || s == Cancelled }

// Kind is live or VOD.
type Kind string

// The kinds.
const (
	Live Kind = "live"
	VOD  Kind = "vod"
)

// CPUPolicy says whether the job may be encoded by the CPU.
type CPUPolicy string

// The policies; the empty one means CPUAllowed.
const (
	CPUNever   CPUPolicy = "never"
	CPUAllowed CPUPolicy = "allowed"
	CPUOnly    CPUPolicy = "only"
)
