// Package metrics shows in Prometheus's form what an agent tells its scheduler:
// GPUs under the names that DCGM's exporter gives them, so that dashboards and
// alerts for those work unchanged, and what only a farm knows under gala_*.
//
// Invariants: a scrape reads what the last second found and waits for no
// driver; a figure that is unknown, or of a GPU that is not well, is absent
// rather than old or 0.
//
// It must not know NVML or the scheduler.
package metrics
