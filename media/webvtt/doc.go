// Package webvtt writes and reads segments of subtitles as HLS wants them (RFC
// 8216bis §3.1.4): cues at absolute media times, those that cross a boundary in
// both segments, whole or a part in each, and a map from their clock to that of
// the pictures.
//
// Invariants: times are whole milliseconds since the start of the grid, rounded
// to nearest; text is UTF-8 and carries no markup but b, i and u; an empty
// segment is a segment. It must not know libav, packagers or playlists.
package webvtt
