// Package vod measures a clip against its peer: the farm's worker, and the
// whole farm around it, against one ffmpeg process of the same build that
// makes the same ladder.
//
// Invariants: both read the same file, decode it once, and give the encoders
// the same pictures with the same settings; that the outputs are equal in
// frames and quality is measured, not assumed.
package vod
