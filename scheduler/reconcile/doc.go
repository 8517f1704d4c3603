// Package reconcile compares what the farm wants (job records) with what it
// has (the fleet) and plans the difference: probe, resolve, place, stop,
// supersede, retry, end.
//
// It is pure: Look reads its input and returns plans; `now` is part of the
// input. A plan is one record to write, by compare-and-set on the revision it
// was made from, and directives to send only if that write held: a plan that
// has become stale does nothing.
//
// Invariants: an epoch is granted once, in the same write that makes the
// placement; nothing is stopped because a lease ran out, only because a higher
// epoch holds, the client said so, its device is drained, or, a clip's, because a
// live job needs its encoder sessions; a job that ended is never placed again.
//
// It must not know stores, gRPC, goroutines or clocks.
package reconcile
