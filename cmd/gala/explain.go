package main

import (
	"fmt"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type explainCmd struct {
	jobArg
}

// Run tells why a job is where it is: its state, its placements and what
// happened to it, each with its reason.
func (c *explainCmd) Run(sh *shell) error {
	job, err := c.get(sh)
	if err != nil {
		return err
	}
	return sh.print(explanation(job), func() error { return sh.explainJob(job) })
}

// explanation is the part of a job that says why.
func explanation(j *galav1.Job) *galav1.Job {
	return &galav1.Job{
		Spec: &galav1.JobSpec{Id: j.GetSpec().GetId(), Kind: j.GetSpec().GetKind()}, State: j.GetState(), Reason: j.GetReason(),
		Placements: j.GetPlacements(), Replicas: replicaStates(j), Error: j.GetError(), Events: j.GetEvents(), Attempts: j.GetAttempts(), Notes: j.GetNotes(),
	}
}

// replicaStates are the replicas without what they have made.
func replicaStates(j *galav1.Job) (all []*galav1.ReplicaView) {
	for _, r := range j.GetReplicas() {
		all = append(all, &galav1.ReplicaView{Number: r.GetNumber(), State: r.GetState(), Reason: r.GetReason(), Placement: r.GetPlacement()})
	}
	return all
}

func (sh *shell) explainJob(j *galav1.Job) error {
	fmt.Fprintf(sh.out, "%s is %s\n", j.GetSpec().GetId(), withReason(j))
	if e := j.GetError(); e != nil {
		fmt.Fprintf(sh.out, "It failed (%s): %s\n", e.GetCode(), e.GetMessage())
		if e.GetAdvice() != "" {
			fmt.Fprintf(sh.out, "What to do: %s\n", e.GetAdvice())
		}
	}
	for _, r := range j.GetReplicas() {
		fmt.Fprintf(sh.out, "Replica %d is %s: %s\n", r.GetNumber(), stateWord(r.GetState()), r.GetReason())
	}
	for _, p := range j.GetPlacements() {
		fmt.Fprintf(sh.out, "%s runs on %s/%s (epoch %d): %s\n", p.GetAssignment(), p.GetAgent(), p.GetDevice(), p.GetEpoch(), p.GetReason())
	}
	for _, n := range j.GetNotes() {
		fmt.Fprintf(sh.out, "Note: %s\n", n)
	}
	if len(j.GetEvents()) == 0 {
		return nil
	}
	fmt.Fprintln(sh.out)
	rows := make([][]string, len(j.GetEvents()))
	for i, e := range j.GetEvents() {
		rows[i] = []string{clock(sh.now(), e.GetTime()), e.GetKind(), dash(e.GetCause()), dash(e.GetEffect())}
	}
	return sh.columns("TIME EVENT CAUSE EFFECT", rows)
}
