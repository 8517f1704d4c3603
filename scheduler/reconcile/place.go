package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
)

// place finds a device for a replica that has none.
func (r run) place() {
	if r.Now.Before(r.r.Retry.NotBefore) {
		r.wake(r.r.Retry.NotBefore)
		r.keepSessions()
		return
	}
	d := r.decide(nil)
	if d.Chosen == nil {
		r.plan.Blocked = true
		if r.Now.Before(r.r.Retry.LeftUntil) {
			r.wake(r.r.Retry.LeftUntil)
		}
		r.restate(r.without(), r.makeRoom(d)+d.Why())
		return
	}
	cause := "submitted"
	if r.job.Attempts > 0 && r.r.Epoch > 0 {
		cause = "started again"
	}
	r.grant(*d.Chosen, cause)
}

// free gives up the placement, and the room that is kept for another.
func (r run) free() { r.r.Placement, r.r.Handover, r.r.Claim = nil, nil, nil }

// without a device what was on air is degraded, any other waits.
func (r run) without() job.State {
	if r.job.Live() && r.r.OnAir {
		return job.Degraded
	}
	return job.Waiting
}

// decide where the replica may run. closed says of a device why not there; it may
// be nil.
func (r run) decide(closed func(placement.Device) string) placement.Decision {
	if r.shared.devices == nil {
		r.shared.devices = Devices(r.Fleet, r.Used)
	}
	devices := r.shared.devices
	if r.handedBack() {
		devices = shut(devices, r.leaver)
	}
	if closed != nil {
		devices = shut(devices, closed)
	}
	failed, failedGPUs := r.failed()
	return placement.Place(placement.Request{
		Kind: r.job.Spec.Kind, CPU: r.job.Spec.Effective().CPU, Source: r.source(),
		Renditions: r.job.Renditions, Rate: r.job.Grid.Rate,
		Last: r.r.Retry.Last, Failed: failed, FailedGPUs: failedGPUs,
		Holder: r.holder(), Pushed: r.pushed(), Warm: r.job.Warm, Apart: r.apart(),
		Back: r.back[r.r.Number],
	}, devices)
}

// failed are the places that have failed the run of late, and how many GPUs among them
// may be the cause of it.
func (r run) failed() (places []string, gpus int) {
	for _, f := range r.r.Retry.FailedSince(r.Now.Add(-r.Settings.FailureStands)) {
		places = append(places, f.Place)
		if f.Device && !strings.HasSuffix(f.Place, "/"+fleet.CPU) {
			gpus++
		}
	}
	return places, gpus
}

// source is what is decoded, as far as it is known.
func (p *pass) source() ladders.Source {
	if p.job.Source == nil {
		return ladders.Source{}
	}
	return p.job.Source.Ladder
}

// shut is devices with those closed that why says something about.
func shut(devices []placement.Device, why func(placement.Device) string) []placement.Device {
	devices = slices.Clone(devices)
	for i, d := range devices {
		if d.Closed == "" {
			devices[i].Closed = why(d)
		}
	}
	return devices
}

// apart are the places of the job's other replicas, those included that they are
// being moved to or wait for.
func (r run) apart() (others []placement.Neighbour) {
	for i := range r.job.Replicas {
		o := &r.job.Replicas[i]
		if o.Number == r.r.Number {
			continue
		}
		if o.Placement != nil {
			others = append(others, placement.Neighbour{Replica: o.Number, Agent: o.Placement.Agent, Labels: o.Placement.Domain})
		}
		if o.Handover != nil && o.Handover.Agent != "" {
			others = append(others, placement.Neighbour{Replica: o.Number, Agent: o.Handover.Agent, Labels: o.Handover.Domain})
		}
		if o.Claim != nil {
			others = append(others, placement.Neighbour{Replica: o.Number, Agent: o.Claim.Agent, Labels: Domain(r.Fleet.Agent(o.Claim.Agent))})
		}
	}
	return others
}

// Domain is what an agent's labels say that it would fail together with.
func Domain(a *fleet.Agent) map[string]string {
	domain := map[string]string{}
	for _, label := range []string{"rack", "zone"} {
		if a != nil && a.Labels[label] != "" {
			domain[label] = a.Labels[label]
		}
	}
	return domain
}

// handedBack: an agent has just handed this work over because it ends.
func (r run) handedBack() bool { return r.r.Retry.Left != "" && r.Now.Before(r.r.Retry.LeftUntil) }

// leaver closes that agent: it says that it ends only by ending.
func (r run) leaver(d placement.Device) string {
	if r.instance(d.Agent) == r.r.Retry.Left {
		return "has just handed it over"
	}
	return ""
}

