// Package link is the agent's end of Fleet.Attach: one stream to one of
// several schedulers, opened again whenever it breaks.
//
// Invariants. A scheduler that is away changes nothing for what runs: the link
// only waits and tries the next address. What was told but not acknowledged is
// told again on the next stream; an acknowledged beat acknowledges everything
// sent before it. Queues are bounded by what the agent holds, never by how
// long a scheduler is away. Nothing that a directive does may hold up a beat.
//
// It must not know processes, devices or media.
package link
