package agent

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/galafarm/gala/agent/supervisor"
)

var errOrphaned = errors.New("the program that started this agent has ended")

// withParent ends the agent when its parent ends, however it ends: a parent
// that was killed counts as well, and no thread of it has to live for that.
func withParent(ctx context.Context, pid int, end context.CancelCauseFunc) error {
	if pid == 0 {
		return nil
	}
	// It may have ended before we looked, and its number may be another's now.
	if os.Getppid() == pid {
		err := supervisor.WaitProcess(ctx, pid)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch parent %d: %w", pid, err)
		}
	}
	end(errOrphaned)
	return nil
}
