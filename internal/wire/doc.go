// Package wire converts between the generated messages of gala.v1 and the
// words of ladders, timeline and media, so that generated types stop at the
// edges of every program.
//
// Invariants: reading a message checks it (what comes back is usable as it
// is), writing one never fails, and what was written reads back equal.
//
// It must not know gRPC, sockets, files or what the values are used for.
package wire

import "errors"

// ErrInvalid: a message lacks something that its reader cannot do without.
// The peer that sent it is of another version, or wrong.
var ErrInvalid = errors.New("incomplete message")
