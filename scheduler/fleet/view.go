package fleet

import (
	"sort"
	"time"
)

// Timing of the leases (DESIGN §8).
type Timing struct {
	// Beat is how often agents beat, Lease how long a beat lasts.
	Beat, Lease time.Duration
	// Unheard is how long an agent may take to name what it was told to start.
	// A standing stream loses nothing, so this is for an agent that misbehaves.
	Unheard time.Duration
	// Forget is after how long a lost agent leaves the view.
	Forget time.Duration
}

// DefaultTiming beats every 400 ms for a lease of 1.2 s.
func DefaultTiming() Timing {
	return Timing{Beat: 400 * time.Millisecond, Lease: 1200 * time.Millisecond, Unheard: 5 * time.Second, Forget: 10 * time.Minute}
}

// View is the fleet. It is not safe for concurrent use.
type View struct {
	timing   Timing
	agents   map[string]*Agent
	probes   map[string]*Probe // by job
	cordons  map[place]Cordon
	lastTick time.Time
}

// Probe is a question to an agent about a job's input.
type Probe struct {
	ID, Job, Agent string
	Session        Session
	Asked          time.Time
	Input          int   // of the job: 0 is its first
	Try            int   // 1 is the first
	Hopeless       []int // inputs that were refused for good before
	Answer         *Probed
	Answered       time.Time
	// Lost: its agent went away before it answered.
	Lost bool
}

// New is an empty fleet.
func New(t Timing) *View {
	return &View{timing: t, agents: map[string]*Agent{}, probes: map[string]*Probe{}, cordons: map[place]Cordon{}}
}

// Apply changes the view by an event received at now.
func (v *View) Apply(now time.Time, e Event) []Effect { return e.apply(v, now) }

// Timing is what the view was made with.
func (v *View) Timing() Timing { return v.timing }

// Agent is the agent of a name, nil when it was never seen.
func (v *View) Agent(name string) *Agent { return v.agents[name] }

// Agents are all agents by name.
func (v *View) Agents() []*Agent {
	all := make([]*Agent, 0, len(v.agents))
	for _, a := range v.agents {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Lease is what an agent holds for an assignment, nil for nothing.
func (v *View) Lease(agent, assignment string) *Lease {
	if a := v.agents[agent]; a != nil {
		return a.Leases[assignment]
	}
	return nil
}

// HeldLease is a lease with its agent.
type HeldLease struct {
	Agent *Agent
	*Lease
}

// LeasesOf are the leases of a job on every agent, by agent and assignment.
func (v *View) LeasesOf(job string) []HeldLease {
	var found []HeldLease
	for _, a := range v.Agents() {
		for _, l := range a.Held() {
			if l.Job == job {
				found = append(found, HeldLease{a, l})
			}
		}
	}
	return found
}

// Holding are the agents that hold a job's live source without a worker, by name.
func (v *View) Holding(job string) []*Agent {
	var found []*Agent
	for _, a := range v.agents {
		if _, ok := a.Sources[job]; ok {
			found = append(found, a)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// Probe is the open or answered probe of a job, nil for none.
func (v *View) Probe(job string) *Probe { return v.probes[job] }

// ProbesOn counts the questions that an agent has not answered.
func (v *View) ProbesOn(agent string) (n int) {
	for _, p := range v.probes {
		if p.Agent == agent && p.Answer == nil {
			n++
		}
	}
	return n
}

// Held are the agent's leases by assignment.
func (a *Agent) Held() []*Lease {
	all := make([]*Lease, 0, len(a.Leases))
	for _, l := range a.Leases {
		all = append(all, l)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Assignment < all[j].Assignment })
	return all
}
