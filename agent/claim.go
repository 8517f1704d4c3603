package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// claimed is a data directory that only this agent uses. The kernel gives it
// up with the process, however that ends.
type claimed struct {
	lock *os.File
}

// claimPatience is for an agent before this one that still finishes its
// workers.
const claimPatience = 30 * time.Second

// claim waits for a predecessor that is ending.
func claim(ctx context.Context, dir string, patience time.Duration, log *slog.Logger) (claimed, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return claimed{}, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "agent.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return claimed{}, fmt.Errorf("open lock of data directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for told := false; ; told = true {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return claimed{lock: lock}, nil
		}
		if !told {
			log.Warn("another agent uses the data directory; waiting for its end", "dir", dir, "at_most", patience)
		}
		if !pause(ctx, 100*time.Millisecond) {
			lock.Close()
			return claimed{}, fmt.Errorf("data directory %s is used by another agent; stop it or set --data: %w", dir, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (c claimed) release() { _ = c.lock.Close() } // nil-safe: nothing was claimed
