package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/galafarm/gala/scheduler/store"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Deadlines of the child, by name.
const (
	readyWithin = 10 * time.Second // start to the first answer; a long file is loaded first
	termWithin  = 5 * time.Second  // TERM to KILL
	askEvery    = 20 * time.Millisecond
	// steady is how long it must have run for its end to count as a first one.
	steady = 30 * time.Second
)

// child is the supervised redis-server.
type child struct {
	program, dir, socket string
	log                  *slog.Logger
}

func startChild(ctx context.Context, program, dir string, log *slog.Logger) (*Server, error) {
	socket, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	store.Silence()
	c := &child{program: program, dir: dir, socket: socket, log: log}
	if err := c.endPredecessor(ctx); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	g := new(errgroup.Group)
	ready := make(chan error, 1)
	g.Go(func() error { return c.supervise(ctx, ready) })
	if err := <-ready; err != nil {
		end()
		return nil, errors.Join(err, g.Wait())
	}
	return &Server{
		URL: (&url.URL{Scheme: "unix", Path: socket, RawQuery: "db=0"}).String(), Durable: true, About: "redis-server child with an append-only file in " + dir,
		group: g, end: end,
	}, nil
}

// socketMost is what a unix socket's path may take, less a margin.
const socketMost = 100

// socketPath lies beside the data, or in a directory of its own where that
// path is too long for a socket.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, "sock")
	if len(path) <= socketMost {
		return path, nil
	}
	// The same data gives the same place, so that a predecessor is found. The
	// chmod fails on a directory that somebody else has put there.
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "gala-redis-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(short, 0o700); err != nil {
		return "", fmt.Errorf("redis socket: %w", err)
	}
	if err := os.Chmod(short, 0o700); err != nil {
		return "", fmt.Errorf("redis socket: %w", err)
	}
	return filepath.Join(short, "sock"), nil
}

// endPredecessor asks a redis-server to leave that outlived its parent and
// still has our files: two of them would destroy each other's.
func (c *child) endPredecessor(ctx context.Context) error {
	client := c.client()
	defer client.Close()
	if client.Ping(ctx).Err() != nil {
		return nil
	}
	c.log.Info("a redis-server of an earlier run still has the data; it is asked to end")
	_ = client.Shutdown(ctx).Err() // the answer to success is a closed connection
	return wait(ctx, readyWithin, "the earlier redis-server does not end", func() bool { return client.Ping(ctx).Err() != nil })
}

// supervise starts the child again until ctx ends. ready hears of the first start.
func (c *child) supervise(ctx context.Context, ready chan<- error) error {
	pause := &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: 5 * time.Second}
	for first := true; ; first = false {
		began := time.Now()
		err := c.once(ctx, func(err error) {
			if first {
				ready <- err
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > steady {
			pause.Reset()
		}
		c.log.Error("redis-server ended; it is started again", "error", err, "log", filepath.Join(c.dir, "log"))
		again := time.NewTimer(pause.NextBackOff())
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
	}
}

// once runs the child from its start to its end. The thread that starts it
// stays ours, because the child's parent-death signal is bound to that thread.
func (c *child) once(ctx context.Context, ready func(error)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	logFile, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		ready(err)
		return err
	}
	defer logFile.Close()
	cmd := exec.CommandContext(ctx, c.program, c.args()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, logFile, logFile
	cmd.SysProcAttr = diesWithParent()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = termWithin
	if err := cmd.Start(); err != nil {
		ready(fmt.Errorf("starting %s: %w", c.program, err))
		return err
	}
	living, ended := context.WithCancel(ctx)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ready(c.answers(living))
	}()
	err = cmd.Wait()
	ended()
	<-answered
	return err
}

// args: every write is on disk before it is acknowledged, and only we get in.
func (c *child) args() []string {
	return []string{
		"--port", "0", "--unixsocket", c.socket, "--unixsocketperm", "700",
		"--dir", c.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--daemonize", "no", "--maxmemory-policy", "noeviction", "--loglevel", "notice",
		"--stop-writes-on-bgsave-error", "no",
	}
}

func (c *child) client() *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: c.socket, MaxRetries: -1, ContextTimeoutEnabled: true, PoolSize: 1})
}

func (c *child) answers(ctx context.Context) error {
	client := c.client()
	defer client.Close()
	return wait(ctx, readyWithin, "redis-server does not answer; see "+filepath.Join(c.dir, "log"),
		func() bool { return client.Ping(ctx).Err() == nil })
}

// wait asks until it is so.
func wait(ctx context.Context, within time.Duration, otherwise string, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s within %v: %w", otherwise, within, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
