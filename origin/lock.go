package origin

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockRoot takes the lock of a directory for the life of this process; the
// kernel gives it back however the process ends.
func lockRoot(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("another origin serves this directory; stop it, or give this one a directory of its own")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	}
	return f, nil
}
