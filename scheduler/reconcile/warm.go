package reconcile

import (
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
)

// warmable: a second host can have some input of the job, which runs by itself. Of
// those that are pushed, the backups' senders may be told that host: it listens, and
// has their past when the first one dies.
func (p *pass) warmable() bool {
	return p.awaited() && (len(p.job.Spec.Backups) > 0 || !input.Pushed(p.job.Spec.Input))
}

// warm has one agent beside those that run the job hold its source, in another
// failure domain where there is one, and lets all others go of it.
func (p *pass) warm() {
	was := p.job.Warm
	switch {
	case p.job.State.Ended() || p.job.Stop != nil || !p.warmable():
		p.job.Warm = ""
	case p.job.Placed() && !p.keepsWarm(was):
		if p.job.Warm = p.coolest(); p.job.Warm == "" {
			p.plan.Blocked = true
		}
	}
	if p.job.Warm != was {
		p.changed()
		if p.job.Warm != "" {
			p.record("held_warm", "a successor is to have the past of the source", "agent "+p.job.Warm+" holds it too")
			p.trace("held warm on %s", p.job.Warm)
		}
	}
	held := false
	for _, a := range p.Fleet.Holding(p.job.Spec.ID) {
		if a.Name == p.job.Warm {
			held = true
		} else if a.Alive() {
			p.send(Send{Agent: a.Name, Hold: &Hold{Release: true}})
		}
	}
	if !held && p.Fleet.Agent(p.job.Warm).Alive() {
		p.send(Send{Agent: p.job.Warm, Hold: &Hold{}})
	}
}

// keepsWarm: the agent that holds the source goes on doing so while it could take
// the job over.
func (p *pass) keepsWarm(name string) bool {
	a := p.Fleet.Agent(name)
	switch {
	case name == "" || p.hosts(name):
		return false
	case a == nil:
		return !p.Settled // it gets time to attach
	case a.Lost:
		return false
	}
	for _, d := range a.Devices {
		if p.Fleet.Cordon(name, d.ID) == nil {
			return true
		}
	}
	return false
}

// hosts tells whether some replica runs on an agent.
func (p *pass) hosts(agent string) bool {
	for _, pl := range p.job.Placements() {
		if pl.Agent == agent {
			return true
		}
	}
	return false
}

// coolest is the agent that the job would move to now, "" for none. Another rack
// or zone than those where it runs is a wish here, not a rule.
func (p *pass) coolest() string {
	if len(p.Fleet.Agents()) <= len(p.job.Placements()) || p.job.Grid == nil {
		return ""
	}
	var apart []placement.Neighbour
	for _, pl := range p.job.Placements() {
		apart = append(apart, placement.Neighbour{Agent: pl.Agent, Labels: pl.Domain})
	}
	if p.shared.devices == nil {
		p.shared.devices = Devices(p.Fleet, p.Used)
	}
	req := placement.Request{Kind: job.Live, CPU: p.job.Spec.Effective().CPU, Source: p.source(), Renditions: p.job.Renditions, Rate: p.job.Grid.Rate, Apart: apart}
	c := goes(placement.Place(req, p.shared.devices))
	if c == nil {
		for i := range req.Apart {
			req.Apart[i].Labels = nil
		}
		c = goes(placement.Place(req, p.shared.devices))
	}
	if c == nil {
		return ""
	}
	return c.Agent
}

// goes is where a decision takes a job, be it after clips have made room; nil for nowhere.
func goes(d placement.Decision) *placement.Choice {
	if d.Chosen == nil {
		return d.Taking
	}
	return d.Chosen
}
