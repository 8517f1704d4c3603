package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/galafarm/gala/agent/link"
	"github.com/galafarm/gala/agent/supervisor"
	"google.golang.org/grpc"
)

// Config of an agent; fixed for the life of the process.
type Config struct {
	Name       string            // of this host in the farm
	Labels     map[string]string // rack, zone, …: for placement
	Schedulers []string          // HOST:PORT, tried in order
	Data       string            // directory that outlives the agent
	Worker     string            // path of gala-worker; "" means beside this program
	// StopWorkersOnExit finishes the workers with the agent, instead of
	// leaving them to the next one: for a farm on one machine.
	StopWorkersOnExit bool
	// Metrics is a HOST:PORT that answers GET /metrics; "" means none does.
	Metrics string
	// Parent is a process that this agent ends with; 0 means none.
	Parent int
	Log    *slog.Logger
	// Connect are options of the connection to schedulers: credentials at least.
	Connect []grpc.DialOption
	Limits  supervisor.Limits // zero fields mean defaults
	Timing  link.Timing       // zero means defaults
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// check completes a configuration, or says everything that is wrong with it.
func (c Config) check() (Config, error) {
	var errs []error
	if !safeName.MatchString(c.Name) {
		errs = append(errs, fmt.Errorf("name %q: want letters, digits, '.', '_' or '-', at most 63; set --name", c.Name))
	}
	if len(c.Schedulers) == 0 {
		errs = append(errs, errors.New("no scheduler: set --scheduler HOST:PORT"))
	}
	if c.Data == "" {
		errs = append(errs, errors.New("no data directory: set --data DIR"))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timing == (link.Timing{}) {
		c.Timing = link.DefaultTiming()
	}
	worker, err := WorkerPath(c.Worker)
	c.Worker = worker
	return c, errors.Join(append(errs, err)...)
}

// WorkerPath is the worker program: the one named, or the one beside this
// program. The search path is never asked: a worker of another build would
// answer to it.
func WorkerPath(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return filepath.Join(filepath.Dir(self), "gala-worker"), nil
}

// HostName is this machine's name in a form that the farm accepts.
func HostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "agent"
	}
	name = regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(name, "-")
	name = strings.TrimLeft(name, "._-")
	if name == "" {
		return "agent"
	}
	return name[:min(63, len(name))]
}
