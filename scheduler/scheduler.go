// Package scheduler is the farm's decider: it takes jobs from clients, places
// their renditions on agents' devices, and keeps them there.
//
// What is wanted lies in the store, what is runs on the agents; package
// reconcile compares the two and this package carries the difference out. It
// holds the one loop that owns the fleet view, and the goroutines around it.
//
// Invariants: a directive leaves only after the record that grants it was
// written; the loop never waits for the store, an agent or a client; with the
// store away, what runs goes on and what was decided is written later.
//
// It must not know media, processes or HTTP.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"buf.build/go/protovalidate"
	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/reconcile"
	"github.com/galafarm/gala/scheduler/store"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// Config is fixed for the scheduler's life.
type Config struct {
	// Store keeps the jobs. The caller closes it after Run has returned.
	Store store.Store
	// OriginURL is the base of the farm's own origin, where jobs without a
	// destination go: http://127.0.0.1:8080 makes …/origin/<ID>.
	OriginURL string
	// AllowSources says which inputs may be read, as --allow-source has them;
	// LocalSources is what `gala up` allows.
	AllowSources []string
	// Name is told to agents; empty means "scheduler".
	Name string
	Log  *slog.Logger // nil discards
	// Timing and Settings: the zero values mean the defaults.
	Timing   fleet.Timing
	Settings reconcile.Settings
	// SettleFor is how long agents that the store names have to attach after a
	// start before they count as lost; 0 means 3 s.
	SettleFor time.Duration
}

// Scheduler is the farm's one decider. Make it with New.
type Scheduler struct {
	cfg    Config
	board  *api.Board
	farm   *api.Farm
	fleet  *api.Fleet
	health *health.Server
	valid  protovalidate.Validator
	loop   *loop
	done   chan struct{} // closed when Run ends
}

// Update is a change as the page shows it.
type Update = api.Update

// Subscription follows the farm: Next waits for changes (the first one is
// everything), Close ends it.
type Subscription = api.Subscription

// New checks the configuration and makes a scheduler. Nothing runs before Run.
func New(cfg Config) (*Scheduler, error) {
	if cfg.Store == nil {
		return nil, errors.New("a scheduler needs a store: open one with store.Open or store.NewMemory")
	}
	cfg = cfg.withDefaults()
	valid, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("compiling the rules of the proto: %w", err)
	}
	s := &Scheduler{cfg: cfg, board: api.NewBoard(), health: health.NewServer(), valid: valid, done: make(chan struct{})}
	s.loop = newLoop(cfg, s.board)
	s.farm = &api.Farm{Store: cfg.Store, Board: s.board, Now: time.Now, Log: cfg.Log,
		Rules: api.Rules{Sources: input.Rules{Patterns: cfg.AllowSources}, OriginURL: cfg.OriginURL}, Cordons: api.Cordons{Tell: s.loop.Tell, Known: s.loop.cordons}}
	s.loop.restoreCordons = s.farm.RestoreCordons
	s.fleet = &api.Fleet{Inbox: s.loop, Log: cfg.Log, HelloWithin: 5 * time.Second, Done: s.done}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "scheduler"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timing == (fleet.Timing{}) {
		c.Timing = fleet.DefaultTiming()
	}
	if c.Settings == (reconcile.Settings{}) {
		c.Settings = reconcile.DefaultSettings()
	}
	if c.SettleFor == 0 {
		c.SettleFor = 3 * time.Second
	}
	return c
}

// Run decides until ctx ends. Agents' streams end with it; what they run goes on.
func (s *Scheduler) Run(ctx context.Context) error {
	defer close(s.done)
	s.tellHealth(healthv1.HealthCheckResponse_NOT_SERVING)
	defer s.health.Shutdown()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.loop.run(ctx) })
	g.Go(func() error { return s.loop.watchStore(ctx) })
	g.Go(func() error { return s.watchHealth(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// window is what one stream may have in flight, in bytes.
const window = 1 << 20

// ServerOptions are what the gRPC server must be made with: validation of
// every message, keepalive, limits. NewServer uses them.
func (s *Scheduler) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(api.ValidateUnary(s.valid)),
		grpc.ChainStreamInterceptor(api.ValidateStream(s.valid)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		// An agent tells all that it runs at once, with the logos of it: 128 live
		// sources with 256 KiB each.
		grpc.MaxRecvMsgSize(64 << 20),
		// A window that is set switches off gRPC's estimator, which answers every
		// message of a quiet stream with a ping.
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
	}
}

// NewServer is a gRPC server with everything registered. End Run before
// stopping it gracefully: agents' streams last as long as Run does.
func (s *Scheduler) NewServer(more ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(s.ServerOptions(), more...)...)
	s.Register(server)
	return server
}

// Register serves Farm, Fleet, health and reflection on r, which must have
// been made with ServerOptions.
func (s *Scheduler) Register(r grpc.ServiceRegistrar) {
	galav1.RegisterFarmServer(r, s.farm)
	galav1.RegisterFleetServer(r, s.fleet)
	healthv1.RegisterHealthServer(r, s.health)
	if full, ok := r.(reflection.GRPCServer); ok {
		reflection.Register(full)
	}
}

// Ready is nil once the store has been read and while it answers; otherwise it
// says what is missing.
func (s *Scheduler) Ready() error {
	if !s.board.Ready() {
		return errors.New("the job store has not been read yet")
	}
	return s.loop.storeError()
}

// Snapshot is every job, newest first, and the fleet, as of now. The messages
// are shared: read them only.
func (s *Scheduler) Snapshot() Update { return s.board.Snapshot() }

// Subscribe follows the farm; the caller closes it.
func (s *Scheduler) Subscribe() *Subscription { return s.board.Subscribe() }

// LocalSources is what `gala up` allows beside --allow-source: files that its
// user can read, and loopback URLs.
func LocalSources() []string { return append([]string(nil), input.Local...) }
