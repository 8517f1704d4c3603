// Package dash writes the MPD (ISO/IEC 23009-1) of a tree of CMAF segments: the
// other face of the renditions that package hls lists, over the same files.
//
// Invariants: a manifest is a value, encoded whole each time; $Number$ is the
// segment's number on the grid; the presentation's time is the grid's time in
// every Period, so that no writer, early or late, here or at another origin,
// moves what a player has buffered; a Period promises nothing that is known
// not to be there.
//
// How segments are addressed, and why:
//
//   - live by @duration in the grid's timescale, sound and text too. A template
//     that counts says all that will ever come, so the manifest is rewritten only
//     when renditions, init segments or Periods change. Segments of video and text
//     are equal on the grid; an audio segment begins less than a frame after its
//     video one, and §5.3.9.5.3 allows half a segment;
//   - a clip by SegmentTimeline in the track's timescale. Its manifest is written
//     once, when all is there, and its tracks may end at different segments: the
//     timeline says to the sample what each has.
//
// It must not know sinks, encoders, or what time it is.
package dash

import "errors"

// Name is what the manifest is called in a job's tree.
const Name = "manifest.mpd"

// ErrManifest: the bytes are not a manifest that this package wrote.
var ErrManifest = errors.New("not a manifest of this job")

// ErrEmpty: there is no segment that a manifest could promise.
var ErrEmpty = errors.New("no segment of every kind to list")

// ErrRange: numbers or lengths that the attributes of an MPD cannot hold.
var ErrRange = errors.New("segment numbers do not fit a manifest")
