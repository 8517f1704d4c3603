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
// clip has no clock to keep. Threads that keep one - a live job's on the same
// host - ask for short turns, as everything does that asks for nothing, and get
// theirs first. Before Linux 6.12 the length is ignored.
func takeLongTurns() error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Runtime: uint64(longTurn)}
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
			if err := unix.SchedSetAttr(id, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("take long turns: %w", err)
			}
			done[id] = true
		}
		if len(done) == before {
			return nil
		}
	}
}
