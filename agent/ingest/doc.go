// Package ingest is the process that holds one live source on one host, and
// the way in for those who read it.
//
// Invariants: it needs no agent to go on; readers come and go without the source
// noticing; the socket appears before the source is connected.
//
// It must not know jobs beyond their name, leases, or what readers make of the
// packets.
package ingest
