package fleet

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// current is the agent if session is the one that counts.
func (v *View) current(name string, s Session) *Agent {
	if a := v.agents[name]; a != nil && a.Session == s && a.Connected {
		return a
	}
	return nil
}

func (e Attached) apply(v *View, now time.Time) []Effect {
	old := v.agents[e.Name]
	var effects []Effect
	if old != nil && old.Connected {
		if old.Instance != e.Instance && !old.Lost {
			return []Effect{Drop{Session: e.Session, Reason: fmt.Sprintf(
				"another agent named %q is attached: give each agent its own --name", e.Name)}}
		}
		effects = append(effects, Drop{Session: old.Session, Reason: "the agent attached again", Replaced: true})
	}
	a := &Agent{
		Name: e.Name, Instance: e.Instance, Version: e.Version, Labels: e.Labels, Devices: e.Devices,
		Session: e.Session, Connected: true, Attached: now, LastBeat: now, Leases: map[string]*Lease{}, Sources: map[string]Source{},
	}
	for _, id := range e.Sources {
		a.Sources[id] = Source{Asked: now}
	}
	v.agents[e.Name] = a
	touched := append(a.inherit(old, e, now), e.Sources...)
	for _, p := range v.probes {
		if p.Agent == e.Name && p.Answer == nil {
			p.Lost, touched = true, append(touched, p.Job)
		}
	}
	effects = append(effects, Welcome{e.Session}, Changed{e.Name, "attached"}, Room{})
	return append(effects, touches(touched)...)
}

// inherit takes over what the agent holds now and what it held before: of the
// latter, only the same process can still owe us an outcome.
func (a *Agent) inherit(old *Agent, e Attached, now time.Time) (touched []string) {
	for _, h := range e.Held {
		l := &Lease{Assignment: h.Assignment, Job: h.Job, Device: h.Device, Epoch: h.Epoch, Sessions: h.Sessions,
			Recovered: h.Spec, Held: true, Granted: now, Heard: now}
		if old != nil {
			if was := old.Leases[h.Assignment]; was != nil && was.Epoch == h.Epoch {
				l.Status, l.Told, l.Granted = was.Status, was.Told, was.Granted
			}
		}
		a.Leases[h.Assignment] = l
		touched = append(touched, h.Job)
	}
	if old == nil {
		return touched
	}
	a.Full = old.Full
	for id, was := range old.Leases {
		touched = append(touched, was.Job)
		if a.Leases[id] != nil || old.Instance != a.Instance {
			continue
		}
		kept := *was
		kept.Stop = KeepRunning
		if kept.Missing.IsZero() {
			kept.Missing = now
		}
		a.Leases[id] = &kept
	}
	return touched
}

func (e Detached) apply(v *View, now time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	a.Connected = false
	effects := []Effect{Changed{a.Name, "detached: " + e.Cause}}
	for _, p := range v.probes {
		if p.Agent == a.Name && p.Answer == nil {
			p.Lost = true
			effects = append(effects, Touch{p.Job})
		}
	}
	return append(effects, a.touchAll()...)
}

func (e Beat) apply(v *View, now time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	a.LastBeat = now
	var effects []Effect
	if a.Lost {
		a.Lost, a.LostAt = false, time.Time{}
		effects = append(effects, Changed{a.Name, "back"}, Room{})
		effects = append(effects, a.touchAll()...)
	}
	for _, l := range a.Leases {
		named := slices.Contains(e.Assignments, l.Assignment)
		switch {
		case named && (!l.Held || !l.Missing.IsZero()):
			l.Held, l.Missing = true, time.Time{}
			effects = append(effects, Touch{l.Job})
		case !named && l.Missing.IsZero() && l.Outcome == nil && (l.Held || now.Sub(l.Granted) > v.timing.Unheard):
			l.Missing = now
			effects = append(effects, Touch{l.Job})
		}
	}
	return effects
}

func (e Report) apply(v *View, now time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	l := a.Leases[e.Assignment]
	if l == nil || l.Epoch < e.Epoch {
		l = &Lease{Assignment: e.Assignment, Job: e.Job, Epoch: e.Epoch, Granted: now}
		a.Leases[e.Assignment] = l
	}
	if l.Epoch != e.Epoch {
		return nil // the last words of a predecessor on this agent
	}
	l.Held, l.Missing, l.Heard = true, time.Time{}, now
	if e.Status != nil {
		l.Status, l.Told = *e.Status, true
	}
	if e.Outcome != nil && l.Outcome == nil {
		l.Outcome = e.Outcome
		a.refuses(l, now)
	}
	return []Effect{Touch{l.Job}}
}

func (e Proposal) apply(v *View, now time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	l := a.Leases[e.Assignment]
	if l == nil || l.Epoch != e.Epoch {
		return nil // its stop is on the way, or will be when it attaches
	}
	l.Held, l.Heard = true, now
	l.Anchors = append(l.Anchors, e)
	return []Effect{Touch{l.Job}}
}

func (e Probed) apply(v *View, now time.Time) []Effect {
	if v.current(e.Agent, e.Session) == nil {
		return nil
	}
	for _, p := range v.probes {
		if p.ID == e.ID && p.Answer == nil {
			p.Answer, p.Answered = &e, now
			return []Effect{Touch{p.Job}, Room{}}
		}
	}
	return nil
}

