package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/host"
	"github.com/galafarm/gala/agent/link"
	"github.com/galafarm/gala/agent/metrics"
	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// telemetry tells the scheduler, and whoever reads the agent's metrics, how
// busy this host is. It reads what the GPUs' poller knows and never waits for
// a driver.
type telemetry struct {
	workers *supervisor.Supervisor
	outbox  *link.Outbox
	gpus    *gpu.Poller
	meter   host.Meter
	newest  atomic.Pointer[metrics.View]
}

// Run reads once per interval until ctx ends.
func (t *telemetry) Run(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			t.tell(ctx)
		}
	}
}

func (t *telemetry) tell(ctx context.Context) {
	running, gpus := t.workers.Running(), t.gpus.Snapshot()
	m := &galav1.Telemetry{
		Workers: usage(running), Sources: t.workers.Kept(ctx),
		Gpus: deviceFigures(gpus, running), GpuTrouble: gpus.Trouble, GpuDriver: gpus.Driver,
	}
	if r, err := t.meter.Read(); err == nil { // figures are a courtesy
		m.CpuLoad, m.MemoryUsedBytes, m.MemoryTotalBytes, m.AgentCpuUs = r.Load, r.Memory.Used, r.Memory.Total, r.OwnCPU
	}
	t.newest.Store(&metrics.View{Telemetry: m, Running: running, At: time.Now()})
	t.outbox.Telemetry(m)
}

// view is nil before the first reading.
func (t *telemetry) view() *metrics.View { return t.newest.Load() }

func usage(running []supervisor.Running) (all []*galav1.WorkerUsage) {
	for _, r := range running {
		u, err := host.ReadUsage(r.PID)
		if err != nil {
			continue // it has just ended
		}
		all = append(all, &galav1.WorkerUsage{Assignment: r.Spec.GetId(), CpuUs: u.CPU, RssBytes: u.RSS})
	}
	return all
}
