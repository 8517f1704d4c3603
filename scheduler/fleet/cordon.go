package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Cordon closes a device, or with Device empty a whole agent, to new work.
type Cordon struct {
	Agent  string    `json:"agent"`
	Device string    `json:"device,omitempty"`
	Since  time.Time `json:"since"`
	// Drain: what runs there is moved away too.
	Drain  bool   `json:"drain,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// String says what is closed: a1, or a1/cpu.
func (c Cordon) String() string {
	if c.Device == "" {
		return c.Agent
	}
	return c.Agent + "/" + c.Device
}

// Why is the cordon in half a sentence.
func (c Cordon) Why() string {
	what := "is cordoned"
	if c.Drain {
		what = "is being drained"
	}
	text := fmt.Sprintf("%s since %s", what, c.Since.UTC().Format(time.TimeOnly))
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return text
}

// Cordoned: the store holds this cordon now.
type Cordoned struct{ Cordon Cordon }

// Uncordoned: a device, or an agent with all its devices, is open again.
type Uncordoned struct{ Agent, Device string }

// Cordon is what closes a device, nil for nothing. A drain counts before a
// mere cordon, and the device's own before its agent's.
func (v *View) Cordon(agent, device string) *Cordon {
	var found *Cordon
	for _, name := range []string{device, ""} {
		if c, ok := v.cordons[place{agent, name}]; ok && (found == nil || c.Drain && !found.Drain) {
			found = &c
		}
	}
	return found
}

// CordonOf is the cordon of exactly that device, or with "" of the agent as a
// whole.
func (v *View) CordonOf(agent, device string) *Cordon {
	if c, ok := v.cordons[place{agent, device}]; ok {
		return &c
	}
	return nil
}

// Cordons are all, by agent and device.
func (v *View) Cordons() []Cordon {
	all := make([]Cordon, 0, len(v.cordons))
	for _, c := range v.cordons {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Cordon) int { return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Device, b.Device)) })
	return all
}

// place is a device, or with "" for it an agent.
type place struct{ agent, device string }

func (e Cordoned) apply(v *View, _ time.Time) []Effect {
	v.cordons[place{e.Cordon.Agent, e.Cordon.Device}] = e.Cordon
	what := e.Cordon.Why()
	if e.Cordon.Device != "" {
		what = "device " + e.Cordon.Device + " " + what
	}
	return v.recordoned(e.Cordon.Agent, what)
}

func (e Uncordoned) apply(v *View, _ time.Time) []Effect {
	for at := range v.cordons {
		if at.agent == e.Agent && (e.Device == "" || at.device == e.Device) {
			delete(v.cordons, at)
		}
	}
	return append(v.recordoned(e.Agent, "uncordoned"), Room{})
}

// recordoned looks at what the agent runs again.
func (v *View) recordoned(agent, what string) []Effect {
	effects := []Effect{Changed{agent, what}}
	if a := v.agents[agent]; a != nil {
		effects = append(effects, a.touchAll()...)
	}
	return effects
}
