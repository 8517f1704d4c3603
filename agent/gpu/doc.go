// Package gpu lists this host's GPUs by NVML, and reads them once a second. It
// is the only package that links it.
//
// Invariants: the library is looked up when it is needed, and every symbol
// before it is used, so that a machine without a driver, or with an old one,
// is a machine with fewer facts and no fault. A driver that hangs holds up one
// goroutine of this package and nobody else: whoever asks gets what was read
// last, with its age. Nothing that is asked once a second keeps the driver
// from others for long: no lists of processes, no PCIe counters. A GPU is never called able to
// encode before a real session was opened on it.
//
// It must not know workers or the scheduler link.
package gpu
