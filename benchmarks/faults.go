package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/benchmarks/faults"
	"github.com/galafarm/gala/internal/netns"
)

type faultsCmd struct {
	Kinds  []string      `help:"Kinds of faults, as gala rehearse --list explains them, on other stages with hosts/, replicas/ or inputs/ before them; default: all, those that want hosts where they can be made."`
	Each   int           `help:"Faults of each kind, those of an interrupted call among them." default:"100"`
	PerJob int           `help:"Faults that one job lives through." default:"40"`
	Lanes  int           `help:"Rehearsals side by side, each on a farm of its own." default:"1"`
	Room   float64       `help:"Share of the machine that has to be idle for ten seconds before a fault, which waits for it." default:"0.25"`
	Every  time.Duration `help:"Between two faults, besides the time until the programme is steady." default:"6s"`
	For    time.Duration `help:"Stop after so long; the record is made of what there is, and the same call goes on from there."`
	Ledger string        `help:"Where finished faults are kept, as lines of JSON, each with its commit and machine; default RESULTS/faults.jsonl. Remove it to begin anew." type:"path"`
}

func (f *faultsCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	if f.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.For)
		defer cancel()
	}
	ledger, kinds := f.Ledger, f.Kinds
	if ledger == "" {
		ledger = filepath.Join(c.Results, "faults.jsonl")
	}
	if len(kinds) == 0 {
		hosts, err := netns.New()
		if err == nil {
			err = hosts.Close()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "faults: kinds that want hosts are left out: %v\n", err)
		}
		kinds = faults.Kinds(err == nil)
	}
	r, err := faults.Measure(ctx, faults.Options{
		Kinds: kinds, Each: f.Each, PerJob: f.PerJob, Lanes: f.Lanes, Every: f.Every, Room: f.Room, Binaries: bin, Dir: dir, Ledger: ledger, Log: os.Stderr, Command: again(),
	})
	if r.Name == "" { // nothing is measured
		return err
	}
	return errors.Join(err, c.keep(r))
}
