// Package unixsock dials and serves sockets in directories of any name: the
// kernel allows 107 bytes, a runtime directory may be deeper.
//
// It must not know who speaks.
package unixsock

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// pathMax is the kernel's bound on the name of a unix socket.
const pathMax = 107

// Dial connects to the socket name in dir, through a descriptor of the
// directory where the path is too long.
func Dial(ctx context.Context, dir, name string) (net.Conn, error) {
	path := filepath.Join(dir, name)
	if len(path) > pathMax {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("open", err)
		}
		defer unix.Close(fd)
		path = fmt.Sprintf("/proc/self/fd/%d/%s", fd, name)
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// Listen serves the socket name in dir; one that a predecessor left is
// replaced. The working directory becomes dir.
func Listen(dir, name string) (net.Listener, error) {
	if err := os.Chdir(dir); err != nil {
		return nil, fmt.Errorf("runtime directory: %w", err)
	}
	_ = os.Remove(name)
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// window is what one stream may have in flight, in bytes. Set, so that gRPC
// sends no pings to estimate it.
const window = 1 << 20

// Client connects lazily and keeps trying fast: the socket appears when its
// process is up, and a local connection costs nothing.
func Client(dir, name string) (*grpc.ClientConn, error) {
	retry := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 250 * time.Millisecond}
	return grpc.NewClient("passthrough:///"+name,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return Dial(ctx, dir, name) }),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage)),
		grpc.WithIdleTimeout(0))
}

// MaxMessage is the largest message on a socket of this host: one picture of
// the highest rates is some megabytes.
const MaxMessage = 64 << 20

// Server is a gRPC server for such a socket.
func Server() *grpc.Server {
	return grpc.NewServer(grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window), grpc.MaxSendMsgSize(MaxMessage))
}
