// Package harness is what every benchmark shares: how a command or a farm is
// measured, how runs are paired, and how the result is written down.
//
// Invariants: every figure in a report comes from its record, a JSON file, and
// from nothing typed in; a record names host, load, versions and commit, and
// says what was not measured. Speeds of two programs are compared as ratios of
// neighbouring runs, never across records.
//
// It must not know what is measured.
package harness
