package supervisor

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exit is how a process ended. An adopted process is not our child, and
// kernels before 6.15 do not tell its status to others: known is false then.
type exit struct {
	known  bool
	status syscall.WaitStatus
}

func (e exit) signal() syscall.Signal {
	if e.known && e.status.Signaled() {
		return e.status.Signal()
	}
	return 0
}

func (e exit) String() string {
	switch {
	case !e.known:
		return "ended; its exit status went to another process"
	case e.status.Signaled():
		return fmt.Sprintf("was killed by %s (%s)", unix.SignalName(e.status.Signal()), e.status.Signal())
	default:
		return fmt.Sprintf("exited with status %d", e.status.ExitStatus())
	}
}

// reap collects the status of a process that has ended.
func (p *process) reap() exit {
	defer p.file.Close()
	if p.cmd == nil {
		return p.strangersExit()
	}
	_ = p.cmd.Wait()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return exit{known: ok, status: status}
}

// reapGrace: the kernel knows a stranger's status once its parent has reaped it.
const reapGrace = 200 * time.Millisecond

func (p *process) strangersExit() exit {
	ctx, cancel := context.WithTimeout(context.Background(), reapGrace)
	defer cancel()
	_ = p.poll(ctx, unix.POLLHUP)
	raw, err := p.file.SyscallConn()
	if err != nil {
		return exit{}
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	_ = raw.Control(func(fd uintptr) { err = unix.IoctlPidfdInfo(int(fd), &info) })
	if err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return exit{}
	}
	return exit{known: true, status: syscall.WaitStatus(info.Exit_code)}
}
