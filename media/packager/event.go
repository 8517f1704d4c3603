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
	// Missed: the output did not take the segment in time (live).
	Missed Kind = "missed"
	// Gap: the number is listed as missing (live).
	Gap Kind = "gap"
	// Discontinuity: the decoder configuration changed at this segment.
	Discontinuity Kind = "discontinuity"
	// Trouble: an output refuses, does not answer or is too slow; the job goes
	// on. It is told once, whatever it costs.
	Trouble Kind = "trouble"
	// Recovered: the trouble is over; Duration and Lost say what it was.
	Recovered Kind = "recovered"
	// Empty: the rendition ended without a frame and is not listed.
	Empty Kind = "empty"
)

// Event is something that happened to one segment at one output, or, where
// Rendition is empty, to the output.
type Event struct {
	Kind      Kind
	Rendition string
	Output    string // its address, for people
	Segment   int64
	Bytes     int64
	Duration  time.Duration
	At        time.Time
	// Behind is how long after the source's last frame of it a segment was
	// published, live only.
	Behind time.Duration
	// Lost counts the segments, of all renditions, that a trouble cost.
	Lost int64
	Err  error
}
