// Package ac3 reads the headers of AC-3 and E-AC-3 frames, as far as passing
// them on needs it, and writes the boxes that announce them.
//
// Clauses are of ETSI TS 102 366 V1.4.1. Invariants: a Unit covers 1536 samples
// and its bytes are what the source had, dependent substreams aside. It must not
// know libav, grids or playlists.
package ac3
