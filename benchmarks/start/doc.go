// Package start measures how long it takes from submitting a live job until
// its first segment can be read at the origin, and what the farm around the
// worker costs.
//
// Invariants: the segment is found as a player finds it, from the multivariant
// playlist down; jobs run one at a time; every run is written down before the
// next one begins, so that an interrupted benchmark goes on where it was.
package start
