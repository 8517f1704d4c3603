package scheduler

import (
	"slices"
	"time"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
	"github.com/galafarm/gala/scheduler/reconcile"
	"github.com/galafarm/gala/timeline"
)

// recover a job that an agent runs and the store does not know: the store was
// lost, or never outlived its process. What is on air stays on air, and the
// record is made again from what the agent was told.
func (l *loop) recover(now time.Time, id string) {
	leases := l.view.LeasesOf(id)
	if len(leases) == 0 {
		l.letGo(now, id)
		return
	}
	for _, h := range leases {
		a, ok := h.Recovered.(*galav1.Assignment)
		if !ok || h.Outcome != nil {
			continue
		}
		j, err := remade(a, h.Agent, time.Now())
		if err != nil {
			l.log.Error("an agent runs a job that cannot be remade; it is left running", "job", id, "agent", h.Agent.Name, "error", err)
			return
		}
		l.log.Warn("the store had no record of a job that runs; it is made again", "job", id, "agent", h.Agent.Name)
		l.jobs[id] = &entry{job: job.Job{Spec: j.Spec}, writing: true}
		l.writes.create(j)
		return
	}
}

// letGo of a source that is held warm for a job which nobody knows, once every
// agent that may run it has had time to attach: it would be held until its agent
// ends.
func (l *loop) letGo(now time.Time, id string) {
	holding := l.view.Holding(id)
	if len(holding) == 0 {
		return
	}
	if now.Before(l.settleAt) {
		l.wakes[id] = l.settleAt
		return
	}
	p := reconcile.Plan{Job: job.Job{Spec: job.Spec{ID: id}}}
	for _, a := range holding {
		if a.Alive() {
			l.log.Warn("an agent holds the source of a job that is not known; it is let go", "job", id, "agent", a.Name)
			p.Sends = append(p.Sends, reconcile.Send{Agent: a.Name, Hold: &reconcile.Hold{Release: true}})
		}
	}
	l.dispatch(now, p)
}

// recovered is the end of such a write.
type recovered struct {
	id  string
	job job.Job
	err error
}

func (m recovered) take(l *loop, now time.Time) {
	if e := l.jobs[m.id]; m.err != nil {
		switch {
		case e == nil:
		case e.job.Revision == 0:
			delete(l.jobs, m.id)
		default: // it was written after all, as the watch has told
			e.writing = false
		}
		l.storeFailed(m.err, "job", m.id)
		l.wakes[m.id] = now.Add(retryWrite)
		return
	}
	e := l.jobs[m.id]
	e.writing = false
	l.adopt(now, m.job)
	l.recount(e, e.job)
}

// remade is a record as far as an assignment tells it. The ladder's name is
// not among it; its renditions are.
func remade(a *galav1.Assignment, agent *fleet.Agent, now time.Time) (job.Job, error) {
	grid, err := wire.Grid(a.GetGrid())
	if err != nil {
		return job.Job{}, err
	}
	renditions, err := wire.Renditions(a.GetRenditions())
	if err != nil {
		return job.Job{}, err
	}
	source, err := api.SourceOf(a.GetSource())
	if err != nil {
		return job.Job{}, err
	}
	j := job.Job{
		Spec: job.Spec{ID: a.GetJob(), Kind: api.KindOf(a.GetKind()), Input: a.GetInput(), Ladder: "recovered", WindowSeconds: a.GetWindowSeconds(), MP4: a.GetMp4(),
			Encrypt: a.GetProtection().GetScheme(), Keys: a.GetProtection().GetKeys(), Logos: wire.Logos(a.GetLogos())},
		Recovered: true, State: job.Starting, Reason: "found running", Created: now, Updated: now,
		Source: source, Grid: &grid, Renditions: renditions, Thumbnails: wire.Thumbnails(a.GetThumbnails()), Attempts: a.GetAttempt(),
	}
	// Of a redundant job, its other replicas are found running too, or begin anew
	// when their agents have had time to attach.
	j.Spec.Redundancy, j.Spec.Steering = a.GetReplicas(), a.GetSteering()
	j.Replicate()
	for i := range j.Replicas {
		j.Replicas[i].Retry.NotBefore = now.Add(othersAttach)
	}
	for _, o := range a.GetOutputs() {
		j.Outputs = append(j.Outputs, job.Output{URL: api.JobTree(o.GetUrl(), a.GetReplica())})
	}
	if a.GetAnchor() != nil {
		anchor, err := wire.Anchor(a.GetAnchor())
		if err != nil {
			return job.Job{}, err
		}
		j.Anchors = append(j.Anchors, anchor)
	}
	if err := remakeInputs(&j, a); err != nil {
		return job.Job{}, err
	}
	if j.Live() && slices.ContainsFunc(append([]string{j.Spec.Input}, j.Spec.Backups...), input.Pushed) {
		j.Holder = agent.Name // its ingests go on
	}
	pl := placed(a, source.Ladder, renditions, grid.Rate, agent, now)
	r := &j.Replicas[0]
	if n := int(a.GetReplica()); n > 0 && n <= len(j.Replicas) {
		r = &j.Replicas[n-1]
	}
	r.Epoch, r.Placement = a.GetEpoch(), &pl
	r.OnScreen = job.OnScreen{Input: int(a.GetOnAir()), Obeyed: a.GetOrderObeyed(), LagUS: a.GetLagUs()}
	j.Record(now, "recovered", "agent "+agent.Name+" runs it and the store had no record", "adopted with its epoch")
	return j, nil
}

// othersAttach is how long agents that may run other replicas of a remade job have
// to attach again.
const othersAttach = 5 * time.Second

// remakeInputs is what the assignment says of a live job's inputs.
func remakeInputs(j *job.Job, a *galav1.Assignment) error {
	j.Spec.Loss, j.Spec.Slate = wire.Loss(a.GetFailover()), wire.Slate(a.GetSlate())
	o := a.GetOrder()
	j.Inputs.Order = job.InputOrder{Input: int(o.GetInput()), Number: o.GetNumber()}
	for i, b := range a.GetBackups() {
		j.Spec.Backups = append(j.Spec.Backups, b.GetUrl())
		if b.GetAnchor() == nil {
			continue
		}
		anchor, err := wire.Anchor(b.GetAnchor())
		if err != nil {
			return err
		}
		j.SetAnchors(i+1, []timeline.Anchor{anchor})
	}
	return nil
}

// placed is the placement as it must have been.
func placed(a *galav1.Assignment, source ladders.Source, rs []ladders.Rendition, rate timeline.Rate, agent *fleet.Agent, now time.Time) job.Placement {
	cost := placement.CostOf(source, rs, rate, a.GetDevice() == fleet.CPU)
	return job.Placement{
		Assignment: a.GetId(), Agent: agent.Name, Instance: agent.Instance, Device: a.GetDevice(), Epoch: a.GetEpoch(), Attempt: a.GetAttempt(),
		Reason: "adopted: it runs there", Granted: now, ResumedAt: -1, Cost: cost.Pixels, Sessions: cost.Sessions, Host: cost.Host,
		Domain: reconcile.Domain(agent),
	}
}
