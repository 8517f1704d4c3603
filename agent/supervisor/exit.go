package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
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

// reapGrace: the kernel tells a stranger's status once its parent has reaped it.
const reapGrace = 200 * time.Millisecond

// strangersExit asks first for the zombie, which some first processes never
// reap, and then for what the pidfd keeps.
func (p *process) strangersExit() exit {
	if x := p.zombiesExit(); x.known {
		return x
	}
	ctx, cancel := context.WithTimeout(context.Background(), reapGrace)
	defer cancel()
	_ = p.poll(ctx, unix.POLLHUP)
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := p.control(func(fd uintptr) error { return unix.IoctlPidfdInfo(int(fd), &info) })
	if err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return exit{}
	}
	return exit{known: true, status: syscall.WaitStatus(info.Exit_code)}
}

// zombiesExit is the last field of a zombie's line. It is ours as long as the
// pidfd has not hung up afterwards; 0 may also mean that we may not look.
func (p *process) zombiesExit() exit {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return exit{}
	}
	reaped := false
	_ = p.control(func(fd uintptr) error { reaped = polled(fd, unix.POLLHUP); return nil })
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if reaped || len(fields) < 50 || string(fields[0]) != "Z" {
		return exit{}
	}
	code, err := strconv.Atoi(string(fields[49]))
	return exit{known: err == nil && code != 0, status: syscall.WaitStatus(code)}
}
