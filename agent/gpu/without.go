//go:build !cgo || !linux

package gpu

import (
	"errors"
	"log/slog"
)

// openDriver is the poller's; without cgo there is none.
func openDriver(*slog.Logger) func() (driver, error) {
	return func() (driver, error) { return nil, errors.New(query().Reason) }
}

func query() Inventory {
	return Inventory{Reason: "this gala-agent was built without cgo and cannot ask the NVIDIA driver"}
}
