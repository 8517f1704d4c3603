// Package ingest measures what one ingest costs: processor time and memory of
// `gala-worker ingest` while a real clip comes in by each kind of source.
//
// Invariants: the ingest is the farm's own program, started as the agent starts
// it; one reader takes all packets, as a worker does; nothing is judged lost
// that the clip itself lacks.
package ingest
