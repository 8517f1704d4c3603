package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type watchCmd struct {
	jobArg
}

func (c *watchCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	return sh.follow(farm, c.ID)
}

// follow prints a job's changes until it has ended; how it ended is the
// command's result.
func (sh *shell) follow(farm *client.Client, id string) error {
	teller := teller{sh: sh, seen: map[string]bool{}}
	var last *galav1.Job
	for job, err := range farm.Watch(sh.ctx, sh.watch(id)) {
		if err != nil {
			return err
		}
		last = job
		if err := sh.printLine(job, func() error { return teller.tell(job) }); err != nil {
			return err
		}
	}
	return verdict(last)
}

// watch follows jobs to their end and says when the farm went away.
func (sh *shell) watch(ids ...string) client.Watch {
	return client.Watch{IDs: ids, UntilEnded: true, Lost: func(error) {
		fmt.Fprintln(sh.err, "gala: the farm went away; trying again")
	}}
}

// verdict is a job's end as the command's: done is success.
func verdict(j *galav1.Job) error {
	id := j.GetSpec().GetId()
	switch j.GetState() {
	case galav1.JobState_JOB_STATE_FAILED:
		return &failure{exitFailed, fmt.Sprintf("job %s failed: %s", id, failureOf(j)), j.GetError().GetAdvice()}
	case galav1.JobState_JOB_STATE_CANCELLED:
		if j.GetSpec().GetKind() == galav1.JobKind_JOB_KIND_LIVE {
			return nil // how a live job ends
		}
		return &failure{exitFailed, fmt.Sprintf("job %s was cancelled: %s", id, j.GetReason()), "`gala vod retry " + id + "` queues it again"}
	}
	return nil
}

func failureOf(j *galav1.Job) string {
	if e := j.GetError(); e != nil {
		return e.GetMessage()
	}
	return j.GetReason()
}

// teller writes what is new about one job, a line each.
type teller struct {
	sh     *shell
	state  galav1.JobState
	reason string
	seen   map[string]bool // events told
	told   time.Time       // of the last line of progress
}

func (t *teller) tell(j *galav1.Job) error {
	for _, e := range j.GetEvents() {
		key := e.String() // several events may carry one time
		if !t.seen[key] {
			t.seen[key] = true
			t.line(clock(t.sh.now(), e.GetTime()), e.GetKind(), e.GetCause(), e.GetEffect())
		}
	}
	if j.GetState() != t.state || j.GetReason() != t.reason {
		t.state, t.reason, t.told = j.GetState(), j.GetReason(), time.Time{}
		t.line(clock(t.sh.now(), j.GetUpdatedAt()), stateWord(j.GetState()), j.GetReason())
	}
	return t.progress(j)
}

func (t *teller) line(words ...string) {
	var shown []string
	for _, w := range words {
		if w != "" {
			shown = append(shown, w)
		}
	}
	fmt.Fprintln(t.sh.out, strings.Join(shown, "  "))
}

// progress is one line every five seconds.
func (t *teller) progress(j *galav1.Job) error {
	now := t.sh.now()
	if len(j.GetRenditions()) == 0 || client.Ended(j.GetState()) || now.Sub(t.told) < 5*time.Second {
		return nil
	}
	t.told = now
	var parts []string
	if j.GetSpec().GetKind() == galav1.JobKind_JOB_KIND_VOD {
		parts = append(parts, percent(j.GetProgressPermille()))
	}
	parts = append(parts, slowest(j))
	for _, r := range j.GetRenditions() {
		parts = append(parts, r.GetRendition().GetName()+" #"+lastSegment(r))
	}
	_, err := fmt.Fprintf(t.sh.out, "%s  %s\n", clock(now, j.GetUpdatedAt()), strings.Join(parts, "  "))
	return err
}
