package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a worker's process by its pidfd: the handle cannot be confused
// with another process that got the same number, and its end is an event, for
// a child and for an adopted process alike.
type process struct {
	pid  int
	file *os.File  // the pidfd, in the runtime's poller: waiting costs no thread
	cmd  *exec.Cmd // nil when adopted
}

func openProcess(pid int, cmd *exec.Cmd) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &process{pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), cmd: cmd}, nil
}

// wait blocks until the process has ended or ctx has.
func (p *process) wait(ctx context.Context) error {
	return p.poll(ctx, unix.POLLIN)
}

func (p *process) poll(ctx context.Context, events int16) error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	_ = p.file.SetReadDeadline(time.Time{}) // an earlier wait was ended by it
	stop := context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = raw.Read(func(fd uintptr) bool { return polled(fd, events) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func polled(fd uintptr, events int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&events != 0
}

// control runs f on the descriptor.
func (p *process) control(f func(fd uintptr) error) error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var told error
	if err := raw.Control(func(fd uintptr) { told = f(fd) }); err != nil {
		return err
	}
	return told
}

// ended says whether the process is gone, without waiting.
func (p *process) ended() bool {
	gone := true
	_ = p.control(func(fd uintptr) error { gone = polled(fd, unix.POLLIN); return nil })
	return gone
}

// signal is a no-op on a process that has ended.
func (p *process) signal(sig syscall.Signal) error {
	err := p.control(func(fd uintptr) error { return sendSignal(int(fd), sig) })
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// sendSignal kills the worker's whole group where the kernel can (6.9): a
// worker leads its own, and its children go with it.
func sendSignal(fd int, sig syscall.Signal) error {
	if sig == syscall.SIGKILL {
		err := unix.PidfdSendSignal(fd, sig, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// leave lets go of the process and lets it run.
func (p *process) leave() {
	_ = p.file.Close()
	if p.cmd != nil {
		_ = p.cmd.Process.Release()
	}
}

// WaitProcess returns nil when the process pid has ended, or ctx's error.
func WaitProcess(ctx context.Context, pid int) error {
	p, err := openProcess(pid, nil)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.leave()
	return p.wait(ctx)
}
