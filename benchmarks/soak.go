package main

import (
	"context"
	"os"
	"time"

	"github.com/galafarm/gala/benchmarks/soak"
)

type soakCmd struct {
	For   time.Duration `help:"Time of all faults." default:"30m"`
	Every time.Duration `help:"Between two faults, besides the time until the programme is steady." default:"12s"`
	Warm  time.Duration `help:"How long processes may grow at first." default:"3m"`
	Seed  uint64        `help:"Which faults, in which order." default:"1"`
}

func (s *soakCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	r, err := soak.Measure(ctx, soak.Options{For: s.For, Every: s.Every, Seed: s.Seed, Warm: s.Warm, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again()})
	if err != nil {
		return err
	}
	return c.keep(r)
}
