// Package pull follows a live HLS playlist (RFC 8216bis) and gives its segments
// as one endless stream of bytes for each track: libavformat's own HLS reader
// loses the programme's date and time, and asks nobody what it may open.
//
// Invariants: every address - playlist, segment, init segment - is held against
// the rules; a playlist that reaches for anything else is refused; segments come
// in order and once; a hole is told, never filled.
//
// It must not know libav or what an ingest does with the bytes.
package pull
