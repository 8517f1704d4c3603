// Package child keeps one helper program running beside this one: a Redis, an
// agent. It is started again when it ends by itself, and ends with us.
//
// Invariants: the program is asked to stop before it is killed; a signal typed
// at the terminal reaches only us, so that stopping has one order; when this
// process is killed the child is told to stop by the kernel.
//
// It must not know what the program does. Workers, which must outlive their
// agent, are not its business.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Program is what to run. Path, Args and Log are required.
type Program struct {
	Path string
	Args []string
	// Env is its environment; nil is that of this process.
	Env []string
	// Output takes what it prints; nil drops it.
	Output io.Writer
	// Grace is how long it may take to stop before it is killed; 0 means 10 s.
	Grace time.Duration
	Log   *slog.Logger
}

// steady is how long a program must have run for its end to count as the
// first one again.
const steady = 30 * time.Second

// giveUp is how many times in a row a program may end at once.
const giveUp = 8

// Run keeps the program running until ctx ends, then stops it. It errs when
// the program cannot be started, or ends again and again.
func (p Program) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 5*time.Second
	for quick := 0; ; {
		began := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errStart) {
			return err
		}
		if time.Since(began) > steady {
			quick = 0
			pause.Reset()
		}
		if quick++; quick == giveUp {
			return fmt.Errorf("%s ended %d times in a row: %w", p.Path, giveUp, err)
		}
		p.Log.Error("program ended by itself; starting it again", "program", p.Path, "error", err)
		if wait(ctx, pause.NextBackOff()) != nil {
			return nil
		}
	}
}

var errStart = errors.New("cannot be started")

// once runs the program to its end. The thread that started it is kept,
// because the kernel takes the end of that thread for the end of the parent.
func (p Program) once(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Env = p.Env
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if cmd.WaitDelay = p.Grace; p.Grace == 0 {
		cmd.WaitDelay = 10 * time.Second
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s %w: %w", p.Path, errStart, err)
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	return errors.New("ended with exit code 0")
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
