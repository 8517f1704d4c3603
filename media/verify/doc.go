// Package verify reads what a job produced and says which rule it breaks and
// where: the grid of the farm's design (same boundaries, decode times and IDRs
// in every rendition), HLS, DASH and CMAF, Apple's authoring rules by number, a clean
// decode, and whether two outputs are interchangeable.
//
// Invariants: it trusts nothing but the bytes, so it takes no job, spec or
// database; what was not looked at is said to be not applicable, with the
// reason, and never passes in silence; at most one segment per rendition is in
// memory at a time; the same tree gives the same report.
//
// It must not know libav (decoding is behind Decoder), the farm's wire types
// or who made the tree.
package verify

import "errors"

// ErrCannotLook: there is no tree to judge. The caller was given a wrong place,
// or what serves it is away.
var ErrCannotLook = errors.New("cannot look")
