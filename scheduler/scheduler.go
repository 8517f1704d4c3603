package scheduler

import (
	"context"
	"errors"
	"log/slog"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/grpc"
)

// Config is fixed for the scheduler's life.
type Config struct {
	// Store keeps the jobs. The caller closes it after Run has returned.
	Store store.Store
	// OriginURL is the base of the farm's own origin, where jobs without a
	// destination go: http://127.0.0.1:8080 makes …/origin/<ID>.
	OriginURL string
	// AllowSources says which inputs may be read, as --allow-source has them;
	// see package sources. LocalSources() is what `gala up` allows.
	AllowSources []string
	// Name is told to agents; it defaults to "scheduler".
	Name string
	Log  *slog.Logger
}

// Scheduler is the farm's one decider. Make it with New.
type Scheduler struct {
	cfg Config
}

// New checks the configuration and makes a scheduler. Nothing runs before Run.
func New(cfg Config) (*Scheduler, error) {
	if cfg.Store == nil {
		return nil, errors.New("a scheduler needs a store")
	}
	return &Scheduler{cfg: cfg}, nil
}

// Run decides until ctx ends.
func (s *Scheduler) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// ServerOptions are what the gRPC server must be made with: validation of
// every message, keepalive, limits.
func (s *Scheduler) ServerOptions() []grpc.ServerOption { return nil }

// Register serves Farm, Fleet, health and reflection on r.
func (s *Scheduler) Register(r grpc.ServiceRegistrar) {}

// Ready is nil once the store has been read and answers; otherwise it says
// what is missing.
func (s *Scheduler) Ready() error { return nil }

// Update is a change as the page shows it.
type Update struct {
	// Jobs that changed; the newest form of each.
	Jobs []*galav1.Job
	// Agents is the whole fleet when Fleet is set.
	Agents []*galav1.AgentView
	Fleet  bool
}

// Snapshot is every job, newest first, and the fleet, as of now. The messages
// are shared: read them only.
func (s *Scheduler) Snapshot() Update { return Update{} }

// Subscribe follows the farm; the caller closes it.
func (s *Scheduler) Subscribe() *Subscription { return &Subscription{} }

// Subscription follows the farm. A slow reader skips intermediate states and
// never misses the newest.
type Subscription struct{}

// Next waits for changes; the first one is everything there is.
func (s *Subscription) Next(ctx context.Context) (Update, error) { return Update{}, ctx.Err() }

// Close ends the subscription.
func (s *Subscription) Close() {}

// LocalSources is what `gala up` allows beside --allow-source: files that its
// user can read, and loopback URLs.
func LocalSources() []string { return nil }
