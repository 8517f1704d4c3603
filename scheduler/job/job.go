package job

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// RecordVersion is the form in which records are written. A reader refuses a
// later one.
const RecordVersion = 1

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
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Ended   time.Time `json:"ended,omitzero"`

	Source     *Source             `json:"source,omitempty"`
	Grid       *timeline.Grid      `json:"grid,omitempty"`
	Anchors    []timeline.Anchor   `json:"anchors,omitempty"`
	Renditions []ladders.Rendition `json:"renditions,omitempty"`
	Thumbnails *ladders.Thumbnails `json:"thumbnails,omitempty"`
	Outputs    []Output            `json:"outputs,omitempty"`
	Placements []Placement         `json:"placements,omitempty"`
	Error      *Error              `json:"error,omitempty"`
	Events     []Event             `json:"events,omitempty"`
	Notes      []string            `json:"notes,omitempty"`
	Attempts   uint32              `json:"attempts,omitempty"`

	// Recovered: made again from what an agent ran. The ladder and where the
	// client wanted the output by name are not known.
	Recovered bool `json:"recovered,omitempty"`
	// Stop is the client's wish that the job ends.
	Stop *Stop `json:"stop,omitempty"`
	// Epoch is the highest ever granted.
	Epoch uint64 `json:"epoch,omitempty"`
	// OnAir: a first segment of every rendition was published once.
	OnAir bool `json:"on_air,omitempty"`
	// Published is the newest segment of each rendition as last written down;
	// reports in memory are newer.
	Published   map[string]int64 `json:"published,omitempty"`
	PublishedAt time.Time        `json:"published_at,omitzero"`
	Retry       Retry            `json:"retry,omitzero"`
	// Holder is the agent that a pushed source comes to: its ingest has the past.
	Holder string `json:"holder,omitempty"`
	// Totals is what attempts that ended have made of each rendition.
	Totals map[string]Total `json:"totals,omitempty"`
}

// Total counts what one rendition's ended workers made. Bitrate is the last
// one's, in bit/s.
type Total struct {
	Frames   int64 `json:"frames"`
	Segments int64 `json:"segments"`
	Late     int64 `json:"late,omitempty"`
	Bytes    int64 `json:"bytes"`
	Bitrate  int64 `json:"bitrate"`
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

// Placement is one assignment of the job: the durable half of a lease.
type Placement struct {
	Assignment string    `json:"assignment"`
	Agent      string    `json:"agent"`
	Instance   string    `json:"instance"`
	Device     string    `json:"device"`
	Epoch      uint64    `json:"epoch"`
	Attempt    uint32    `json:"attempt"`
	Reason     string    `json:"reason,omitempty"`
	Granted    time.Time `json:"granted"`
	// ResumedAt is what had been published when it was placed, -1 for nothing.
	ResumedAt int64 `json:"resumed_at"`
	// Cost in pixels per second and encoder sessions, as placement counted it.
	Cost     int64 `json:"cost"`
	Sessions int   `json:"sessions"`
}

// Stop is a client's wish that the job ends.
type Stop struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Retry is where the job stands between two attempts.
type Retry struct {
	// Failures in a row without a new segment.
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// Avoid is where it failed last, "agent/device".
	Avoid string `json:"avoid,omitempty"`
	// Left is the instance of an agent that handed the job over because it
	// ends; it gets it not again before LeftUntil.
	Left      string    `json:"left,omitempty"`
	LeftUntil time.Time `json:"left_until,omitzero"`
	// Lost: the last agent went away and may still be publishing.
	Lost bool `json:"lost,omitempty"`
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
	c.Placements = append([]Placement(nil), j.Placements...)
	c.Events = append([]Event(nil), j.Events...)
	c.Notes = append([]string(nil), j.Notes...)
	c.Published = make(map[string]int64, len(j.Published))
	for k, v := range j.Published {
		c.Published[k] = v
	}
	c.Totals = maps.Clone(j.Totals)
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
func (j Job) Placed() bool { return len(j.Placements) > 0 }
