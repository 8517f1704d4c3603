// Package client is how Go programs talk to a farm: origins that put live
// events on air, VOD systems that queue files, and the gala command itself.
//
// Invariants: every call is safe to repeat (jobs are idempotent by their id),
// so calls are retried while a farm is out of reach for a moment; a watch
// survives a lost connection and never goes back to an older form of a job;
// paths leave here absolute.
//
// It must not know tables, flags or anything else of a terminal.
package client
