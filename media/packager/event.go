package packager

import "time"

// Kind of an event.
type Kind string

// The events.
const (
	// Published: the segment is at the output and its playlist lists it.
	Published Kind = "published"
	// Late: it was published later than its end plus one segment (live).
	Late Kind = "late"
	// Dropped: the output was so far behind that the segment was let go (live).
	Dropped Kind = "dropped"
	// Gap: the number is listed as missing (live).
	Gap Kind = "gap"
	// Discontinuity: the decoder configuration changed at this segment.
	Discontinuity Kind = "discontinuity"
	// Trouble: an output refused or did not answer; the job goes on.
	Trouble Kind = "trouble"
	// Empty: the rendition ended without a frame and is not listed.
	Empty Kind = "empty"
)

// Event is something that happened to one segment at one output.
type Event struct {
	Kind      Kind
	Rendition string
	Output    string // as in Spec.Outputs
	Segment   int64
	Bytes     int64
	Duration  time.Duration
	At        time.Time
	// Behind is how long after the source's last frame of it a segment was
	// published, live only.
	Behind time.Duration
	Err    error
}
