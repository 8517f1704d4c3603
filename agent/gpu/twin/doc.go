// Package twin gives programs GPUs that are not there: it describes them to
// the driver twin, four stand-ins for NVIDIA's driver libraries, written in C
// in the folder driver and built by `make twin` into build/twin. It is a test
// double. What it emulates, refuses and can never tell is in README.md.
//
// Invariants: everything that a program can see of such a device says that it
// is a twin - its name, the driver's version, every IDR picture. Nothing is
// installed: a program gets the twin by its environment alone. Faults change
// while programs run, whole files at a time.
//
// It must not know workers, the scheduler or NVML, and links no C: the
// libraries are loaded by the programs under test.
package twin
