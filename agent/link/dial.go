package link

import (
	"context"
	"slices"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// GRPC dials a fresh connection for every stream: a scheduler that moved is
// looked up anew, and the link's own back-off is the only one.
func GRPC(options ...grpc.DialOption) Dial {
	// Set, so that gRPC does not estimate it: that answers every message with a ping.
	windows := []grpc.DialOption{grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(1 << 20)}
	once := grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 2 * time.Second})
	return func(ctx context.Context, address string) (Stream, func(), error) {
		conn, err := grpc.NewClient(address, slices.Concat([]grpc.DialOption{once}, windows, options)...)
		if err != nil {
			return nil, nil, err
		}
		stream, err := galav1.NewFleetClient(conn).Attach(ctx)
		if err != nil {
			conn.Close()
			return nil, nil, err
		}
		return stream, func() { conn.Close() }, nil
	}
}
