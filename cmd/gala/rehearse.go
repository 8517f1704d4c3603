package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/galafarm/gala/benchmarks/rehearsal"
	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type rehearseCmd struct {
	List       bool          `help:"Explain the faults, and do nothing." xor:"what" required:""`
	Faults     string        `help:"Which faults, and how often each: worker-kill:5,agent-kill:2." xor:"what" required:"" placeholder:"NAME[:N],…"`
	Every      time.Duration `help:"Between two faults; each waits besides until the programme is steady again." default:"20s" placeholder:"DURATION"`
	For        time.Duration `help:"End after so long; faults without a number fill it." placeholder:"DURATION"`
	Seed       uint64        `help:"Decides order and moments; the same again gives the same." default:"1" placeholder:"N"`
	Job        string        `help:"Rehearse a live job that is on air; default: one of the rehearsal's own." placeholder:"ID"`
	Ladder     string        `help:"Ladder of its own job: the name of a preset, or a YAML file." default:"mini" placeholder:"NAME|FILE"`
	Input      string        `help:"Input of its own job; default: the test card." placeholder:"URL"`
	Redundancy uint32        `help:"Independent runs of its own job, on several hosts." default:"1" placeholder:"N"`
	OwnOrigin  bool          `help:"Its own job writes to an origin of the rehearsal's, as with faults of the origin."`
	Host       string        `help:"This machine as agents reach it, for that origin and for sources." default:"127.0.0.1" placeholder:"ADDRESS"`
	Others     bool          `help:"Go on although other live jobs are on air: faults hit them too."`
	Restarted  bool          `help:"Something starts again what has ended: farm-kill may kill the farm, upgrade may restart all of it."`
	Results    string        `help:"File for the whole result (JSON); default: rehearsal-TIME.json here." type:"path" placeholder:"FILE"`
}

// Run a rehearsal: 0 when every fault stayed within its bars, 1 when one did
// not, 2 when it was refused.
func (c *rehearseCmd) Run(sh *shell) error {
	if c.List {
		return c.list(sh)
	}
	wishes, err := rehearsal.ParseWishes(c.Faults)
	if err != nil {
		return &failure{exitUsage, err.Error(), "`gala rehearse --list` explains the faults"}
	}
	if c.Every < time.Second || c.For < 0 {
		return &failure{exitUsage, "--every is a second or more, --for is not below 0", "--every 20s --for 10m"}
	}
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	addresses, err := client.Addresses(sh.flags.Farm...)
	if err != nil {
		return err
	}
	spec := &galav1.JobSpec{Input: c.Input, Redundancy: c.Redundancy}
	if err := setLadder(spec, c.Ladder); err != nil {
		return err
	}
	options := rehearsal.Options{
		Client: farm, Address: addresses[0], Job: c.Job, Own: spec, OwnOrigin: c.OwnOrigin, Host: c.Host,
		Wishes: wishes, Every: c.Every, For: c.For, Seed: c.Seed, Others: c.Others,
		Say: func(s string) { fmt.Fprintf(sh.err, "rehearse: %s\n", s) },
	}
	if c.Restarted {
		options.Restart = func() error { return c.back(sh, addresses[0]) }
	}
	report, err := rehearsal.Run(sh.ctx, options)
	return c.tell(sh, report, err)
}

// tell prints and keeps what was measured, also of a rehearsal that was cut short.
func (c *rehearseCmd) tell(sh *shell, report rehearsal.Report, err error) error {
	if errors.Is(err, rehearsal.ErrRefused) {
		return &failure{exitUsage, err.Error(), ""}
	}
	if err != nil && len(report.Results) == 0 {
		return err
	}
	name := c.Results
	if name == "" {
		name = "rehearsal-" + report.Began.UTC().Format("20060102-150405") + ".json"
	}
	if saveErr := report.Save(name); saveErr != nil {
		return saveErr
	}
	if printErr := sh.print(report, func() error { return report.WriteText(sh.out) }); printErr != nil {
		return printErr
	}
	fmt.Fprintf(sh.err, "rehearse: all of it is in %s\n", name)
	switch {
	case err != nil:
		return err
	case report.Failed() > 0:
		return &failure{code: exitFailed} // the report has said why
	case sh.ctx.Err() != nil:
		return sh.ctx.Err()
	}
	return nil
}

// backWithin is how long whatever starts the farm again may take.
const backWithin = time.Minute

// back waits for the farm to answer again.
func (c *rehearseCmd) back(sh *shell, address string) error {
	ctx, cancel := context.WithTimeout(sh.ctx, backWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := rehearsal.FindFarm(address); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("nothing started the farm at %s again within %v", address, backWithin)
		}
	}
}

func (c *rehearseCmd) list(sh *shell) error {
	type fault struct {
		Name  string `json:"name"`
		What  string `json:"what"`
		Needs string `json:"needs,omitempty"`
		Bars  string `json:"bars"`
	}
	var all []fault
	var rows [][]string
	for _, f := range rehearsal.Faults() {
		all = append(all, fault{f.Name, f.What, f.Needs, f.Bars.String()})
		rows = append(rows, []string{f.Name, f.What, dash(f.Needs), f.Bars.String()})
	}
	return sh.print(map[string]any{"faults": all}, func() error { return sh.columns("FAULT WHAT NEEDS BARS", rows) })
}
