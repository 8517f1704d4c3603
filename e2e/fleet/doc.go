// Package fleet tests the real scheduler and the real agent against each
// other, over gRPC, with worker processes that only pretend to make media:
// leases, failover, adoption and the end of jobs, without libav.
package fleet
