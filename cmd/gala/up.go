package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/galafarm/gala/internal/child"
	"github.com/galafarm/gala/origin"
	"github.com/galafarm/gala/scheduler"
	"golang.org/x/sync/errgroup"
)

type upCmd struct {
	Data        string   `help:"Directory for everything that is kept." default:"${data}" type:"path" env:"GALA_DATA" placeholder:"DIR"`
	Listen      string   `help:"Page, REST and origin." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	GRPC        string   `name:"grpc" help:"gRPC, for gala, clients and agents." default:"127.0.0.1:8081" placeholder:"HOST:PORT"`
	ReadyFile   string   `help:"Write this file (JSON) once the farm can take jobs; it goes away with the farm." type:"path" placeholder:"FILE"`
	Twin        string   `help:"For tests and rehearsals: GPUs of the driver twin, which 'make twin' builds, in place of this machine's. A list such as l4:2,h200:1, or a YAML file." placeholder:"LIST|FILE"`
	Redis       string   `help:"Use this Redis instead of one of our own." env:"GALA_REDIS" placeholder:"URL"`
	AllowSource []string `help:"Sources that may be read beside local files and loopback URLs; may be repeated." sep:"none" placeholder:"PATTERN"`
	Agent       string   `help:"Agent program, where it is not beside this one." type:"path" placeholder:"FILE"`
	Public      string   `help:"Address by which viewers reach /origin/, where that is not the one that they write: https://cdn.example/live/." placeholder:"URL"`
	logFlags
}

func (c *upCmd) Run(sh *shell) error {
	spec, err := c.twinSpec()
	if err != nil {
		return err
	}
	libraries, err := twinLibraries()
	if err != nil {
		return err
	}
	agent, err := beside(c.Agent, "gala-agent")
	if err != nil {
		return err
	}
	free, err := claimData(c.Data)
	if err != nil {
		return err
	}
	defer free()
	gpus, err := twinsIn(c.Data, libraries, spec)
	if err != nil {
		return err
	}
	defer gpus.Close()
	ports, err := listen(c.Listen, c.GRPC)
	if err != nil {
		return err
	}
	defer ports.close()
	objects, err := origin.New(origin.Config{Root: filepath.Join(c.Data, "origin"), Public: c.Public, Log: c.logger(sh)})
	if err != nil {
		return err
	}
	defer objects.Close()
	return c.assemble(sh, c.logger(sh), c.agent(agent, gpus, ports, c.logger(sh), sh), ports, objects)
}

// assemble runs the parts and ends them in order: the agent with its workers,
// which still publish and report; then what they talk to; the store last.
func (c *upCmd) assemble(sh *shell, log *slog.Logger, agent child.Program, ports ports, objects *origin.Origin) error {
	all, ctx := errgroup.WithContext(sh.ctx)
	agentCtx, stopAgent := context.WithCancel(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer func() { stopAgent(); stopServing(); stopKeeping() }()

	jobs, err := openJobs(keeping, all, c.Redis, c.Data, log)
	if err != nil {
		stopKeeping()
		return firstError(all.Wait(), err)
	}
	farm, err := scheduler.New(scheduler.Config{
		Store: jobs, OriginURL: ports.url(), AllowSources: append(scheduler.LocalSources(), c.AllowSource...), Log: log,
	})
	if err != nil {
		stopKeeping()
		return firstError(err, all.Wait())
	}
	all.Go(func() error {
		defer stopKeeping()
		defer jobs.Close()
		return runFarm(serving, farm, ports, pageMux(farm, objects, log))
	})
	all.Go(func() error {
		defer stopServing()
		return agent.Run(agentCtx)
	})
	all.Go(func() error { return c.announce(ctx, sh, farm, ports, jobs.volatile) })
	return all.Wait()
}

// firstError is the error that explains the others.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ports are the two listeners, taken before anything else starts.
type ports struct{ http, grpc net.Listener }

func listen(http, grpc string) (p ports, err error) {
	if p.http, err = listenOne("--listen", http); err != nil {
		return p, err
	}
	if p.grpc, err = listenOne("--grpc", grpc); err != nil {
		p.http.Close()
	}
	return p, err
}

func listenOne(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &failure{exitFailed, fmt.Sprintf("%s %s: %v", flag, address, err), "stop what listens there, maybe another `gala up`, or choose another " + flag}
	}
	return l, nil
}

func (p ports) close() { p.http.Close(); p.grpc.Close() }

// url is how processes on this machine reach the page and the origin.
func (p ports) url() string { return "http://" + reachable(p.http.Addr()) }

// reachable is an address that a client can dial: a listener on every
// interface is reached by loopback.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// defaultData is the user's data directory, or the system's for a user
// without a home.
func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gala")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "gala")
	}
	return "/var/lib/gala"
}
