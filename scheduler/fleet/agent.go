package fleet

import (
	"slices"
	"time"

	"github.com/galafarm/gala/media"
)

// Session tells one Attach stream from another of the same agent.
type Session uint64

// Agent is one agent as last heard.
type Agent struct {
	Name, Instance, Version string
	Labels                  map[string]string
	Devices                 []Device
	Session                 Session
	// Connected: its stream stands. Lost: no beat for a lease's length.
	Connected, Lost bool
	Attached        time.Time
	LastBeat        time.Time
	LostAt          time.Time
	Leases          map[string]*Lease
	// Sources are the live sources that it holds without a worker, by job.
	Sources   map[string]Source
	Telemetry Telemetry
	// Full are devices that have refused an encoder session of late, by id.
	Full map[string]Refusal
}

// Refusal of an encoder session: until its end a device is taken to hold no more
// sessions than those that ran on it then.
type Refusal struct {
	At, Until time.Time
	Sessions  int
	Said      string
}

// Alive agents may be given work.
func (a *Agent) Alive() bool { return a != nil && a.Connected && !a.Lost }

// Device is what one device offers.
type Device struct {
	ID, Model, Role, RoleReason string
	Encoders                    []string
	// PixelsPerSecond of the reference preset; CapacitySource says where the
	// figure comes from (prior, calibrated).
	PixelsPerSecond int64
	CapacitySource  string
	MaxSessions     int // 0: no limit known
	// SessionsShared: MaxSessions is of all devices of the host that say so together.
	SessionsShared bool
	MemoryBytes    int64
	// TenBit are those of Encoders that take 10 bits on a GPU.
	TenBit []string
	// Sizes of the pictures that encoders take, of those that say so.
	Sizes map[string]media.PictureSizes
	// Lost: it is gone, with what ran on it.
	Lost bool
}

// Device is the agent's device of an id, nil for none.
func (a *Agent) Device(id string) *Device {
	i := slices.IndexFunc(a.Devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return &a.Devices[i]
}

// Source is a live source that an agent holds for a successor.
type Source struct {
	// Kept is how much of it the agent has in its ring, 0 while nothing came.
	Kept time.Duration
	// Asked is when the agent was told to, or said that it does.
	Asked time.Time
}

// CPU is the id of the device that is no GPU.
const CPU = "cpu"

// Lease is an assignment on an agent: the volatile half, as the agent tells it.
type Lease struct {
	Assignment, Job, Device string
	Epoch                   uint64
	// Sessions are the encoder sessions that it takes, one for each rendition of pictures.
	Sessions int
	// Recovered is what the agent said it runs when it attached; opaque here.
	Recovered any
	// Held: the agent itself has named it. A granted lease is not held before
	// the agent's first word about it.
	Held    bool
	Granted time.Time
	// Missing is since when the agent no longer names it; zero while it does.
	Missing time.Time
	// Stop is the strongest stop sent in this session.
	Stop   StopMode
	StopAt time.Time
	// Ordered is the newest order about inputs sent in this session.
	Ordered int64
	// Status is the worker's newest; Told says that there is one.
	Status  Status
	Told    bool
	Heard   time.Time
	Outcome *media.Error // set once, when the worker has ended
	Anchors []Proposal   // not decided yet
}

// StopMode is how an assignment is to end; higher is stronger.
type StopMode int

// The ways to stop.
const (
	KeepRunning StopMode = iota
	Leave                // finish the open segment, leave the playlist to a successor
	Finish               // finish the open segment, end the playlist
	Now                  // drop what is open
	Supersede            // a higher epoch runs elsewhere
)

func (m StopMode) String() string {
	return [...]string{"keep running", "leave", "finish", "now", "superseded"}[m]
}

// Status is a worker's progress.
type Status struct {
	Renditions    []Progress
	SourceUS      int64
	FramesDecoded int64
	FramesDoubled int64
	FramesDropped int64
	DecodeErrors  int64
	Notes         []string
	FirstSegment  bool
	Outputs       []Output // in the order of the assignment's
	Events        []WorkerEvent
	Source        InputState
}

// OutputState is how an output fares.
type OutputState int

// The states of an output.
const (
	OutputUnknown OutputState = iota
	OutputStarting
	OutputWell
	OutputInTrouble
)

// Output is what one destination has got of a worker.
type Output struct {
	State         OutputState
	LastSegment   int64 // -1 before the first
	LastSegmentAt time.Time
	Behind, Lost  int64 // segments
	Bytes         int64 // brought there by the worker
	Since         time.Time
	Cause         string
}

// InputState is how a live job's inputs are; Told where a worker says so.
type InputState struct {
	Told         bool
	Input        int // on air, or last
	Lapse, Slate bool
	LagUS        int64
	Obeyed       int64 // the operator's newest order that was carried out
	Events       []WorkerEvent
}

// WorkerEvent is something that happened to a live job while it ran. Numbers count
// up in one worker, those of its inputs by themselves.
type WorkerEvent struct {
	Number              int64
	At                  time.Time
	Kind, Cause, Effect string
}

// Progress of one rendition.
type Progress struct {
	Name          string
	Frames        int64
	FPS, Speed    float64 // shown to people, decided on by nobody
	Bitrate       int64
	LastSegment   int64 // -1 before the first
	LastSegmentAt time.Time
	Segments      int64
	LateSegments  int64
	Bytes         int64
	// PublishedFrames of Frames are in segments that are published.
	PublishedFrames int64
	// Resting: it is left out at present.
	Resting bool
}

// Telemetry is an agent's own account of its host.
type Telemetry struct {
	CPULoad                 float64
	MemoryUsed, MemoryTotal int64
	AgentCPUMicros          int64
	At                      time.Time
	// Sources are how much is kept of each live source held without a worker.
	Sources map[string]time.Duration
	// GPUs is what their driver tells, as the agent sent it; opaque here, for
	// people and decided on by nobody.
	GPUs any
}
