package supervisor

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The kernel's own account: processes that share the processors with many others
// are hungry, and one of them that is stopped is not, however busy the host.
func TestHungerOfRealProcesses(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("this kernel keeps no schedstat")
	}
	var all []*process
	for range 6 * runtime.NumCPU() {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := openProcess(cmd.Process.Pid, cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.signal(syscall.SIGKILL); p.reap() })
		all = append(all, p)
	}
	if err := all[0].signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began, before := time.Now(), []usage{all[0].usage(), all[1].usage()}
	for now := range time.Tick(100 * time.Millisecond) {
		stopped, starved := all[0].usage().since(before[0]), all[1].usage().since(before[1])
		over := now.Sub(began)
		// What waited is told when it has run, so by turns.
		if over > 2*time.Second && starved.hungry(over*3/4) && !stopped.hungry(over*3/4) {
			return
		}
		if over > 20*time.Second {
			t.Fatalf("in %s: stopped %+v, starved %+v", over, stopped, starved)
		}
	}
}