// Devices is the fleet as placement sees it.
func Devices(v *fleet.View, used Used) []placement.Device {
	var all []placement.Device
	for _, a := range v.Agents() {
		shared, host := used.Shared(a), processor(a, used)
		for _, d := range a.Devices {
			dev := placement.Device{
				Agent: a.Name, ID: d.ID, Model: d.Model, Role: d.Role, RoleReason: d.RoleReason,
				CPU: d.ID == fleet.CPU, Encoders: d.Encoders, TenBit: d.TenBit, Sizes: d.Sizes, Capacity: d.PixelsPerSecond,
				MaxSessions: d.MaxSessions, Used: used[Device{a.Name, d.ID}], Closed: closed(a),
				Labels: a.Labels, Cordoned: cordoned(v, a.Name, d.ID),
			}
			if !dev.CPU {
				dev.Host = host
			}
			limited := dev.Used
			if dev.SessionsShared = d.SessionsShared; d.SessionsShared {
				limited = shared
			}
			dev.Sessions, dev.Clips, dev.Leaving, dev.Claimed = limited.Sessions, limited.Clips, limited.Leaving, limited.Claimed
			if r, refused := a.Full[d.ID]; refused {
				dev.Full = &placement.Full{Sessions: r.Sessions, Why: fmt.Sprintf("at %s (%s)", r.At.UTC().Format(time.TimeOnly), r.Said)}
			}
			all = append(all, dev)
		}
	}
	return all
}

// processor of an agent's host, with what is placed there.
func processor(a *fleet.Agent, used Used) (p placement.Processor) {
	if d := a.Device(fleet.CPU); d != nil {
		p.Capacity = d.PixelsPerSecond
	}
	use := used[Device{a.Name, fleet.CPU}]
	p.Live, p.Clips = use.Live, use.Shares
	return p
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

func cordoned(v *fleet.View, agent, device string) string {
	if c := v.Cordon(agent, device); c != nil {
		return c.Why()
	}
	return ""
}

// grant makes the one placement of the replica: a new epoch, in the same write.
func (r run) grant(c placement.Choice, cause string) {
	resumeAt, resume := r.published()
	if r.r.Epoch == 0 {
		r.beginAsOthers()
	}
	r.r.Epoch++
	r.job.Attempts++
	pl := job.Placement{
		Assignment: AssignmentID(r.job.Spec.ID, r.r.Number), Agent: c.Agent, Instance: r.instance(c.Agent), Device: c.Device,
		Epoch: r.r.Epoch, Attempt: r.job.Attempts, Reason: c.Reason, Granted: r.Now,
		ResumedAt: -1, Cost: c.Cost.Pixels, Sessions: c.Cost.Sessions, Host: c.Cost.Host,
		Domain: Domain(r.Fleet.Agent(c.Agent)),
	}
	start := Start{Renditions: c.Renditions, Anchor: r.anchor(), Replica: r.r.Number, Folder: r.r.Folder(), OnScreen: r.r.OnScreen}
	if resume {
		pl.ResumedAt = resumeAt
		start.Resume, start.ResumeSegment = true, resumeAt+1
		r.again(resumeAt)
	} else if !r.job.Live() {
		r.r.Totals = nil // all of it is made again
	}
	start.Placement = pl
	r.free()
	r.r.Placement = &pl
	r.heldBy(c.Agent)
	r.job.Renditions = slices.Clone(c.Renditions)
	effect := fmt.Sprintf("attempt %d with epoch %d on %s/%s: %s", pl.Attempt, pl.Epoch, c.Agent, c.Device, c.Reason)
	r.record("placed", cause, effect)
	r.enter(r.restarting(), fmt.Sprintf("starting on %s/%s", c.Agent, c.Device))
	r.trace("place on %s/%s epoch %d attempt %d%s: %s", c.Agent, c.Device, pl.Epoch, pl.Attempt, resumeText(start), c.Reason)
	r.send(Send{Agent: c.Agent, Start: &start})
}

// beginAsOthers lets a replica that starts later show what those on air show.
func (r run) beginAsOthers() {
	for _, o := range r.job.Replicas {
		if o.OnAir {
			r.r.OnScreen.Input, r.r.OnScreen.Obeyed, r.r.OnScreen.LagUS = o.OnScreen.Input, o.OnScreen.Obeyed, o.OnScreen.LagUS
			return
		}
	}
}

// heldBy notes which agent pushed inputs come to from now on: it listens for all
// of them.
func (p *pass) heldBy(agent string) {
	if p.pushed() != "" {
		p.job.Holder = agent
	}
}

// holder is the agent that pushed inputs come to. Where only backups do, a host on
// which one worker after the other ends is not stayed with for them.
func (r run) holder() string {
	if r.r.Retry.Failures > 0 && !input.Pushed(r.job.Spec.InputAt(0)) {
		return ""
	}
	return r.job.Holder
}

// pushed names the first input of a live job that comes to the farm, "" for none.
func (p *pass) pushed() string {
	if !p.job.Live() {
		return ""
	}
	for n := range len(p.job.Spec.Backups) + 1 {
		switch {
		case !input.Pushed(p.job.Spec.InputAt(n)):
		case n == 0:
			return "the source"
		default:
			return media.InputName(n)
		}
	}
	return ""
}

// restarting: what was on air is degraded until it publishes again.
func (r run) restarting() job.State {
	if r.job.Live() && r.r.OnAir {
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

func resumeText(s Start) (text string) {
	if s.Resume {
		text = fmt.Sprintf(" resume %d", s.ResumeSegment)
	}
	if n := s.OnScreen.Input; n > 0 {
		text += " on " + media.InputName(n)
	}
	return text
}

// AssignmentID names the assignment of a replica. The suffix keeps it apart from
// every other job's, whatever their ids.
func AssignmentID(jobID string, replica int) string { return fmt.Sprintf("%s-%d", jobID, replica) }
