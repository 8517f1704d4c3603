package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// togetherWithin is how long hosts may take to be attached again, and a job to
// leave a host that is drained.
const togetherWithin = 90 * time.Second

// until asks the farm until it is so; a farm that is away is asked again.
func (r *Rehearsal) until(what string, so func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), togetherWithin, fmt.Errorf("%s took more than %v", what, togetherWithin))
	defer cancel()
	for {
		call, end := context.WithTimeout(ctx, rpcWithin)
		done, err := so(call)
		end()
		if err == nil && done || errors.Is(err, errNoBackup) {
			return err
		}
		if !rest(ctx, eyePace) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// together waits until every host that was attached when the rehearsal began is
// attached again, and a source that was held by a second one is held again.
func (r *Rehearsal) together() error {
	return r.until("bringing the hosts together again", func(ctx context.Context) (bool, error) {
		agents, err := r.o.Client.Agents(ctx)
		if err != nil {
			return false, err
		}
		attached := map[string]bool{}
		for _, a := range agents {
			if a.GetConnected() {
				attached[a.GetName()] = true
			}
		}
		j, err := r.o.Client.Get(ctx, r.job)
		if err != nil {
			return false, err
		}
		if j.GetWarm() != "" {
			r.warm = true
		}
		r.hosts = max(r.hosts, len(attached))
		return len(attached) == r.hosts && (!r.warm || j.GetWarm() != "" && attached[j.GetWarm()]) && len(j.GetPlacements()) > 0, nil
	})
}

// apart is a fault of a host, when all are together; afterwards they are brought
// together again.
func (r *Rehearsal) apart(fault func() (func() error, string, error)) (func() error, string, error) {
	if err := r.together(); err != nil {
		return nil, "", err
	}
	r.struck = time.Now()
	heal, said, err := fault()
	if err != nil {
		return nil, "", err
	}
	return func() error {
		if err := heal(); err != nil {
			return err
		}
		return r.together()
	}, said, nil
}

// cold cuts a host off and kills what others hold of the job's source, at once.
func (r *Rehearsal) cold() (func() error, string, error) {
	heal, said, err := r.cutOff(r.farm.agentOf(r.job))
	if err != nil {
		return nil, "", err
	}
	for _, p := range processes() {
		if p.name != "gala-worker" || len(p.args) < 2 || p.args[1] != "ingest" {
			continue
		}
		if of, _ := purpose(p.flag("--dir") + "/ingest.json"); of == r.job && r.farm.has(p) {
			if err := p.signal(syscall.SIGKILL); err != nil {
				return nil, "", errors.Join(err, heal())
			}
			said += fmt.Sprintf("; ingest (process %d) killed", p.pid)
		}
	}
	return heal, said, nil
}

// drain the host of the job; it is open again when the job has left it.
func (r *Rehearsal) drain() (func() error, string, error) {
	if r.hosts < 2 {
		return nil, "", errAlone
	}
	var from string
	err := r.until("asking for the job's host", func(ctx context.Context) (bool, error) {
		j, err := r.o.Client.Get(ctx, r.job)
		if err != nil || len(j.GetPlacements()) == 0 {
			return false, err
		}
		from = j.GetPlacements()[0].GetAgent()
		_, err = r.o.Client.Cordon(ctx, from, "", true, "rehearsal")
		return err == nil, err
	})
	if err != nil {
		return nil, "", err
	}
	return func() error { return errors.Join(r.left(from), r.open(from)) }, from + " drained", nil
}

var errAlone = errors.New("no second host is attached that could have the job")

// left waits until the job has left a host for another one.
func (r *Rehearsal) left(from string) error {
	return r.until("leaving "+from, func(ctx context.Context) (bool, error) {
		j, err := r.o.Client.Get(ctx, r.job)
		if err != nil {
			return false, err
		}
		for _, p := range j.GetPlacements() {
			if p.GetAgent() == from {
				return false, nil
			}
		}
		return len(j.GetPlacements()) > 0, nil
	})
}

// open a host that was drained.
func (r *Rehearsal) open(host string) error {
	return r.until("opening "+host, func(ctx context.Context) (bool, error) {
		_, err := r.o.Client.Uncordon(ctx, host, "")
		return err == nil, err
	})
}

// upgrade as docs/upgrade.md has it, from the programs that there are to the same:
// the hosts in turn, that of the job last, then the scheduler.
func (r *Rehearsal) upgrade() (func() error, string, error) {
	if r.hosts < 2 {
		return nil, "", errAlone
	}
	var names []string
	err := r.until("asking for the hosts", func(ctx context.Context) (bool, error) {
		j, err := r.o.Client.Get(ctx, r.job)
		if err != nil || len(j.GetPlacements()) == 0 {
			return false, err
		}
		last := j.GetPlacements()[0].GetAgent()
		agents, err := r.o.Client.Agents(ctx)
		names = nil
		for _, a := range agents {
			if a.GetConnected() && a.GetName() != last {
				names = append(names, a.GetName())
			}
		}
		names = append(names, last)
		return err == nil, err
	})
	for _, name := range names {
		if _, found := r.farm.agentNamed(name); err == nil && !found {
			err = fmt.Errorf("the agent of %s does not run on this machine: rehearse an upgrade where all of them do", name)
		}
	}
	if err != nil {
		return nil, "", err
	}
	return func() error {
		for _, name := range names {
			if err := r.renew(name); err != nil {
				return err
			}
		}
		p, err := r.farm.scheduler()
		if err == nil {
			err = p.signal(syscall.SIGTERM)
		}
		if err == nil {
			err = r.until("the end of the scheduler", func(context.Context) (bool, error) {
				_, err := look(p.pid)
				return err != nil, nil
			})
		}
		return errors.Join(err, r.o.Restart())
	}, strings.Join(names, ", ") + " and the scheduler restarted in turn", nil
}

// renew a host: it is drained, its agent restarted, and open again.
func (r *Rehearsal) renew(host string) error {
	err := r.until("draining "+host, func(ctx context.Context) (bool, error) {
		_, err := r.o.Client.Cordon(ctx, host, "", true, "rehearsal")
		return err == nil, err
	})
	if err == nil {
		err = r.left(host)
	}
	if err == nil {
		err = r.again(host)
	}
	return errors.Join(err, r.open(host))
}

// again restarts a host's agent, and waits for the new one.
func (r *Rehearsal) again(host string) error {
	before, err := r.attached(context.Background())
	if err != nil {
		return err
	}
	agent, found := r.farm.agentNamed(host)
	if !found {
		return fmt.Errorf("the agent of %s is gone", host)
	}
	if err := agent.signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.until("restarting the agent of "+host, func(ctx context.Context) (bool, error) {
		agents, err := r.o.Client.Agents(ctx)
		return slices.ContainsFunc(agents, func(a *galav1.AgentView) bool {
			return a.GetName() == host && a.GetConnected() && !before[a.GetInstance()]
		}), err
	})
}

// change the input that is shown to the next one that there is.
func (r *Rehearsal) change() (func() error, string, error) {
	var to int
	err := r.until("switching the input", func(ctx context.Context) (bool, error) {
		j, err := r.o.Client.Get(ctx, r.job)
		if err != nil {
			return false, err
		}
		n := 1 + len(j.GetSpec().GetBackups())
		if n < 2 {
			return false, errNoBackup
		}
		to = int(j.GetOnAir().GetInput()+1) % n
		_, err = r.o.Client.Switch(ctx, r.job, to)
		return err == nil, err
	})
	if err != nil {
		return nil, "", err
	}
	return func() error {
		return r.until(fmt.Sprintf("showing input %d", to), func(ctx context.Context) (bool, error) {
			j, err := r.o.Client.Get(ctx, r.job)
			return err == nil && int(j.GetOnAir().GetInput()) == to && j.GetOnAir().GetPending() == nil, err
		})
	}, fmt.Sprintf("switched to input %d", to), nil
}

var errNoBackup = errors.New("the job has no backup inputs: put it on air with --backup")
