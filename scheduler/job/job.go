package job

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// RecordVersion is the form in which records are written. A reader refuses a
// later one. In version 1 a job had one run, whose fields were the job's own.
const RecordVersion = 2

// Job is one record.
type Job struct {
	Version int  `json:"version"`
	Spec    Spec `json:"spec"`
	// Seq orders jobs by creation; the store gives it.
	Seq uint64 `json:"-"`
	// Revision counts the writes of this record; the store compares it.
	Revision uint64 `json:"revision"`

	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Entered time.Time `json:"entered,omitzero"` // that state, or the reason for it
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Ended   time.Time `json:"ended,omitzero"`

	Source     *Source             `json:"source,omitempty"`
	Grid       *timeline.Grid      `json:"grid,omitempty"`
	Anchors    []timeline.Anchor   `json:"anchors,omitempty"`
	Renditions []ladders.Rendition `json:"renditions,omitempty"`
	Thumbnails *ladders.Thumbnails `json:"thumbnails,omitempty"`
	Outputs    []Output            `json:"outputs,omitempty"`
	Replicas   []Replica           `json:"replicas,omitempty"`
	Error      *Error              `json:"error,omitempty"`
	Events     []Event             `json:"events,omitempty"`
	// Recorded counts the events that the job has had; Kept is how many of them
	// the store had when the record was read.
	Recorded uint64   `json:"recorded,omitempty"`
	Kept     uint64   `json:"-"`
	Notes    []string `json:"notes,omitempty"`
	// Attempts of all replicas together.
	Attempts uint32 `json:"attempts,omitempty"`

	// Recovered: made again from what an agent ran. The ladder and where the
	// client wanted the output by name are not known.
	Recovered bool `json:"recovered,omitempty"`
	// Stop is the client's wish that the job ends.
	Stop *Stop `json:"stop,omitempty"`
	// Holder is the agent that a pushed source comes to: its ingest has the past.
	Holder string `json:"holder,omitempty"`
	// Warm is the agent that holds a live source beside those that run the job: a
	// successor there has the past in its own ring.
	Warm string `json:"warm,omitempty"`
	// Inputs of a live job.
	Inputs Inputs `json:"inputs,omitzero"`
}

// Source is what the probe found. Info is the probe's whole answer, which the
// scheduler passes on to the worker and does not look into.
type Source struct {
	Info       json.RawMessage `json:"info"`
	Ladder     ladders.Source  `json:"ladder"`
	DurationUS int64           `json:"duration_us,omitempty"`
	Notes      []string        `json:"notes,omitempty"`
}

// Output is one destination: URL holds the job's tree directly.
type Output struct {
	URL string `json:"url"`
}

// Name is the output's address without what only writers may know.
func (o Output) Name() string { return address.Public(o.URL) }

// Stop is a client's wish that the job ends.
type Stop struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Error is why a job failed.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
	// Retryable: the same again may succeed later or elsewhere.
	Retryable bool `json:"retryable,omitempty"`
}

// Clone is a copy that shares nothing which either side changes in place.
func (j Job) Clone() Job {
	c := j
	c.Anchors = append([]timeline.Anchor(nil), j.Anchors...)
	c.Replicas = make([]Replica, len(j.Replicas))
	for i, r := range j.Replicas {
		c.Replicas[i] = r.clone()
	}
	c.Events = append([]Event(nil), j.Events...)
	c.Notes = append([]string(nil), j.Notes...)
	c.Outputs = append([]Output(nil), j.Outputs...)
	c.Inputs = j.Inputs.clone()
	return c
}

// Live tells a live job from a VOD one.
func (j Job) Live() bool { return j.Spec.Kind == Live }

// MP4 are the renditions that become one file each, in the order of the ladder.
func (j Job) MP4() (names []string) {
	for _, r := range j.Renditions {
		if r.Video != nil && (slices.Contains(j.Spec.MP4, r.Name) || slices.Contains(j.Spec.MP4, AllRungs)) {
			names = append(names, r.Name)
		}
	}
	return names
}

// Placed tells whether some agent may be running the job.
func (j Job) Placed() bool {
	return slices.ContainsFunc(j.Replicas, func(r Replica) bool { return r.Placement != nil })
}

// Takes tells whether anything of the fleet is taken or kept for the job.
func (j Job) Takes() bool {
	return slices.ContainsFunc(j.Replicas, func(r Replica) bool { return r.Placement != nil || r.Claim != nil })
}

// Placements are those of all replicas, in their order.
func (j Job) Placements() (all []Placement) {
	for _, r := range j.Replicas {
		if r.Placement != nil {
			all = append(all, *r.Placement)
		}
	}
	return all
}

// OnAir: some replica has published a first segment of every rendition once.
func (j Job) OnAir() bool {
	return slices.ContainsFunc(j.Replicas, func(r Replica) bool { return r.OnAir })
}

// Redundant jobs run every rendition more than once.
func (j Job) Redundant() bool { return j.Spec.Redundancy > 1 }

// Replicate gives the job the replicas that its spec asks for.
func (j *Job) Replicate() {
	for len(j.Replicas) < max(1, int(j.Spec.Redundancy)) {
		r := Replica{}
		if j.Redundant() {
			r.Number, r.State, r.Reason = len(j.Replicas)+1, Accepted, "not placed yet"
		}
		j.Replicas = append(j.Replicas, r)
	}
}
