// Package agent is one host's part of the farm: it tells a scheduler what the
// host can carry and runs what the scheduler places here, each assignment in a
// worker process of its own.
//
// Invariants: a scheduler that is away changes nothing for what runs; an agent
// that ends leaves its workers running and the next one adopts them, unless it
// was told to finish them; two agents never share a data directory.
//
// It must not know media: what a worker does is the worker's.
package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/link"
	"github.com/galafarm/gala/agent/metrics"
	"github.com/galafarm/gala/agent/supervisor"
	"golang.org/x/sync/errgroup"
)

// Run is the whole agent, until ctx ends or the parent named in cfg does.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.check()
	if err != nil {
		return fmt.Errorf("agent configuration: %w", err)
	}
	cfg.Log = cfg.Log.With("agent", cfg.Name)
	data, err := claim(ctx, cfg.Data, claimPatience, cfg.Log)
	if err != nil {
		return err
	}
	defer data.release()
	scrapes, err := cfg.listenMetrics()
	if err != nil {
		return err
	}
	defer closeListener(scrapes)
	cache, err := supervisor.MakeComputeCache(filepath.Join(cfg.Data, "compute-cache"))
	if err != nil { // slower starts on GPUs, and no reason to do without the host
		cfg.Log.Warn("every worker on a GPU compiles its kernels anew", "error", err)
	}
	outbox := link.NewOutbox(cfg.Log)
	failed := newFailures()
	workers, err := supervisor.New(supervisor.Config{
		Ended: failed.ended,
		Dir:   filepath.Join(cfg.Data, "workers"), Worker: cfg.Worker, Cache: cache, Reports: outbox,
		Log: cfg.Log, Limits: cfg.Limits, StopOnExit: cfg.StopWorkersOnExit,
	})
	if err != nil {
		return err
	}
	poller := gpu.NewPoller(cfg.Log)
	devices, endTrials := cfg.look(ctx, poller, outbox, cache, workers, failed)
	defer endTrials()
	voice := &voice{cfg: cfg, instance: rand.Text(), workers: workers, devices: devices}
	up, err := link.New(link.Config{
		Schedulers: cfg.Schedulers, Agent: voice, Outbox: outbox,
		Dial: link.GRPC(cfg.Connect...), Timing: cfg.Timing, Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	return assemble(ctx, cfg, workers, up, devices, &telemetry{workers: workers, outbox: outbox, gpus: poller}, scrapes)
}

// look for devices, and try them. An agent that holds workers attaches at once: the
// farm counts on hearing of them within a second, and hears of the GPUs when they are tried.
func (c Config) look(ctx context.Context, poller *gpu.Poller, outbox *link.Outbox, cache supervisor.ComputeCache, workers *supervisor.Supervisor, failed *failures) (all *gpus, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	all = newGPUs(cpu(ctx, c.Worker, c.Limits), c.Log, trialBy(c.Worker, cache, c.Limits), poller.Snapshot, outbox.Offers)
	all.work = func() map[string]work { return workOf(workers.Running(), workers.Undying(), time.Now()) }
	all.fail = failed
	all.book = newGPUBook(cmp.Or(os.Getenv("GALA_TWIN"), c.Data), c.Log) // a twin's GPUs go with it
	inventory := listGPUs(ctx)
	if inventory.Reason != "" {
		c.Log.Info("no GPU, or not all", "reason", inventory.Reason)
	}
	c.Log.Info("device", "device", all.cpu.GetId(), "model", all.cpu.GetModel(), "role", all.cpu.GetRole(), "reason", all.cpu.GetRoleReason())
	patience := startPatience
	if len(workers.Held()) > 0 {
		patience = 0
	}
	all.begin(ctx, inventory, patience)
	poller.Expect(all.missed()...)
	return all, func() { cancel(); all.trials.Wait() }
}

// assemble ends in order: first the workers (where they end with the agent),
// then the link, which still tells how.
func assemble(ctx context.Context, cfg Config, workers *supervisor.Supervisor, up *link.Link, devices *gpus, t *telemetry, scrapes net.Listener) error {
	all, ctx := errgroup.WithContext(ctx)
	parent, orphaned := context.WithCancelCause(ctx)
	defer orphaned(nil)
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	defer unlink()
	all.Go(func() error { return withParent(parent, cfg.Parent, orphaned) })
	all.Go(func() error {
		defer unlink()
		return workers.Run(parent)
	})
	all.Go(func() error { return up.Run(linked) })
	all.Go(func() error { return t.gpus.Run(parent) })
	all.Go(func() error { return devices.Run(parent) })
	all.Go(func() error { return t.Run(parent, time.Second) })
	if scrapes != nil {
		all.Go(func() error { return metrics.Serve(parent, scrapes, metrics.Handler(HostName(), t.view, cfg.Log)) })
	}
	return all.Wait()
}

// listenMetrics is nil where nobody asked for metrics.
func (c Config) listenMetrics() (net.Listener, error) {
	if c.Metrics == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("listen for scrapes: %w; choose another address with --metrics HOST:PORT", err)
	}
	c.Log.Info("metrics", "url", "http://"+l.Addr().String()+"/metrics")
	return l, nil
}

func closeListener(l net.Listener) {
	if l != nil {
		l.Close()
	}
}
