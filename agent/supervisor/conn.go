package supervisor

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// oldestProtocol that this agent still speaks to a worker that an earlier
// agent started.
const oldestProtocol = 1

// dialWorker connects lazily and keeps trying fast: the socket appears when
// the worker is up, and a local connection costs nothing.
func dialWorker(dir runDir) (*grpc.ClientConn, error) {
	retry := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 250 * time.Millisecond}
	return grpc.NewClient("passthrough:///"+fileSocket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dialSocket(ctx, dir) }),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
		// Set, so that gRPC sends no pings to estimate them.
		grpc.WithInitialWindowSize(1<<18), grpc.WithInitialConnWindowSize(1<<18),
		grpc.WithIdleTimeout(0))
}

// socketPathMax is the kernel's bound on the name of a unix socket.
const socketPathMax = 107

// dialSocket goes through a descriptor of the directory where its name is too
// long for a socket address.
func dialSocket(ctx context.Context, dir runDir) (net.Conn, error) {
	path := dir.path(fileSocket)
	if len(path) > socketPathMax {
		fd, err := unix.Open(string(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("open", err)
		}
		defer unix.Close(fd)
		path = fmt.Sprintf("/proc/self/fd/%d/%s", fd, fileSocket)
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// greet is the ready handshake: it waits for the socket, then for the worker,
// and makes sure that the one who answers is the one that was started.
func greet(ctx context.Context, w galav1.WorkerClient, a *galav1.Assignment) (*galav1.ReadyResponse, error) {
	r, err := w.Ready(ctx, &galav1.ReadyRequest{Protocol: version.Protocol}, grpc.WaitForReady(true))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ready handshake: %w", err)
	case r.GetProtocol() < oldestProtocol || r.GetProtocol() > version.Protocol:
		return nil, fmt.Errorf("ready handshake: the worker (%s) speaks protocol %d, this agent %d to %d; install both from one release",
			r.GetVersion(), r.GetProtocol(), oldestProtocol, version.Protocol)
	case r.GetAssignment() != a.GetId() || r.GetEpoch() != a.GetEpoch():
		return nil, fmt.Errorf("ready handshake: the worker runs %s epoch %d instead", r.GetAssignment(), r.GetEpoch())
	}
	return r, nil
}
