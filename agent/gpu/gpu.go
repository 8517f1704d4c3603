package gpu

import (
	"context"
	"errors"
)

// GPU is one device as the driver names it.
type GPU struct {
	UUID   string
	Model  string
	Memory int64 // bytes; 0 when the driver does not tell
}

// Inventory is what the driver told. Reason says why there are no GPUs, or
// fewer than there could be.
type Inventory struct {
	Driver string
	GPUs   []GPU
	Reason string
}

// errSlow: the driver did not answer in time.
var errSlow = errors.New("the NVIDIA driver did not answer in time; look for XID lines in the kernel's log")

// List asks the driver, for as long as ctx lasts. A call into a driver that
// hangs cannot be taken back: its goroutine is left to it.
func List(ctx context.Context) Inventory {
	return listWith(ctx, query)
}

func listWith(ctx context.Context, ask func() Inventory) Inventory {
	answer := make(chan Inventory, 1)
	go func() { answer <- ask() }()
	select {
	case i := <-answer:
		return i
	case <-ctx.Done():
		return Inventory{Reason: errSlow.Error()}
	}
}
