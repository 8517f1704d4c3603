package vod

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
)

// farmRuns measures the same job through the whole farm: `gala vod queue
// --wait`, output at the farm's own origin.
func (b *bench) farmRuns(ctx context.Context) (err error) {
	dir, err := b.fresh("farm")
	if err != nil {
		return err
	}
	f, err := farm.Start(ctx, b.Binaries.Gala, dir)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := f.Stop(); err == nil {
			err = stopErr
		}
	}()
	run := &farmRun{b: b, farm: f}
	b.raw.Farm, err = harness.Interleave(ctx, b.FarmPairs, run.once, b.peer, func(i int, p harness.Pair) { b.tell("farm", b.FarmPairs, i, p) })
	if err != nil {
		return err
	}
	return b.sameFromFarm(ctx, filepath.Join(f.Data, "origin", run.id()))
}

type farmRun struct {
	b    *bench
	farm *farm.Farm
	n    int
}

func (r *farmRun) id() string { return fmt.Sprintf("vod-%d", r.n) }

// once queues the clip and waits for it. Its cost is everything that the farm
// and the command used meanwhile; memory is of several processes and left out.
func (r *farmRun) once(ctx context.Context) (harness.Usage, error) {
	r.n++
	before, err := r.farm.Cost()
	if err != nil {
		return harness.Usage{}, err
	}
	u, err := harness.Measure(ctx, harness.Command{
		Path: r.b.Binaries.Gala, Args: []string{"vod", "queue", r.b.plan.clip, "--id", r.id(), "--ladder", r.b.Ladder, "--wait", "--farm", r.farm.Address},
	})
	if err != nil {
		return u, err
	}
	after, err := r.farm.Cost()
	u.User, u.Peak, u.Switches = u.User+after.Since(before).All(), 0, 0
	return u, err
}

// sameFromFarm checks that the farm made what its worker alone makes:
// as many frames, as good. x264 on several threads, under a VBV, looks at what the
// others have used so far and does not repeat itself to the bit.
func (b *bench) sameFromFarm(ctx context.Context, tree string) error {
	if _, err := os.Stat(tree); err != nil {
		return fmt.Errorf("look at the farm's output: %w", err)
	}
	for i, r := range b.plan.video() {
		got, err := b.plan.look(ctx, b.Binaries.FFmpeg, tree, r)
		if err != nil {
			return fmt.Errorf("look at the farm's %s: %w", r.Name, err)
		}
		if want := b.raw.Ours[i]; got.Frames != want.Frames || math.Abs(got.XPSNR-want.XPSNR) > equal {
			return fmt.Errorf("the farm's %s is not what the worker makes: %d frames at %.3f dB against %d at %.3f dB", r.Name, got.Frames, got.XPSNR, want.Frames, want.XPSNR)
		}
	}
	return nil
}
