package scheduler

import (
	"time"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
	"github.com/galafarm/gala/timeline"
)

// recover a job that an agent runs and the store does not know: the store was
// lost, or never outlived its process. What is on air stays on air, and the
// record is made again from what the agent was told.
func (l *loop) recover(id string) {
	for _, h := range l.view.LeasesOf(id) {
		a, ok := h.Recovered.(*galav1.Assignment)
		if !ok || h.Outcome != nil {
			continue
		}
		j, err := remade(a, h.Agent.Name, h.Agent.Instance, time.Now())
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

// recovered is the end of such a write.
type recovered struct {
	id  string
	job job.Job
	err error
}

func (m recovered) take(l *loop, now time.Time) {
	if e := l.jobs[m.id]; m.err != nil {
		if e != nil && e.job.Revision == 0 {
			delete(l.jobs, m.id)
		}
		l.storeFailed(m.err, "job", m.id)
		l.wakes[m.id] = now.Add(retryWrite)
		return
	}
	l.jobs[m.id].writing = false
	l.adopt(now, m.job)
}

// remade is a record as far as an assignment tells it. The ladder's name is
// not among it; its renditions are.
func remade(a *galav1.Assignment, agent, instance string, now time.Time) (job.Job, error) {
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
			Encrypt: a.GetProtection().GetScheme(), Keys: a.GetProtection().GetKeys()},
		Recovered: true, State: job.Starting, Reason: "found running", Created: now, Updated: now,
		Source: source, Grid: &grid, Renditions: renditions, Thumbnails: wire.Thumbnails(a.GetThumbnails()), Epoch: a.GetEpoch(), Attempts: a.GetAttempt(),
	}
	if j.Live() && input.Pushed(j.Spec.Input) {
		j.Holder = agent // its ingest goes on
	}
	for _, o := range a.GetOutputs() {
		j.Outputs = append(j.Outputs, job.Output{URL: o.GetUrl()})
	}
	if a.GetAnchor() != nil {
		anchor, err := wire.Anchor(a.GetAnchor())
		if err != nil {
			return job.Job{}, err
		}
		j.Anchors = append(j.Anchors, anchor)
	}
	j.Placements = []job.Placement{placed(a, renditions, grid.Rate, agent, instance, now)}
	j.Record(now, "recovered", "agent "+agent+" runs it and the store had no record", "adopted with its epoch")
	return j, nil
}

// placed is the placement as it must have been.
func placed(a *galav1.Assignment, rs []ladders.Rendition, rate timeline.Rate, agent, instance string, now time.Time) job.Placement {
	cost := placement.CostOf(rs, rate, a.GetDevice() == fleet.CPU)
	return job.Placement{
		Assignment: a.GetId(), Agent: agent, Instance: instance, Device: a.GetDevice(), Epoch: a.GetEpoch(), Attempt: a.GetAttempt(),
		Reason: "adopted: it runs there", Granted: now, ResumedAt: -1, Cost: cost.Pixels, Sessions: cost.Sessions,
	}
}
