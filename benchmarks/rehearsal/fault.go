package rehearsal

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Fault is one way to break a farm.
type Fault struct {
	Name string
	// What is done, in a sentence, and what it needs beside a job on air.
	What, Needs string
	// Holds is how long it lasts; 0 for what is done at once.
	Holds time.Duration
	// Bars are what it may cost.
	Bars Bars
	// What it needs around the job.
	origin, source, restart bool
	// hosts: several; inputs: backups.
	hosts, inputs bool
	// left: it is the farm's to undo; we do only when all is measured.
	left bool
	// agent: it ends one, which is to come back.
	agent bool

	inject func(*Rehearsal) (heal func() error, said string, err error)
}

// Bars are the most that a fault may cost.
type Bars struct {
	Missing   int
	Gap, Edge time.Duration
}

func (b Bars) String() string {
	return fmt.Sprintf("missing ≤ %d, gap ≤ %v, edge ≤ %v", b.Missing, b.Gap, b.Edge)
}

// judge says which bar was missed, "" for none.
func (b Bars) judge(m Measured) string {
	var why []string
	if m.Missing > b.Missing {
		why = append(why, fmt.Sprintf("%d segments are missing, at most %d may", m.Missing, b.Missing))
	}
	if gap := time.Duration(m.GapMS * 1e6); gap > b.Gap {
		why = append(why, fmt.Sprintf("nothing new came for %v beyond a segment, at most %v", gap.Round(time.Millisecond), b.Gap))
	}
	switch edge := time.Duration(m.EdgeMS * 1e6); {
	case !m.Recovered:
		why = append(why, "it was not back at its live edge")
	case edge > b.Edge:
		why = append(why, fmt.Sprintf("it was back at its live edge after %v, at most %v", edge.Round(time.Millisecond), b.Edge))
	}
	return strings.Join(why, "; ")
}

const (
	hung   = 5 * time.Second
	frozen = 5 * time.Second
	away   = 6 * time.Second
)

