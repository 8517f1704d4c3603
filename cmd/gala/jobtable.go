package main

import (
	"fmt"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// listFlags are what `live ls` and `vod ls` share.
type listFlags struct {
	State []string `help:"Only jobs in these states: running, failed, …" placeholder:"STATE"`
	Limit int      `help:"At most this many, newest first; 0 lists all." default:"100"`
}

// list fetches as many as the flags want, and whether there are more.
func (f *listFlags) list(sh *shell, kind galav1.JobKind) (jobs []*galav1.Job, more bool, err error) {
	filter := client.Filter{Kind: kind}
	if filter.States, err = states(f.State); err != nil {
		return nil, false, err
	}
	farm, err := sh.farm()
	if err != nil {
		return nil, false, err
	}
	defer farm.Close()
	for job, err := range farm.List(sh.ctx, filter) {
		if err != nil {
			return nil, false, err
		}
		if f.Limit > 0 && len(jobs) == f.Limit {
			return jobs, true, nil
		}
		jobs = append(jobs, job)
	}
	return jobs, false, nil
}

// show lists jobs as rows under a header.
func (f *listFlags) show(sh *shell, kind galav1.JobKind, header string, row func(*galav1.Job) []string) error {
	jobs, more, err := f.list(sh, kind)
	if err != nil {
		return err
	}
	return printList(sh, "jobs", jobs, func() error {
		if len(jobs) == 0 {
			fmt.Fprintln(sh.err, "No jobs.")
			return nil
		}
		rows := make([][]string, len(jobs))
		for i, j := range jobs {
			rows[i] = row(j)
		}
		if err := sh.columns(header, rows); err != nil {
			return err
		}
		if more {
			fmt.Fprintf(sh.err, "The newest %d; --limit 0 lists all.\n", f.Limit)
		}
		return nil
	})
}

type liveLsCmd struct {
	listFlags
}

func (c *liveLsCmd) Run(sh *shell) error {
	return c.show(sh, galav1.JobKind_JOB_KIND_LIVE, "ID STATE LADDER SPEED WHERE AGE REASON", func(j *galav1.Job) []string {
		return []string{
			j.GetSpec().GetId(), stateWord(j.GetState()), ladderName(j.GetSpec()), slowest(j), where(j),
			age(sh.now(), j.GetCreatedAt()), j.GetReason(),
		}
	})
}

type vodLsCmd struct {
	listFlags
}

func (c *vodLsCmd) Run(sh *shell) error {
	return c.show(sh, galav1.JobKind_JOB_KIND_VOD, "ID STATE LADDER PRIORITY PROGRESS SPEED AGE REASON", func(j *galav1.Job) []string {
		return []string{
			j.GetSpec().GetId(), stateWord(j.GetState()), ladderName(j.GetSpec()), fmt.Sprint(j.GetSpec().GetPriority()),
			percent(j.GetProgressPermille()), slowest(j), age(sh.now(), j.GetCreatedAt()), j.GetReason(),
		}
	})
}
