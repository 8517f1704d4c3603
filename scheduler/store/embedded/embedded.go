package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// Config of a store.
type Config struct {
	// Dir keeps the data; "redis" is made in it.
	Dir string
	// Program is the redis-server to run; empty looks for one on PATH.
	Program string
	// InProcess asks for the forgetful store even where Redis is installed.
	InProcess bool
	Log       *slog.Logger
}

// Server is a running store.
type Server struct {
	// URL is what store.Open takes.
	URL string
	// Durable tells whether jobs outlive the process.
	Durable bool
	// About says in one sentence what it is, for people.
	About string
	group *errgroup.Group
	end   context.CancelFunc
}

// Start brings a store up and returns once it answers. It runs until ctx ends
// or Stop is called.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	program, err := find(cfg)
	if err != nil {
		cfg.Log.Warn(forgetful, "reason", err)
		return startMini(ctx)
	}
	dir, err := filepath.Abs(filepath.Join(cfg.Dir, "redis"))
	if err != nil {
		return nil, fmt.Errorf("redis directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("redis directory: %w", err)
	}
	return startChild(ctx, program, dir, cfg.Log)
}

// forgetful is the loud line.
const forgetful = "QUEUED JOBS END WITH THIS PROCESS: jobs are kept in memory, for up to some thousand of them. " +
	"Install redis-server (apt install redis-server), or name one with --redis, and they survive"

var errAsked = errors.New("asked for")

func find(cfg Config) (string, error) {
	switch {
	case cfg.InProcess:
		return "", errAsked
	case cfg.Program != "":
		return cfg.Program, nil
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("redis-server is not installed: %w", err)
	}
	return program, nil
}

// Wait returns when the store has ended: nil after Stop or the end of ctx.
func (s *Server) Wait() error { return s.group.Wait() }

// Stop ends the store and waits for it.
func (s *Server) Stop() error {
	s.end()
	return s.group.Wait()
}
