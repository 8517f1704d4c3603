// Package rehearsal breaks a farm on purpose while a live job is on air, and
// says what a viewer would have noticed: what is missing at the origin, what
// came late, for how long nothing new came, and when the programme was back at
// its live edge.
//
// Invariants: it signals no process that is not the farm's - one that answers at
// the farm's address, one that was started by that, or an agent that names that
// address, and their workers - and none but on this machine; what it stops goes
// on when it ends, however it ends; it looks at the origin as a player does and
// believes no report of the farm; every fault is measured from what was fetched.
//
// It must not know how the farm recovers.
package rehearsal
