package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// longTurn is how long a thread of a clip's worker may run before another one's
// turn comes, where both are ready.
const longTurn = 50 * time.Millisecond

// takeLongTurns asks the kernel to let this process's threads run longer at a time
// and not to wake up over others. A ladder keeps dozens of threads busy on a
// few cores, and each change of turns costs an encoder what it has in the cache; a
// clip has no clock to keep. A live job on the same host, which asks for nothing, has
// shorter turns, and waits for its own no longer than beside a clip without this.
// What the operator chose stays: niceness, and any class but the usual one. Before
// Linux 6.12 the length is ignored.
func takeLongTurns() error {
	done := map[int]bool{}
	for { // a thread that another one started meanwhile comes after it
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("take long turns: %w", err)
		}
		before := len(done)
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			if err := lengthen(id); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("take long turns: %w", err)
			}
			done[id] = true
		}
		if len(done) == before {
			return nil
		}
	}
}

// lengthen the turns of one thread.
func lengthen(thread int) error {
	now, err := unix.SchedGetAttr(thread, 0)
	if err != nil {
		return err
	}
	if now.Policy != unix.SCHED_NORMAL && now.Policy != unix.SCHED_BATCH {
		return nil
	}
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: now.Nice, Runtime: uint64(longTurn)}, 0)
}
