// Package ring keeps the last seconds of a live source as packets, for any
// number of readers at any pace.
//
// Invariants: timestamps grow for ever, over reconnections of the source too;
// memory is bounded by time and by bytes; a reader that is overtaken is told how
// many packets it lost and goes on at a key frame; nobody who reads can hold up
// the source or another reader.
//
// It must not know sockets, containers or libav.
package ring
