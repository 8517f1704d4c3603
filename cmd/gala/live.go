package main

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type liveCmd struct {
	Submit  liveSubmitCmd `cmd:"" help:"Put a live job on air."`
	Ls      liveLsCmd     `cmd:"" aliases:"list" help:"List live jobs, newest first."`
	Show    showCmd       `cmd:"" help:"Everything about one job."`
	Watch   watchCmd      `cmd:"" help:"Follow a job: its changes as they happen."`
	Stop    stopCmd       `cmd:"" help:"Take a job off air after its open segment."`
	Switch  switchCmd     `cmd:"" help:"Put another of a job's inputs on air."`
	Explain explainCmd    `cmd:"" help:"Why a job is where it is, and what happened to it."`
	Record  recordCmd     `cmd:"" help:"Everything that happened to a job, as lines of JSON."`
}

type liveSubmitCmd struct {
	Input string `help:"What to read: a URL, a file (played in real time, looped), or testcard:?fps=25&size=1280x720." xor:"what" required:"" placeholder:"URL"`
	File  string `short:"f" help:"Read the whole job from a YAML file instead." xor:"what" required:"" placeholder:"FILE"`
	Wait  bool   `help:"Return when the job is on air, with 1 when it failed."`
	Watch bool   `help:"Follow the job after submitting it."`

	Backup     []string      `help:"Input to fall back to; may be repeated, the first comes first." sep:"none" placeholder:"URL"`
	Redundancy uint32        `help:"Independent runs of the same renditions." default:"1" placeholder:"N"`
	Steering   string        `help:"Which of several runs players take: by a steering manifest beside the playlists (the default), off, or by another steering server." placeholder:"off|URL"`
	Window     time.Duration `help:"How much stays listed and readable." default:"15m"`
	lossFlags
	jobFlags
}

func (c *liveSubmitCmd) Run(sh *shell) error {
	spec, err := c.job()
	if err != nil {
		return err
	}
	sh.warnMissing(spec.GetInput())
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	got, err := farm.SubmitLive(sh.ctx, spec)
	if err != nil {
		return err
	}
	if err := sh.submitted(got); err != nil {
		return err
	}
	switch id := got.Job.GetSpec().GetId(); {
	case c.Wait:
		return sh.waitOnAir(farm, id)
	case c.Watch:
		return sh.follow(farm, id)
	}
	return nil
}

func (c *liveSubmitCmd) job() (*galav1.JobSpec, error) {
	if c.File != "" {
		return readJobFile(c.File)
	}
	id := c.ID
	if id == "" {
		id = idFor(c.Input)
	}
	spec, err := c.spec(id, c.Input)
	if err != nil {
		return nil, err
	}
	spec.Backups, spec.Redundancy, spec.Steering = c.Backup, c.Redundancy, c.Steering
	if spec.WindowSeconds, err = windowSeconds(c.Window); err != nil {
		return nil, err
	}
	return spec, c.add(spec)
}

type stopCmd struct {
	jobArg
	Reason string `help:"Why, for the record." default:"stopped by its operator" placeholder:"TEXT"`
}

func (c *stopCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	job, err := farm.Cancel(sh.ctx, c.ID, c.Reason)
	if err != nil {
		return err
	}
	return sh.print(job, func() error {
		says := withReason(job)
		if !client.Ended(job.GetState()) {
			says = "stopping"
		}
		_, err := fmt.Fprintf(sh.out, "%s: %s\n", c.ID, says)
		return err
	})
}
