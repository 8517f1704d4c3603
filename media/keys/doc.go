// Package keys tells with which keys the tracks of a job are encrypted, and what
// players of each DRM system are told to find them: from a key file, or from a
// key server that speaks CPIX as SPEKE 2 does.
//
// Invariants: a key never prints; what a parser found in a file stands in no
// error, because the file may not be one of keys; what is asked for by the same
// job is the same, on any host and after any restart. It must not know boxes,
// playlists or manifests.
package keys
