package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// usage is what the threads of a process had of the processors since they began:
// how long they ran, and how long they could have run and had none.
type usage struct {
	ran, waited time.Duration
}

func (u usage) since(before usage) usage {
	return usage{max(0, u.ran-before.ran), max(0, u.waited-before.waited)}
}

// hungry tells a process that is starved from one that hangs: over this time at
// least one thread on average wanted a processor, and for each second that they
// ran, they waited for three or more. One that is stopped, deadlocked or asleep
// in a driver wants none; one that spins gets what there is.
func (u usage) hungry(over time.Duration) bool {
	return over > 0 && u.waited >= over && u.waited >= 3*u.ran
}

// usage adds up the process's threads by their schedstat (Linux,
// Documentation/scheduler/sched-stats.rst): ns run, ns waited, time slices. It is
// zero where the kernel keeps none.
func (p *process) usage() (u usage) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		var ran, waited time.Duration
		if _, err := fmt.Sscan(string(text), &ran, &waited); err == nil {
			u.ran, u.waited = u.ran+ran, u.waited+waited
		}
	}
	return u
}
