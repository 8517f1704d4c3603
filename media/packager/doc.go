// Package packager joins the ends: encoded frames come in by rendition, CMAF
// segments, playlists and the multivariant playlist go out to every sink.
//
// Invariants: a segment is closed by its own last frame, never by the next
// one's coming; what does not sit on the grid is refused by name; a segment is
// at a sink before a playlist there lists it; a slow or broken sink of a live
// job stalls neither the encoders nor the other sinks, and what it loses is
// listed as a gap and told; what a playlist lists is never written again.
//
// It must not know where packets come from, what an epoch is worth, or which
// kind of sink it writes to.
package packager
