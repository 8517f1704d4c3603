package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is an origin that stands alone: `gala origin`.
type Server struct {
	Listener net.Listener
	Origin   *Origin
}

// Run serves until ctx ends, then lets requests in flight finish for a while.
// It closes the listener, not the Origin.
func (s *Server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle(Prefix, s.Origin)
	mux.HandleFunc("/healthz", ok)
	mux.HandleFunc("/readyz", ok)
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(srv.Shutdown(grace), srv.Close())
	})
	err := srv.Serve(s.Listener)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve origin: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop origin: %w", err)
	}
	return nil
}

func ok(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) }