// Faults are all that can be asked for, in the order of the list.
func Faults() []Fault {
	const reach = 30 * time.Second
	return []Fault{
		{Name: "worker-kill", What: "kills the worker that encodes the job", Bars: Bars{0, 10 * time.Second, reach},
			inject: func(r *Rehearsal) (func() error, string, error) { return killed(r.farm.worker(r.job)) }},
		{Name: "worker-hang", What: "stops the worker as if it hung; its agent has to find out", Bars: Bars{0, 25 * time.Second, time.Minute}, left: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return stopped(r.farm.worker(r.job)) }},
		{Name: "ingest-kill", What: "kills the process that holds the job's source", Needs: "a source that runs by itself; a job of its own gets one", Bars: Bars{0, 15 * time.Second, reach}, source: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return killed(r.farm.ingest(r.job)) }},
		{Name: "agent-kill", What: "kills the agent that runs the job; its worker goes on", Bars: Bars{0, time.Second, reach}, agent: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return killed(r.farm.agentOf(r.job)) }},
		{Name: "agent-hang", What: fmt.Sprintf("stops that agent for %v: the scheduler takes its host for lost", hung), Holds: hung, Bars: Bars{0, 10 * time.Second, reach},
			inject: func(r *Rehearsal) (func() error, string, error) { return stopped(r.farm.agentOf(r.job)) }},
		{Name: "host-cut", What: fmt.Sprintf("takes the cable of the agent's host down for %v", 2*away), Needs: "root, and an agent in a network namespace of its own, joined to this one by a veth pair, as a container is", Holds: 2 * away, Bars: Bars{4, 15 * time.Second, time.Minute}, hosts: true,
			inject: func(r *Rehearsal) (func() error, string, error) {
				return r.apart(func() (func() error, string, error) { return r.cutOff(r.farm.agentOf(r.job)) })
			}},
		{Name: "host-cut-cold", What: "the same, and kills what other hosts hold of the job's source", Needs: "as host-cut", Holds: 2 * away, Bars: Bars{4, 15 * time.Second, time.Minute}, hosts: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.apart(r.cold) }},
		{Name: "drain", What: "drains the host that runs the job, and opens it again", Needs: "a second host that may have it", Bars: Bars{0, 2 * time.Second, reach}, hosts: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.apart(r.drain) }},
		{Name: "upgrade", What: "a rolling upgrade to the same programs: each host is drained, its agent restarted and opened again, then the scheduler is restarted", Needs: "a second host that may have the job, all on this machine, and something that starts agents and scheduler again, such as systemd (--restarted)", Bars: Bars{0, 2 * time.Second, reach}, hosts: true, restart: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.apart(r.upgrade) }},
		{Name: "redis-kill", What: "kills the redis-server that `gala up` runs", Needs: "`gala up` with a redis-server of its own", Bars: Bars{0, time.Second, reach},
			inject: func(r *Rehearsal) (func() error, string, error) {
				p, err := r.farm.redis()
				return killed(held{process: p}, err)
			}},
		{Name: "farm-kill", What: "kills the process that answers at the farm's address: `gala up` or its scheduler", Needs: "something that starts it again, such as systemd (--restarted)", Bars: Bars{0, 20 * time.Second, time.Minute}, restart: true,
			inject: func(r *Rehearsal) (func() error, string, error) {
				p, err := r.farm.scheduler()
				_, said, err := killed(held{process: p}, err)
				return r.o.Restart, said, err
			}},
		{Name: "source-freeze", What: fmt.Sprintf("nothing comes from the source for %v; its connections stand", frozen), Needs: "a job of its own", Holds: frozen, Bars: Bars{0, frozen + 10*time.Second, reach}, source: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.source.spoil(freeze) }},
		{Name: "source-drop", What: fmt.Sprintf("the source drops every connection and refuses new ones for %v", frozen), Needs: "a job of its own", Holds: frozen, Bars: Bars{0, frozen + 10*time.Second, reach}, source: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.source.spoil(drop) }},
		{Name: "source-switch", What: "shows the job's next input", Needs: "a job with backup inputs", Bars: Bars{0, time.Second, reach}, inputs: true,
			inject: (*Rehearsal).change},
		{Name: "origin-slow", What: fmt.Sprintf("the origin takes a second longer for each request, for %v", away), Needs: "a job of its own", Holds: away, Bars: Bars{0, away, reach}, origin: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.origin.spoil(slow) }},
		{Name: "origin-5xx", What: fmt.Sprintf("the origin answers writers with 503 for %v", away), Needs: "a job of its own", Holds: away, Bars: Bars{0, away + 3*time.Second, reach}, origin: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.origin.spoil(unwell) }},
		{Name: "origin-full", What: fmt.Sprintf("the origin answers writers with 507, its disk is full, for %v", away), Needs: "a job of its own", Holds: away, Bars: Bars{0, away + 3*time.Second, reach}, origin: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.origin.spoil(full) }},
		{Name: "origin-drop", What: fmt.Sprintf("the origin drops the connections of writers for %v", away), Needs: "a job of its own", Holds: away, Bars: Bars{0, away + 3*time.Second, reach}, origin: true,
			inject: func(r *Rehearsal) (func() error, string, error) { return r.origin.spoil(drop) }},
	}
}

// OfSource: the fault wants a source that runs by itself, which a rehearsal of its own job feeds.
func (f Fault) OfSource() bool { return f.source }

// OfOneHost: the fault needs neither a second host, nor root, nor inputs to choose from.
func (f Fault) OfOneHost() bool { return !f.hosts && !f.inputs }

// FaultNamed finds a fault.
func FaultNamed(name string) (Fault, error) {
	all := Faults()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		var names []string
		for _, f := range all {
			names = append(names, f.Name)
		}
		return Fault{}, fmt.Errorf("no fault %q: there are %s", name, strings.Join(names, ", "))
	}
	return all[i], nil
}

func nothing() error { return nil }

func killed(h held, err error) (func() error, string, error) {
	if err != nil {
		return nil, "", err
	}
	return nothing, fmt.Sprintf("%s (process %d) killed", h.name, h.pid), h.signal(syscall.SIGKILL)
}

// stopped goes on when it is healed, unless somebody has ended it meanwhile.
func stopped(h held, err error) (func() error, string, error) {
	if err != nil {
		return nil, "", err
	}
	goOn := func() error {
		if now, err := look(h.pid); err != nil || !slices.Equal(now.args, h.args) {
			return nil
		}
		return h.signal(syscall.SIGCONT)
	}
	return goOn, fmt.Sprintf("%s (process %d) stopped", h.name, h.pid), h.signal(syscall.SIGSTOP)
}

// agentOf is the agent of the job's worker.
func (f *Farm) agentOf(job string) (held, error) {
	w, err := f.worker(job)
	if err != nil {
		return held{}, err
	}
	return held{process: w.agent}, nil
}
