package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/galafarm/gala/agent"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type runCmd struct {
	Scheduler []string          `help:"Address of a scheduler; several are tried in order." placeholder:"HOST:PORT" required:"" env:"GALA_SCHEDULER"`
	Name      string            `help:"Name of this host in the farm." default:"${name}" env:"GALA_AGENT_NAME"`
	Label     map[string]string `help:"Label of this host, for placement; may be repeated." placeholder:"KEY=VALUE" mapsep:","`
	Data      string            `help:"Directory for the workers' runtime directories." default:"${data}" type:"path" env:"GALA_AGENT_DATA"`
	Worker    string            `help:"Worker program, where it is not beside this one." type:"path"`

	Metrics           string `help:"Answer GET /metrics here for Prometheus: GPUs under DCGM's names, renditions under gala_*." placeholder:"HOST:PORT" env:"GALA_AGENT_METRICS"`
	StopWorkersOnExit bool   `help:"Finish the workers when the agent ends, instead of leaving them to the next agent."`
	ParentPid         int    `help:"End with this process, which started the agent." placeholder:"PID"`
}

func (c *runCmd) Run(ctx context.Context, log *slog.Logger) error {
	return agent.Run(ctx, agent.Config{
		Name: c.Name, Labels: c.Label, Schedulers: c.Scheduler, Data: c.Data, Worker: c.Worker, Metrics: c.Metrics,
		StopWorkersOnExit: c.StopWorkersOnExit, Parent: c.ParentPid, Log: log,
		Connect: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	})
}

func defaultName() string { return agent.HostName() }

// defaultData is the user's data directory, or the system's for a user
// without a home.
func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "gala", "agent")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "gala", "agent")
	}
	return "/var/lib/gala/agent"
}
