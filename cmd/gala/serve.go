package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/origin"
	"github.com/galafarm/gala/scheduler"
	"github.com/galafarm/gala/scheduler/dashboard"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// runFarm is the scheduler with its two doors, until ctx ends.
func runFarm(ctx context.Context, farm *scheduler.Scheduler, p ports, pages http.Handler) error {
	server := farm.NewServer()
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return farm.Run(ctx) })
	all.Go(func() error { return serveGRPC(ctx, p.grpc, server) })
	all.Go(func() error { return serveHTTP(ctx, p.http, pages) })
	return all.Wait()
}

// pageMux is everything that the farm answers by HTTP. A farm without its own
// origin passes nil.
func pageMux(farm *scheduler.Scheduler, objects http.Handler, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", dashboard.Handler(dashboard.FromBoard(farm.Subscribe), dashboard.Options{Log: log, Version: version.String()}))
	if objects != nil {
		mux.Handle(origin.Prefix, objects)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := farm.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// serveGRPC lets calls in flight finish for a second; watches and attached
// agents end then and find another scheduler.
func serveGRPC(ctx context.Context, l net.Listener, server *grpc.Server) error {
	stop := context.AfterFunc(ctx, func() {
		kill := time.AfterFunc(time.Second, server.Stop)
		defer kill.Stop()
		server.GracefulStop()
	})
	defer stop()
	if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// serveHTTP ends event streams with ctx and lets other requests finish.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
		_ = server.Close()
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
