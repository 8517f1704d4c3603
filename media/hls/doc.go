// Package hls writes HLS playlists (RFC 8216bis) for trees of CMAF segments and
// reads its own back, so that a successor continues where a writer stopped.
//
// Invariants: a playlist is a value, encoded whole each time; the media
// sequence number is the segment's number on the grid, gaps included; the
// target duration never changes; durations are exact to the microsecond
// without drift, because each is the difference of two rounded instants.
//
// It must not know sinks, encoders, or what time it is.
package hls

import "errors"

// ErrPlaylist: the bytes are not a playlist that this package wrote.
var ErrPlaylist = errors.New("not a playlist of this job")

// ErrOrder: a segment would not continue the playlist.
var ErrOrder = errors.New("segment does not continue the playlist")

// Version is what our playlists need: EXT-X-MAP in an ordinary media playlist
// (6), and with it the meaning of EXT-X-TARGETDURATION as a rounded maximum
// (RFC 8216bis §8). Players that understand CMAF all have it.
const Version = 6
