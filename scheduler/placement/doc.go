// Package placement chooses the device for a job. It is pure: a request, the
// devices and what they carry go in, a decision that explains itself comes out.
//
// This is the first form. One resource is counted, encode capacity in pixels
// per second of the reference preset, besides encoder sessions, the processor's
// part in a GPU's jobs, roles and the job's CPU policy; the least loaded device that fits is taken. A form with
// more resources replaces cost and score and keeps Request, Device, Decision.
//
// Invariants: a device is never promised more than it offers; every accept and
// every reject is one sentence with its numbers; the same input gives the same
// answer. It must not know leases, epochs, stores or clocks.
package placement
