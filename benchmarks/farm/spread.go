package farm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/netns"
	"github.com/galafarm/gala/scheduler/store/embedded"
	"golang.org/x/sync/errgroup"
)

// Spread is a farm over hosts that can be cut off: scheduler, Redis and origin on
// this machine, an agent in each of several network namespaces. It wants root.
type Spread struct {
	Client *client.Client
	// Address is the scheduler's gRPC one, Host this machine as the hosts reach it.
	Address, Host string

	net       *netns.Net
	store     *embedded.Server
	origin    *exec.Cmd
	scheduler *exec.Cmd
	serve     func() *exec.Cmd // the scheduler
	hosts     int
	agents    errgroup.Group
	end       context.CancelFunc // of the agents
	dir       string
}

// StartSpread brings one up; everything that it keeps and logs is in dir. gala
// is the program, beside which gala-agent is.
func StartSpread(ctx context.Context, gala, dir string, hosts ...string) (s *Spread, err error) {
	s = &Spread{dir: dir, hosts: len(hosts)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.net, err = netns.New(); err != nil {
		return s, err
	}
	s.Host = s.net.Address
	if s.store, err = embedded.Start(context.WithoutCancel(ctx), embedded.Config{Dir: dir}); err != nil {
		return s, err
	}
	var ports [3]string
	for i := range ports {
		if ports[i], err = s.port(); err != nil {
			return s, err
		}
	}
	page, objects := ports[0], ports[1]
	s.Address = ports[2]
	s.serve = func() *exec.Cmd {
		return exec.Command(gala, "scheduler", "--redis", s.store.URL, "--listen", page, "--grpc", s.Address, "--origin", "http://gala:bench@"+objects, "--allow-source", "udp://*")
	}
	s.origin, err = s.start("origin", exec.Command(gala, "origin", "--listen", objects, "--root", filepath.Join(dir, "origin"), "--token", "bench"))
	if err == nil {
		s.scheduler, err = s.start("scheduler", s.serve())
	}
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	for _, name := range hosts {
		h, err := s.net.Add(name)
		if err != nil {
			return s, err
		}
		s.agents.Go(func() error {
			return s.keep(living, name, func() *exec.Cmd {
				return h.Command(living, filepath.Join(filepath.Dir(gala), "gala-agent"), "run", "--scheduler", s.Address, "--name", name, "--data", filepath.Join(dir, name))
			})
		})
	}
	if err != nil {
		return s, err
	}
	if s.Client, err = client.Dial(s.Address); err != nil {
		return s, err
	}
	return s, s.Attached(ctx, s.hosts)
}

// port is a free one at this machine's address on the net.
func (s *Spread) port() (string, error) {
	l, err := net.Listen("tcp", s.Host+":0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// again is how soon an agent that has ended is started anew, as by systemd.
const again = time.Second

// keep an agent running until ctx ends.
func (s *Spread) keep(ctx context.Context, name string, agent func() *exec.Cmd) error {
	for {
		cmd := agent()
		cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, downWithin
		if err := s.log(name, cmd, cmd.Run); errors.Is(err, exec.ErrNotFound) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

func (s *Spread) start(name string, cmd *exec.Cmd) (*exec.Cmd, error) {
	if err := s.log(name, cmd, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return cmd, nil
}

// Restart the scheduler once the one that runs has ended, and wait for the agents.
func (s *Spread) Restart(ctx context.Context) (err error) {
	if err := over(s.scheduler); err != nil {
		return err
	}
	if s.scheduler, err = s.start("scheduler", s.serve()); err != nil {
		return err
	}
	return s.Attached(ctx, s.hosts)
}

// ended tells a process to end, and waits for that.
func ended(cmd *exec.Cmd) error {
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	return over(cmd)
}

// over waits for the end of a process that was told to; after a while it is killed.
func over(cmd *exec.Cmd) error {
	timer := time.AfterFunc(downWithin, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// log what a program prints while it is started or run.
func (s *Spread) log(name string, cmd *exec.Cmd, run func() error) error {
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return run()
}

// Attached waits until so many agents are.
func (s *Spread) Attached(ctx context.Context, hosts int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, upWithin, fmt.Errorf("the %d agents were not attached within %v: their logs are in %s", hosts, upWithin, s.dir))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		agents, err := s.Client.Agents(ctx)
		n := 0
		for _, a := range agents {
			if a.GetConnected() {
				n++
			}
		}
		if err == nil && n == hosts {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stop ends every process of it, and removes the hosts.
func (s *Spread) Stop() error {
	if s.Client != nil {
		s.Client.Close()
	}
	if s.end != nil {
		s.end()
	}
	errs := []error{s.agents.Wait(), ended(s.scheduler), ended(s.origin)}
	if s.store != nil {
		errs = append(errs, s.store.Stop())
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(errs...)
}
