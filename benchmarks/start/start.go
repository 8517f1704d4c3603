package start

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Options of the benchmark.
type Options struct {
	Ladder string
	Runs   int
	// Steady is how long one job is left alone to see what the farm costs
	// around it.
	Steady   time.Duration
	Binaries harness.Binaries
	Dir      string // for the farm; everything in it may go
	Ledger   string // where finished runs are kept
	Command  string
	Log      io.Writer
}

// raw is what the figures are made from.
type raw struct {
	Runs []Run `json:"runs"`
	// Idle is a farm without a job, Steady one with a job on air, both for as
	// long as the setting says.
	Idle   farm.Cost `json:"idle"`
	Steady farm.Cost `json:"steady"`
	Gala   int64     `json:"gala_peak_rss_bytes"`
	Agent  int64     `json:"agent_peak_rss_bytes"`
}

type bench struct {
	Options
	around   *harness.Around
	versions harness.Versions
	farm     *farm.Farm
	web      *http.Client
	raw      raw
}

// Measure runs the benchmark against a farm of its own.
func Measure(ctx context.Context, o Options) (r harness.Record, err error) {
	b := &bench{Options: o, around: harness.Begin(), web: &http.Client{Timeout: 10 * time.Second}}
	if b.versions, err = o.Binaries.Read(ctx); err != nil {
		return r, err
	}
	if b.farm, err = farm.Start(ctx, o.Binaries.Gala, o.Dir); err != nil {
		return r, err
	}
	err = b.measure(ctx)
	used, costErr := b.farm.Cost()
	b.raw.Gala, b.raw.Agent = b.farm.Memory()
	if stopErr := b.farm.Stop(); err == nil {
		err = stopErr
	}
	if err != nil || costErr != nil {
		return r, fmt.Errorf("start: %w", first(err, costErr))
	}
	b.around.End(harness.ThisHost().Cores, used.Worker)
	return b.record(), nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context) (err error) {
	if b.raw.Idle, err = b.over(ctx, b.Steady/2); err != nil {
		return err
	}
	if err := b.steady(ctx); err != nil {
		return err
	}
	l, err := harness.OpenLedger[Run](b.Ledger, fmt.Sprintf("%s %s %s", b.versions.Commit, b.Ladder, harness.ThisHost().CPU))
	if err != nil {
		return err
	}
	for n := len(l.Runs); n < b.Runs; n++ {
		if err := b.next(ctx, l, n); err != nil {
			return err
		}
	}
	b.raw.Runs = l.Runs
	return nil
}

// next makes one run. The pauses between runs differ, so that they fall on any
// part of a segment.
func (b *bench) next(ctx context.Context, l *harness.Ledger[Run], n int) error {
	if err := sleep(ctx, time.Duration(n*137%500)*time.Millisecond); err != nil {
		return err
	}
	load := harness.LoadNow().One
	r, err := one(ctx, b.farm, b.web, fmt.Sprintf("start-%d", n), b.Ladder)
	if err != nil {
		return fmt.Errorf("run %d: %w", n+1, err)
	}
	r.Load = load
	fmt.Fprintf(b.Log, "start %s: run %d of %d: %.3f s (all %.3f s), load %.1f\n", b.Ladder, n+1, b.Runs, r.First, r.All, load)
	return l.Add(r)
}

// steady is what a farm costs around a job that nobody looks at.
func (b *bench) steady(ctx context.Context) error {
	const id = "steady"
	if _, err := b.farm.Client.SubmitLive(ctx, &galav1.JobSpec{Id: id, Input: "testcard:", Ladder: b.Ladder}); err != nil {
		return err
	}
	p := player{http: b.web, tree: b.farm.Page + "/origin/" + id}
	if _, _, err := p.segments(ctx); err != nil {
		return err
	}
	var err error
	if b.raw.Steady, err = b.over(ctx, b.Steady); err != nil {
		return err
	}
	return stop(ctx, b.farm, id)
}

// over is what the farm uses in a while.
func (b *bench) over(ctx context.Context, d time.Duration) (farm.Cost, error) {
	before, err := b.farm.Cost()
	if err != nil {
		return farm.Cost{}, err
	}
	if err := sleep(ctx, d); err != nil {
		return farm.Cost{}, err
	}
	after, err := b.farm.Cost()
	return after.Since(before), err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