func (e Heard) apply(v *View, now time.Time) []Effect {
	a := v.current(e.Agent, e.Session)
	if a == nil {
		return nil
	}
	a.Telemetry, a.Telemetry.At = e.Telemetry, now
	return append([]Effect{Changed{a.Name, ""}}, a.hears(e.Telemetry.Sources, now)...)
}

// sourceUnheard is how long an agent that was told to hold a source may not
// name it: its telemetry comes once a second.
const sourceUnheard = 5 * time.Second

// hears how much is kept of each source. Jobs whose source has got on, or is
// held no more, are looked at again.
func (a *Agent) hears(told map[string]time.Duration, now time.Time) []Effect {
	var touched []string
	for id, kept := range told {
		was, known := a.Sources[id]
		if !known {
			was.Asked = now
		}
		if !known || was.Kept/time.Second != kept/time.Second {
			touched = append(touched, id)
		}
		a.Sources[id] = Source{Kept: kept, Asked: was.Asked}
	}
	for id, s := range a.Sources {
		if _, still := told[id]; !still && now.Sub(s.Asked) > sourceUnheard {
			delete(a.Sources, id)
			touched = append(touched, id)
		}
	}
	return touches(touched)
}

func (e HoldSent) apply(v *View, now time.Time) []Effect {
	a := v.agents[e.Agent]
	if a == nil {
		return nil
	}
	if e.Release {
		delete(a.Sources, e.Job)
	} else if _, already := a.Sources[e.Job]; !already {
		a.Sources[e.Job] = Source{Asked: now}
	}
	return nil
}

func (e Granted) apply(v *View, now time.Time) []Effect {
	if a := v.agents[e.Agent]; a != nil {
		if was := a.Leases[e.Assignment]; was != nil && was.Epoch >= e.Epoch {
			return nil
		}
		a.Leases[e.Assignment] = &Lease{Assignment: e.Assignment, Job: e.Job, Device: e.Device, Epoch: e.Epoch, Sessions: e.Sessions, Granted: now}
		return []Effect{Changed{a.Name, ""}}
	}
	return nil
}

func (e StopSent) apply(v *View, now time.Time) []Effect {
	if l := v.Lease(e.Agent, e.Assignment); l != nil && l.Epoch <= e.Epoch && l.Stop < e.Mode {
		l.Stop, l.StopAt = e.Mode, now
	}
	return nil
}

func (e Decided) apply(v *View, now time.Time) []Effect {
	if l := v.Lease(e.Agent, e.Assignment); l != nil {
		l.Anchors = slices.DeleteFunc(l.Anchors, func(p Proposal) bool { return p.Input == e.Input && p.Anchor.Generation == e.Generation })
	}
	return nil
}

func (e SwitchSent) apply(v *View, _ time.Time) []Effect {
	if l := v.Lease(e.Agent, e.Assignment); l != nil {
		l.Ordered = max(l.Ordered, e.Number)
	}
	return nil
}

func (e ProbeSent) apply(v *View, now time.Time) []Effect {
	p := &Probe{ID: e.ID, Job: e.Job, Agent: e.Agent, Asked: now, Input: e.Input, Try: e.Try, Hopeless: e.Hopeless, Lost: true}
	if a := v.agents[e.Agent]; a != nil {
		p.Session, p.Lost = a.Session, !a.Connected
	}
	v.probes[e.Job] = p
	return nil
}

func (e Forget) apply(v *View, now time.Time) []Effect {
	a := v.agents[e.Agent]
	if a == nil {
		return nil
	}
	if l := a.Leases[e.Assignment]; l != nil && l.Epoch <= e.Epoch {
		delete(a.Leases, e.Assignment)
		return []Effect{Changed{a.Name, ""}, Room{}}
	}
	return nil
}

func (e ForgetProbe) apply(v *View, now time.Time) []Effect {
	delete(v.probes, e.Job)
	return nil
}

// A tick that comes late says that we, not the agents, were away: what they
// sent meanwhile is still in our queues, so everyone gets the time back.
func (e Tick) apply(v *View, now time.Time) []Effect {
	if gap := now.Sub(v.lastTick); !v.lastTick.IsZero() && gap > v.timing.Lease/2 {
		for _, a := range v.agents {
			a.LastBeat = a.LastBeat.Add(gap)
			if a.LastBeat.After(now) {
				a.LastBeat = now
			}
		}
	}
	v.lastTick = now
	var effects []Effect
	for _, a := range v.Agents() {
		effects = append(effects, a.forgives(now)...)
		switch {
		case !a.Lost && now.Sub(a.LastBeat) > v.timing.Lease:
			a.Lost, a.LostAt = true, now
			effects = append(effects, Changed{a.Name, "lost"})
			effects = append(effects, a.touchAll()...)
		case a.Lost && !a.Connected && now.Sub(a.LostAt) > v.timing.Forget:
			delete(v.agents, a.Name)
			effects = append(effects, Changed{a.Name, "forgotten"})
			effects = append(effects, a.touchAll()...)
		}
	}
	return effects
}

func (a *Agent) touchAll() []Effect {
	var jobs []string
	for _, l := range a.Leases {
		jobs = append(jobs, l.Job)
	}
	for id := range a.Sources {
		jobs = append(jobs, id)
	}
	return touches(jobs)
}

func touches(jobs []string) []Effect {
	sort.Strings(jobs)
	var effects []Effect
	for _, id := range slices.Compact(jobs) {
		effects = append(effects, Touch{id})
	}
	return effects
}
