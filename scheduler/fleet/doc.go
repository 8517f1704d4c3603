// Package fleet is the scheduler's view of its agents: who is attached, what
// their devices offer, which leases they hold, and how each is doing.
//
// It is pure: events go in with the time at which they were received, and what
// the caller must do about them comes out. Invariants: only the newest session
// of an agent is heard; an agent without a beat for a lease's length is lost,
// whether its stream still stands or not; a lost agent's leases stay known,
// because expiry stops nothing that is on air.
//
// It must not know jobs' states, stores, gRPC or clocks; of a job it names only
// the id and what a probe found. What the farm wants
// is decided in package reconcile by comparing job records with this view.
package fleet
