package scheduler

import (
	"context"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// healthEvery is how often readiness is passed on to gRPC health.
const healthEvery = 500 * time.Millisecond

// watchHealth keeps gRPC health as Ready is.
func (s *Scheduler) watchHealth(ctx context.Context) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	was := healthv1.HealthCheckResponse_NOT_SERVING
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		is := healthv1.HealthCheckResponse_SERVING
		if s.Ready() != nil {
			is = healthv1.HealthCheckResponse_NOT_SERVING
		}
		if is != was {
			s.tellHealth(is)
			was = is
		}
	}
}

func (s *Scheduler) tellHealth(is healthv1.HealthCheckResponse_ServingStatus) {
	for _, service := range []string{"", galav1.Farm_ServiceDesc.ServiceName, galav1.Fleet_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(service, is)
	}
}
