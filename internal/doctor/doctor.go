// Package doctor looks at a machine as the farm would use it: the media
// programs, their encoders, GPUs, Redis, ports and disk, and what to do about
// what is missing.
//
// Invariants: looking changes nothing; one thing that cannot be looked at does
// not hide the others; what it says is missing comes with what to do.
//
// It must not know flags or how its findings are printed.
package doctor

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// Status of one thing. Warn: the farm runs without it, or not for long.
type Status string

// The statuses.
const (
	OK      Status = "OK"
	Warn    Status = "WARN"
	Missing Status = "MISSING"
)

// Finding is one thing that was looked at.
type Finding struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"`
}

// Machine is what to look at.
type Machine struct {
	// Worker and Agent are the paths of gala-worker and gala-agent.
	Worker, Agent string
	// Data is where the farm keeps things.
	Data string
	// Ports are addresses that the farm would listen on, by flag.
	Ports []Port
	// RedisURL is the Redis to use; empty means a redis-server of our own.
	RedisURL string
}

// Port is an address that the farm would listen on.
type Port struct{ Flag, Address string }

// Look looks at everything, in the order in which a farm needs it.
func (m Machine) Look(ctx context.Context) []Finding {
	worker := m.worker(ctx)
	found := append([]Finding{}, worker...)
	found = append(found, m.devices(ctx)...)
	found = append(found, m.redis(ctx))
	for _, p := range m.Ports {
		found = append(found, p.look(ctx))
	}
	return append(found, m.disk())
}

// Healthy tells whether nothing is missing.
func Healthy(found []Finding) bool {
	for _, f := range found {
		if f.Status == Missing {
			return false
		}
	}
	return true
}

// patience is how long a program may take to answer; opening every encoder of
// a GPU takes a while.
const patience = 30 * time.Second

// output is what a program prints. Its standard error goes into the error.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return out, errors.New(firstLine(exit.Stderr))
	}
	return out, err
}

func firstLine(text []byte) string {
	for i, b := range text {
		if b == '\n' {
			return string(text[:i])
		}
	}
	return string(text)
}
