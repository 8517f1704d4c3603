// Package supervisor runs media workers as processes and knows how each of
// them is: it spawns them, waits for their ready handshake, watches their
// progress, stops them, and turns every end into one outcome.
//
// Invariants. The process is the crash boundary: nothing here hangs on a pipe
// to a worker, and a worker outlives its agent; the next agent finds it by its
// runtime directory and adopts it. The reason for a stop is on disk before the
// first signal. Every run that was held ends in exactly one outcome of the
// closed set. Nothing is restarted here: that is a new placement, by the
// scheduler, under a higher epoch.
//
// It must not know the scheduler link, GPUs or media.
package supervisor
