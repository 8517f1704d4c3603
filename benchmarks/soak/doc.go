// Package soak runs one live job for a long time while another one is broken
// beside it again and again, and asks what is left of that: segments that are
// missing, memory, descriptors, goroutines, processes and files that nobody
// needs any more, and sound that has moved against its pictures.
//
// Invariants: the farm is the benchmark's own; processes are looked at from
// outside, by what the kernel tells of them; goroutines are counted in the
// stacks that a process prints when it is ended, so each kind of process is
// counted twice, young and old, doing the same; flash and beep of the test card
// are found in the decoded pictures and sound of what the origin has.
package soak
