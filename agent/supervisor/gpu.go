package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/galafarm/gala/media"
)

// ErrGPUHangs: the driver has not let the trial of a GPU go in time.
var ErrGPUHangs = errors.New("the driver hangs: look for XID lines in the kernel's log, then reset the GPU or reboot this host")

// killGrace is what a killed process may take to be gone. One whose call into a
// driver hangs in the kernel is never gone, and is left to it with a thread.
const killGrace = 2 * time.Second

// Trials has GPUs tried. A trial that hangs in the kernel leaves its process and a
// thread behind; there is never a second one of the same GPU beside it.
type Trials struct {
	worker string
	cache  ComputeCache
	limits Limits
	run    func(context.Context, tool) (answer, error)

	mu    sync.Mutex
	under map[string]bool // GPUs with a process that tries them
}

// NewTrials are by processes of the worker program at a path.
func NewTrials(worker string, cache ComputeCache, l Limits) *Trials {
	return &Trials{
		worker: worker, cache: cache, limits: l.orDefaults(), under: map[string]bool{},
		run: func(ctx context.Context, t tool) (answer, error) { return t.run(ctx) },
	}
}

// Try has a worker process open a GPU, which it alone sees, and encode on it, which
// leaves the kernels that workers need in the cache. It never takes longer than
// Limits.GPU and a moment, whatever the driver does.
func (all *Trials) Try(ctx context.Context, uuid string) (media.GPUReport, error) {
	if !all.enter(uuid) {
		return media.GPUReport{}, fmt.Errorf("the process of an earlier trial still cannot be killed: %w", ErrGPUHangs)
	}
	t := tool{worker: all.worker, args: []string{"gpu", "--device", uuid, "--json"}, device: uuid, cache: all.cache, deadline: all.limits.GPU}
	ctx, cancel := context.WithTimeoutCause(ctx, t.deadline, errDeadline)
	defer cancel()
	type ended struct {
		answer
		err error
	}
	done := make(chan ended, 1)
	go func() {
		a, err := all.run(ctx, t)
		all.leave(uuid) // before the answer, after which another trial may begin
		done <- ended{a, err}
	}()
	select {
	case e := <-done:
		return e.report(uuid, e.err)
	case <-ctx.Done():
	}
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	select {
	case e := <-done:
		return e.report(uuid, e.err)
	case <-grace.C:
		return media.GPUReport{}, fmt.Errorf("its process cannot even be killed: %w", ErrGPUHangs)
	}
}

func (all *Trials) enter(uuid string) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.under[uuid] {
		return false
	}
	all.under[uuid] = true
	return true
}

func (all *Trials) leave(uuid string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.under, uuid)
}

// report is what the tool said, or why it said nothing.
func (a answer) report(uuid string, err error) (r media.GPUReport, _ error) {
	var exited *exec.ExitError
	switch {
	case errors.Is(err, errDeadline):
		return r, ErrGPUHangs
	case errors.As(err, &exited):
		err = errors.New("the process that tried it " + exit{known: true, status: exited.Sys().(syscall.WaitStatus)}.String())
		if a.log != "" {
			err = fmt.Errorf("%w; its log ends: %s", err, a.log)
		}
		return r, err
	case err != nil:
		return r, fmt.Errorf("try it: %w", err)
	}
	if err := json.Unmarshal(a.stdout, &r); err != nil {
		return r, fmt.Errorf("read what the trial found: %w", err)
	}
	if r.Device != uuid {
		return r, fmt.Errorf("the trial was of %q", r.Device)
	}
	return r, nil
}
