// Package embedded gives a one-machine farm its job store: a supervised
// redis-server child with an append-only file where the program is installed,
// and otherwise a Redis inside this process that forgets when it ends, which
// is said loudly.
//
// Invariants: the child listens on a unix socket in a directory of ours and on
// no TCP port; what it acknowledged is on disk; it ends with its parent, and is
// started again when it ends by itself.
//
// It must not know jobs.
package embedded
