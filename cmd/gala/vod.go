package main

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type vodCmd struct {
	Queue  vodQueueCmd `cmd:"" help:"Queue files, one job each."`
	Ls     vodLsCmd    `cmd:"" aliases:"list" help:"List VOD jobs, newest first."`
	Show   showCmd     `cmd:"" help:"Everything about one job."`
	Watch  watchCmd    `cmd:"" help:"Follow a job to its end."`
	Cancel stopCmd     `cmd:"" help:"Stop a job at once."`
	Retry  retryCmd    `cmd:"" help:"Queue a failed or cancelled job again; what it published stays."`

	Explain explainCmd `cmd:"" help:"Why a job is where it is, and what happened to it."`
	Record  recordCmd  `cmd:"" help:"Everything that happened to a job, as lines of JSON."`
}

type vodQueueCmd struct {
	Sources  []string      `arg:"" name:"source" help:"Files or URLs. A name that begins with a dash comes after --, or as ./-name."`
	Growing  time.Duration `help:"The sources are still being written: follow each until it has not grown for so long, 1s to 45s." placeholder:"30s"`
	Priority int32         `help:"Higher goes first, -100 to 100." default:"0"`
	MP4      []string      `name:"mp4" help:"Also make one MP4 file, ID/RUNG.mp4, of these video rungs, or of 'all'." placeholder:"RUNG"`
	Wait     bool          `help:"Follow the jobs to their end: 0 when all are done, 1 when one failed."`
	jobFlags
}

func (c *vodQueueCmd) Run(sh *shell) error {
	specs, err := c.jobs()
	if err != nil {
		return err
	}
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	ids, err := c.queue(sh, farm, specs)
	if err != nil {
		return err
	}
	if c.Wait {
		return sh.waitEnded(farm, ids)
	}
	return nil
}

func (c *vodQueueCmd) jobs() ([]*galav1.JobSpec, error) {
	ids, err := idsFor(c.ID, c.Sources)
	if err != nil {
		return nil, err
	}
	var specs []*galav1.JobSpec
	for i, source := range c.Sources {
		source, err := client.Growing(source, c.Growing)
		if err != nil {
			return nil, err
		}
		spec, err := c.spec(ids[i], source)
		if err != nil {
			return nil, err
		}
		spec.Priority, spec.Mp4 = c.Priority, c.MP4
		specs = append(specs, spec)
	}
	return specs, nil
}

// queue stops at the first job that is refused; those before it are queued.
func (c *vodQueueCmd) queue(sh *shell, farm *client.Client, specs []*galav1.JobSpec) ([]string, error) {
	var ids []string
	for _, spec := range specs {
		sh.warnMissing(spec.GetInput())
		got, err := farm.QueueVod(sh.ctx, spec)
		if err != nil {
			return nil, err
		}
		if err := sh.submitted(got); err != nil {
			return nil, err
		}
		ids = append(ids, spec.GetId())
	}
	return ids, nil
}

type retryCmd struct {
	jobArg
	Wait bool `help:"Follow the job to its end."`
}

func (c *retryCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	job, err := farm.Retry(sh.ctx, c.ID)
	if err != nil {
		return err
	}
	err = sh.print(job, func() error {
		_, err := fmt.Fprintf(sh.out, "%s: %s\n", c.ID, withReason(job))
		return err
	})
	if err != nil || !c.Wait {
		return err
	}
	return sh.waitEnded(farm, []string{c.ID})
}
