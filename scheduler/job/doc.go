// Package job is what the farm remembers about one job: the record that the
// store keeps, and the rules by which it may change.
//
// Invariants: a record is a value (change a Clone, then write it with the
// revision that was read); Epoch only grows, and no two placements of a job
// ever carry the same one; an ended job never leaves its state.
//
// The record is a type of its own, encoded as JSON with a version, and not the
// proto message: it holds what clients never see (epochs, failures, what was
// published), the core that decides on it stays free of generated types, and a
// record can be read and repaired with redis-cli by a tired operator. It must
// not know gRPC, Redis, clocks or goroutines.
package job
