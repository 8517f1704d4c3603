package agent

import (
	"context"
	"time"

	"github.com/galafarm/gala/agent/host"
	"github.com/galafarm/gala/agent/link"
	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// telemetry tells the scheduler how busy this host is.
type telemetry struct {
	workers *supervisor.Supervisor
	outbox  *link.Outbox
	meter   host.Meter
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
			t.tell()
		}
	}
}

func (t *telemetry) tell() {
	r, err := t.meter.Read()
	if err != nil {
		return // telemetry is a courtesy
	}
	t.outbox.Telemetry(&galav1.Telemetry{
		CpuLoad: r.Load, MemoryUsedBytes: r.Memory.Used, MemoryTotalBytes: r.Memory.Total,
		AgentCpuUs: r.OwnCPU, Workers: t.usage(),
	})
}

func (t *telemetry) usage() (all []*galav1.WorkerUsage) {
	for assignment, pid := range t.workers.Processes() {
		u, err := host.ReadUsage(pid)
		if err != nil {
			continue // it has just ended
		}
		all = append(all, &galav1.WorkerUsage{Assignment: assignment, CpuUs: u.CPU, RssBytes: u.RSS})
	}
	return all
}
