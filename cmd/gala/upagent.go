package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/internal/child"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler"
)

// agent is this machine's agent as a child of the farm; it and its workers see
// the driver twin's GPUs where there are some.
func (c *upCmd) agent(program string, gpus *twin.Twin, p ports, log *slog.Logger, sh *shell) child.Program {
	return child.Program{
		Path: program,
		Args: []string{
			"--log-level", c.LogLevel.String(), "--log-format", c.LogFormat,
			"run", "--scheduler", reachable(p.grpc.Addr()), "--data", filepath.Join(c.Data, "agent"),
			"--stop-workers-on-exit", "--parent-pid", strconv.Itoa(os.Getpid()),
		},
		Env:    gpus.Environment(os.Environ()),
		Output: sh.err,
		Grace:  25 * time.Second, // its workers finish their segments first
		Log:    log,
	}
}

// beside is a program that was named, or one in the folder of this one.
// The search path is never asked: it may hold another build.
func beside(named, name string) (string, error) {
	if named == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find this program: %w", err)
		}
		named = filepath.Join(filepath.Dir(self), name)
	}
	if _, err := os.Stat(named); err != nil {
		return "", &failure{exitFailed, fmt.Sprintf("%s is missing: %v", name, err), "`make build` puts all three programs into one folder"}
	}
	return named, nil
}

// announce waits until the farm can take jobs, then tells whoever waits for it.
func (c *upCmd) announce(ctx context.Context, sh *shell, farm *scheduler.Scheduler, p ports, volatile bool) error {
	agent, err := waitAttached(ctx, farm)
	if err != nil {
		return nil // the farm ends; why is told elsewhere
	}
	if c.ReadyFile != "" {
		if err := writeReady(c.ReadyFile, p); err != nil {
			return err
		}
		defer os.Remove(c.ReadyFile)
	}
	fmt.Fprintf(sh.out, "\n  The farm is up: %s/\n\n", p.url())
	fmt.Fprintf(sh.out, "  gala live submit --input testcard:   puts the test card on air\n")
	fmt.Fprintf(sh.out, "  gala vod queue FILE                  encodes a file\n\n")
	if volatile {
		fmt.Fprint(sh.out, "  WITHOUT REDIS: jobs are kept in memory and end with this process.\n  Install redis-server to keep them.\n\n")
	}
	if c.Twin != "" {
		fmt.Fprintf(sh.out, "  ITS GPUS ARE TWINS (%s), for tests and rehearsals: no figure of theirs says how fast a GPU is.\n\n", c.Twin)
	}
	if !canEncode(agent) {
		fmt.Fprint(sh.out, "  NOTHING HERE CAN ENCODE: `gala doctor` and `gala fleet show` say why.\n\n")
	}
	fmt.Fprintf(sh.out, "  Everything is kept in %s; Ctrl-C stops it all.\n\n", c.Data)
	<-ctx.Done()
	return nil
}

// waitAttached returns the first agent that is attached.
func waitAttached(ctx context.Context, farm *scheduler.Scheduler) (*galav1.AgentView, error) {
	changes := farm.Subscribe()
	defer changes.Close()
	for {
		u, err := changes.Next(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range u.Agents {
			if a.GetConnected() {
				return a, nil
			}
		}
	}
}

func canEncode(a *galav1.AgentView) bool {
	for _, d := range a.GetDevices() {
		if d.GetRole() == "encode" {
			return true
		}
	}
	return false
}

// writeReady writes the file whole or not at all: its reader waits for it.
func writeReady(path string, p ports) error {
	text, err := json.Marshal(map[string]any{"page": p.url() + "/", "grpc": reachable(p.grpc.Addr()), "pid": os.Getpid()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	return os.Rename(path+".new", path)
}

// claimData makes the directory and takes its lock: two farms in one
// directory would take each other's jobs.
func claimData(dir string) (free func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &failure{exitFailed, fmt.Sprintf("data directory: %v", err), "choose another with --data"}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &failure{exitFailed, "another `gala up` uses " + dir, "stop it, or choose another directory with --data"}
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { lock.Close() }, nil
}
