package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tool is one short call of the worker program that answers on standard
// output: a probe, the trial of a GPU, or the question what it can do.
type tool struct {
	worker   string
	args     []string
	source   string // what it reads, "" for nothing
	device   string // the GPU that it sees, "" for none
	cache    ComputeCache
	deadline time.Duration
}

// answer is what a tool said, bounded.
type answer struct {
	stdout []byte
	log    string // the end of standard error
}

const (
	answerBytes = 1 << 20
	toolMemory  = 8 << 30 // of address space: threads and Go's heap reserve far more than they use
)

// errDeadline: the tool did not answer in time.
var errDeadline = errors.New("no answer in time")

// run waits for the tool's end. Its error tells how the process ended.
func (t tool) run(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.deadline, errDeadline)
	defer cancel()
	var out, log bounded
	out.most, log.most, log.tail = answerBytes, quoteBytes, true
	cmd := t.command(ctx)
	cmd.Stdout, cmd.Stderr = &out, &log
	err := startAndWait(cmd, t.limits())
	a := answer{stdout: out.text, log: lastLines(string(log.text))}
	switch {
	case ctx.Err() != nil:
		return a, fmt.Errorf("%w: %w", context.Cause(ctx), ctx.Err())
	case out.dropped > 0:
		return a, fmt.Errorf("answer of more than %d bytes", answerBytes)
	}
	return a, err
}

func (t tool) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, t.worker, t.args...)
	cmd.Env = workerEnv(os.Environ(), t.device, t.cache, t.source)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild that holds the pipe does not hold us
	return cmd
}

// limits are the kernel's, for a tool that has gone wild. CUDA reserves more
// addresses than any bound that means something: as many as host and GPU have
// memory.
func (t tool) limits() map[int]uint64 {
	all := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_CPU: 2 * (uint64(t.deadline/time.Second) + 1)}
	if t.device == "" {
		all[unix.RLIMIT_AS] = toolMemory
	}
	return all
}

// startAndWait keeps its thread: the kernel's parent-death signal goes by the
// thread that started the child.
func startAndWait(cmd *exec.Cmd, limits map[int]uint64) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	for resource, limit := range limits {
		_ = unix.Prlimit(cmd.Process.Pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	}
	return cmd.Wait()
}

// bounded keeps the first or the last bytes written to it and counts the rest.
type bounded struct {
	most    int
	tail    bool
	text    []byte
	dropped int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	b.text = append(b.text, p...)
	if over := len(b.text) - b.most; over > 0 {
		b.dropped += over
		if b.tail {
			b.text = b.text[over:]
		} else {
			b.text = b.text[:b.most]
		}
	}
	return n, nil
}
