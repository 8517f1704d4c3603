// Package pull follows a live HLS playlist (RFC 8216bis) or DASH manifest
// (ISO/IEC 23009-1) and gives its segments as one endless stream of bytes for
// each track: libavformat's own readers lose the programme's date and time, and
// ask nobody what they may open.
//
// Invariants: every address - list, segment, init segment, key - is held against
// the rules; a list that reaches for anything else is refused; segments come
// in order and once; a hole is told, never filled.
//
// It must not know libav or what an ingest does with the bytes.
package pull
