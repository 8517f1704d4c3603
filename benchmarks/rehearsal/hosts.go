package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
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
	heal, said, err := cutOff(r.farm.agentOf(r.job))
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
		return nil, "", errors.New("no second host is attached that could have the job")
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
	return func() error {
		left := r.until("leaving "+from, func(ctx context.Context) (bool, error) {
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
		open := r.until("opening "+from, func(ctx context.Context) (bool, error) {
			_, err := r.o.Client.Uncordon(ctx, from, "")
			return err == nil, err
		})
		return errors.Join(left, open)
	}, from + " drained", nil
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
