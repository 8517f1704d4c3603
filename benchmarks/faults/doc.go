// Package faults measures what each kind of fault costs the viewers of a live
// job: what is missing, what is late, for how long nothing new comes, and when
// the programme is at its live edge again. It is many rehearsals in a row.
//
// Invariants: the farm is the benchmark's own; every fault is written down
// before the next one, so that an interrupted benchmark goes on where it was;
// figures are made from what was written down alone, and a fault that could not
// be done is no observation.
package faults
