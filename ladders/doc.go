// Package ladders holds authored ladders and applies them to sources.
//
// A ladder is written in YAML (sample.yaml explains every key) and read
// strictly: every mistake is reported at once, with its place and what is
// allowed. Resolve turns a ladder and a probed source into the grid that all
// renditions share and one Rendition per rung and language; Variants says how
// those combine in an HLS multivariant playlist.
//
// Invariants: output sizes are even, in square pixels, and never above the
// source unless the rung says upscale; every rendition's frame rate is the
// grid's divided by a whole number; names are unique; what is declared
// (CODECS, BANDWIDTH) follows from the rendition alone. The same ladder and
// source give the same answer everywhere.
//
// It must not know encoders, devices, processes, the wire or the clock.
package ladders
