package embedded

import "syscall"

// diesWithParent: a redis-server that outlives a killed farm would keep the
// data directory from the next one. It gets a process group of its own, so
// that an interrupt at the terminal reaches it through us.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
