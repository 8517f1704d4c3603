package main

import (
	"errors"
	"fmt"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// waitEnded follows jobs to their end with their progress on standard error.
// It fails when one of them failed, after all have ended.
func (sh *shell) waitEnded(farm *client.Client, ids []string) error {
	show := sh.newProgress(ids)
	last := map[string]*galav1.Job{}
	for job, err := range farm.Watch(sh.ctx, sh.watch(ids...)) {
		if err != nil {
			show.close()
			return err
		}
		last[job.GetSpec().GetId()] = job
		show.update(job)
	}
	show.close()
	return sh.verdicts(ids, last)
}

// verdicts tells of every job that did not end well; the last one is the
// command's error.
func (sh *shell) verdicts(ids []string, last map[string]*galav1.Job) error {
	var worst error
	for _, id := range ids {
		if err := verdict(last[id]); err != nil {
			if worst != nil {
				sh.fail(worst)
			}
			worst = err
		}
	}
	return worst
}

// waitOnAir returns when every rendition has published.
func (sh *shell) waitOnAir(farm *client.Client, id string) error {
	for job, err := range farm.Watch(sh.ctx, sh.watch(id)) {
		if err != nil {
			return err
		}
		if job.GetState() == galav1.JobState_JOB_STATE_RUNNING || job.GetState() == galav1.JobState_JOB_STATE_DEGRADED {
			fmt.Fprintf(sh.err, "%s: on air\n", id)
			return nil
		}
		if !client.Ended(job.GetState()) {
			continue
		}
		if err := verdict(job); err != nil {
			return err
		}
		return &failure{exitFailed, fmt.Sprintf("job %s ended before it was on air: %s", id, withReason(job)), "`gala live explain " + id + "` tells what happened"}
	}
	return errors.New("the farm ended the watch before job " + id + " was on air")
}
