package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// claimed is a data directory that only this agent uses. The kernel gives it
// up with the process, however that ends.
type claimed struct {
	lock *os.File
}

func claim(dir string) (claimed, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return claimed{}, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "agent.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return claimed{}, fmt.Errorf("open lock of data directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return claimed{}, fmt.Errorf("data directory %s is used by another agent; stop it or set --data: %w", dir, err)
	}
	return claimed{lock: lock}, nil
}

func (c claimed) release() { _ = c.lock.Close() } // nil-safe: nothing was claimed
