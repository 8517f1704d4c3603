package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
)

// shortCmd is two minutes of everything. What it finds goes to a folder of its
// own: too few runs for a record, enough to see that something broke.
type shortCmd struct {
	Clip string `help:"What to encode, as for vod." type:"path"`
}

func (s *shortCmd) Run(ctx context.Context, c *cli) error {
	committed := c.Results
	c.Results = filepath.Join(c.Build, "bench")
	if err := os.RemoveAll(c.Results); err != nil {
		return err
	}
	if err := (&vodCmd{Clip: s.Clip, Ladder: []string{"mini"}, Pairs: 3, Farm: 1, Rounds: 1, Starts: 3}).Run(ctx, c); err != nil {
		return err
	}
	if err := (&startCmd{Ladder: "mini", Runs: 6, Steady: 10 * time.Second, Ledger: filepath.Join(c.Results, "runs")}).Run(ctx, c); err != nil {
		return err
	}
	return errors.Join(beside(os.Stdout, c.Results, committed, "vod-mini"), beside(os.Stdout, c.Results, committed, "start-mini"))
}

// beside prints the ratios and the figures with a bar next to those that are
// committed. Absolute times of two machines are not compared: start-up times
// are, because most of them is the segment.
func beside(w io.Writer, now, committed, name string) error {
	mine, err := harness.Read(filepath.Join(now, name+".json"))
	if err != nil {
		return err
	}
	theirs, err := harness.Read(filepath.Join(committed, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s: now, and as committed (%s, load %.1f)\n", name, theirs.Versions.Commit, theirs.Around.Before.One)
	for _, f := range mine.Figures {
		if f.Unit != "x" && f.Bar == nil {
			continue
		}
		for _, g := range theirs.Figures {
			if g.Name == f.Name && g.Group == f.Group {
				fmt.Fprintf(w, "  %-60s p50 %8.3f %8.3f %s\n", f.Group+": "+f.Name, f.Dist.P50, g.Dist.P50, f.Unit)
			}
		}
	}
	return nil
}
