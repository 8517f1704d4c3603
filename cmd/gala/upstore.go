package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/galafarm/gala/internal/child"
	"github.com/galafarm/gala/scheduler/store"
	"golang.org/x/sync/errgroup"
)

// jobStore is the store of a one-machine farm.
type jobStore struct {
	store.Store
	volatile bool // jobs end with the process
}

// openJobs is the Redis that was named, else a redis-server of our own that
// all runs until ctx ends, else memory.
func openJobs(ctx context.Context, all *errgroup.Group, named, dir string, log *slog.Logger) (jobStore, error) {
	if named != "" {
		s, err := store.Open(ctx, named)
		return jobStore{Store: s}, err
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		log.Warn("redis-server is not installed: jobs are kept in memory and end with this process")
		return jobStore{Store: store.NewMemory(), volatile: true}, nil
	}
	socket, err := redisSocket(dir)
	if err != nil {
		return jobStore{}, err
	}
	if err := endStale(ctx, socket); err != nil {
		return jobStore{}, err
	}
	redis := child.Program{Path: program, Args: redisArgs(dir, socket), Log: log}
	all.Go(func() error { return redis.Run(ctx) })
	if err := waitRedis(ctx, socket); err != nil {
		return jobStore{}, fmt.Errorf("start redis-server: %w: see %s", err, filepath.Join(dir, "redis.log"))
	}
	s, err := store.Open(ctx, (&url.URL{Scheme: "unix", Path: socket}).String())
	return jobStore{Store: s}, err
}

// redisArgs: a private socket, and every write in the append-only file before
// it is acknowledged.
func redisArgs(dir, socket string) []string {
	return []string{
		"--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", dir,
		"--appendonly", "yes", "--save", "", "--logfile", filepath.Join(dir, "redis.log"), "--maxmemory-policy", "noeviction",
	}
}

// redisSocket is a path that fits the 107 bytes a socket's name may have.
func redisSocket(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("redis directory: %w", err)
	}
	if socket := filepath.Join(dir, "sock"); len(socket) < 108 {
		return socket, nil
	}
	short, err := os.MkdirTemp("", "gala-redis-")
	return filepath.Join(short, "sock"), err
}

// endStale stops the redis-server of a farm that was killed: two of them would
// write one append-only file.
func endStale(ctx context.Context, socket string) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := ask(socket, "SHUTDOWN"); err != nil {
			return nil // nobody there any more
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a redis-server of an earlier farm does not stop: end the process that holds %s", socket)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func waitRedis(ctx context.Context, socket string) error {
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		var answer string
		if answer, err = ask(socket, "PING"); err == nil && strings.HasPrefix(answer, "+PONG") {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("it does not answer: %w", err)
}

// ask sends one command and reads the first line of the answer.
func ask(socket, command string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if command == "SHUTDOWN" {
		err = nil // it answers by hanging up
	}
	return line, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
