// Package worker is the inside of a media process: it reads its assignment,
// serves gala.v1.Worker on a unix socket in its runtime directory, runs the
// pipeline and the packager, and leaves an outcome file.
//
// Invariants: the process needs no agent to go on; every end leaves exactly one
// outcome; nothing is written to stdout; an order with a reason is logged
// before it is followed.
//
// It must not know the scheduler, leases beyond the epoch it was given, or
// other workers.
package worker
