//go:build !linux

package embedded

import "syscall"

// diesWithParent: without parent-death signals, the next start asks a
// leftover child to end.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
