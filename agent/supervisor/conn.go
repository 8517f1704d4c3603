package supervisor

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// oldestProtocol that this agent still speaks to a worker that an earlier
// agent started.
const oldestProtocol = 1

func dialWorker(dir runDir) (*grpc.ClientConn, error) {
	return unixsock.Client(string(dir), fileSocket)
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
