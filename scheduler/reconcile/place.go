package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
)

// place finds a device for a job that has none.
func (p *pass) place() {
	if p.Now.Before(p.job.Retry.NotBefore) {
		p.wake(p.job.Retry.NotBefore)
		return
	}
	d := p.decide()
	if d.Chosen == nil {
		p.plan.Blocked = true
		if p.Now.Before(p.job.Retry.LeftUntil) {
			p.wake(p.job.Retry.LeftUntil)
		}
		p.restate(p.without(), d.Why())
		return
	}
	cause := "submitted"
	if p.job.Attempts > 0 {
		cause = "started again"
	}
	p.grant(*d.Chosen, cause)
}

// restateEvery bounds how often a mere change of the numbers in a reason is
// written: a hundred waiting jobs must not be rewritten whenever one ends.
const restateEvery = 5 * time.Second

func (p *pass) restate(s job.State, reason string) {
	if p.job.State == s && p.job.Reason != reason {
		if due := p.job.Updated.Add(restateEvery); p.Now.Before(due) {
			p.wake(due)
			return
		}
	}
	p.enter(s, reason)
}

// without a device a job on air is degraded, any other waits.
func (p *pass) without() job.State {
	if p.job.Live() && p.job.OnAir {
		return job.Degraded
	}
	return job.Waiting
}

func (p *pass) decide() placement.Decision {
	if p.shared.devices == nil {
		p.shared.devices = Devices(p.Fleet, p.Used)
	}
	return placement.Place(placement.Request{
		Kind: p.job.Spec.Kind, CPU: p.job.Spec.Effective().CPU,
		Renditions: p.job.Renditions, Rate: p.job.Grid.Rate, Avoid: p.job.Retry.Avoid, Holder: p.job.Holder,
	}, p.notTheLeaver(p.shared.devices))
}

// notTheLeaver closes the agent that has just handed this job over: it ends,
// and says so only by ending.
func (p *pass) notTheLeaver(devices []placement.Device) []placement.Device {
	if p.job.Retry.Left == "" || !p.Now.Before(p.job.Retry.LeftUntil) {
		return devices
	}
	devices = slices.Clone(devices)
	for i, d := range devices {
		if d.Closed == "" && p.instance(d.Agent) == p.job.Retry.Left {
			devices[i].Closed = "has just handed it over"
		}
	}
	return devices
}

// Devices is the fleet as placement sees it.
func Devices(v *fleet.View, used Used) []placement.Device {
	var all []placement.Device
	for _, a := range v.Agents() {
		for _, d := range a.Devices {
			all = append(all, placement.Device{
				Agent: a.Name, ID: d.ID, Model: d.Model, Role: d.Role, RoleReason: d.RoleReason,
				CPU: d.ID == fleet.CPU, Encoders: d.Encoders, Capacity: d.PixelsPerSecond,
				MaxSessions: d.MaxSessions, Used: used[Device{a.Name, d.ID}], Closed: closed(a),
			})
		}
	}
	return all
}

func closed(a *fleet.Agent) string {
	switch {
	case a.Lost:
		return "is lost: no beat since " + a.LastBeat.UTC().Format(time.TimeOnly)
	case !a.Connected:
		return "has just lost its link"
	}
	return ""
}

// grant makes the one placement of the job: a new epoch, in the same write.
func (p *pass) grant(c placement.Choice, cause string) {
	resumeAt, resume := p.published()
	p.job.Epoch++
	p.job.Attempts++
	pl := job.Placement{
		Assignment: AssignmentID(p.job.Spec.ID), Agent: c.Agent, Instance: p.instance(c.Agent), Device: c.Device,
		Epoch: p.job.Epoch, Attempt: p.job.Attempts, Reason: c.Reason, Granted: p.Now,
		ResumedAt: -1, Cost: c.Cost.Pixels, Sessions: c.Cost.Sessions,
	}
	start := Start{Renditions: c.Renditions, Anchor: p.anchor()}
	if resume {
		pl.ResumedAt = resumeAt
		start.Resume, start.ResumeSegment = true, resumeAt+1
	}
	start.Placement = pl
	p.job.Placements = []job.Placement{pl}
	p.heldBy(c.Agent)
	p.job.Renditions = slices.Clone(c.Renditions)
	effect := fmt.Sprintf("attempt %d with epoch %d on %s/%s: %s", pl.Attempt, pl.Epoch, c.Agent, c.Device, c.Reason)
	p.record("placed", cause, effect)
	p.enter(p.restarting(), fmt.Sprintf("starting on %s/%s", c.Agent, c.Device))
	p.trace("place on %s/%s epoch %d attempt %d%s: %s", c.Agent, c.Device, pl.Epoch, pl.Attempt, resumeText(start), c.Reason)
	p.send(Send{Agent: c.Agent, Start: &start})
}

// heldBy notes which agent a pushed source comes to from now on.
func (p *pass) heldBy(agent string) {
	if p.job.Live() && input.Pushed(p.job.Spec.Input) {
		p.job.Holder = agent
	}
}

// restarting: a job that was on air is degraded until it publishes again.
func (p *pass) restarting() job.State {
	if p.job.Live() && p.job.OnAir {
		return job.Degraded
	}
	return job.Starting
}

func (p *pass) instance(agent string) string {
	if a := p.Fleet.Agent(agent); a != nil {
		return a.Instance
	}
	return ""
}

func resumeText(s Start) string {
	if !s.Resume {
		return ""
	}
	return fmt.Sprintf(" resume %d", s.ResumeSegment)
}

// AssignmentID names the assignment of a job. The suffix keeps it apart from
// every other job's, whatever their ids.
func AssignmentID(jobID string) string { return jobID + "-0" }
