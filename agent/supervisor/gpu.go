package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/galafarm/gala/media"
)

// ErrGPUHangs: the driver has not let the trial of a GPU go in time.
var ErrGPUHangs = errors.New("the driver hangs: look for XID lines in the kernel's log, then reset the GPU or reboot this host")

// killGrace is what a killed process may take to be gone. One whose call into a
// driver hangs in the kernel is never gone, and is left to it with a thread.
const killGrace = 2 * time.Second

// TryGPU has a worker process open a GPU, which it alone sees, and encode on it, which
// leaves the kernels that workers need in the cache. It never takes longer than
// Limits.GPU and a moment, whatever the driver does.
func TryGPU(ctx context.Context, path, uuid string, cache ComputeCache, l Limits) (media.GPUReport, error) {
	t := tool{worker: path, args: []string{"gpu", "--device", uuid, "--json"}, device: uuid, cache: cache, deadline: l.orDefaults().GPU}
	ctx, cancel := context.WithTimeoutCause(ctx, t.deadline, errDeadline)
	defer cancel()
	type ended struct {
		answer
		err error
	}
	done := make(chan ended, 1)
	go func() {
		a, err := t.run(ctx)
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
