// Package api is the gRPC edge of the scheduler: Farm for clients, Fleet for
// agents, and the conversion between their messages and the words of job,
// fleet and reconcile.
//
// Invariants: every message is validated before anything looks at it; every
// error has a code from one table, a reason for programs (google.rpc.ErrorInfo)
// and advice for people (google.rpc.LocalizedMessage); a watcher that is slow
// skips intermediate states and never misses the newest.
//
// It must not decide anything about jobs or the fleet: it creates records,
// writes the client's wishes into them, and passes events on.
package api
