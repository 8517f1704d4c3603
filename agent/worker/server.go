package worker

import (
	"context"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media/libav"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// server is gala.v1.Worker on the socket "sock" in the runtime directory.
type server struct {
	galav1.UnimplementedWorkerServer
	w *Worker
	s *grpc.Server
}

func listen(w *Worker) (*server, error) {
	l, err := unixsock.Listen(w.dir, "sock")
	if err != nil {
		return nil, err
	}
	s := &server{w: w, s: unixsock.Server()}
	galav1.RegisterWorkerServer(s.s, s)
	go func() { _ = s.s.Serve(l) }()
	return s, nil
}

// lastWords is how long watchers get to read the outcome; the file has it too.
const lastWords = 2 * time.Second

func (s *server) close() {
	done := make(chan struct{})
	go func() { s.s.GracefulStop(); close(done) }()
	select {
	case <-done:
	case <-time.After(lastWords):
		s.s.Stop()
		<-done
	}
}

func (s *server) Ready(_ context.Context, req *galav1.ReadyRequest) (*galav1.ReadyResponse, error) {
	if req.GetProtocol() != version.Protocol {
		return nil, status.Errorf(codes.FailedPrecondition, "this worker speaks protocol %d, the agent %d: upgrade the older one", version.Protocol, req.GetProtocol())
	}
	return &galav1.ReadyResponse{
		Protocol: version.Protocol, Version: version.String(), Assignment: s.w.assignment.GetId(),
		Epoch: s.w.assignment.GetEpoch(), Pid: int64(os.Getpid()),
	}, nil
}

func (s *server) Watch(_ *galav1.WatchRequest, stream grpc.ServerStreamingServer[galav1.WatchResponse]) error {
	for seen := uint64(0); ; {
		news, revision, err := s.w.board.next(stream.Context(), seen)
		if err != nil {
			return err
		}
		seen = revision
		if err := stream.Send(news); err != nil {
			return err
		}
		if news.GetOutcome() != nil {
			return nil
		}
	}
}

func (s *server) SetAnchor(_ context.Context, req *galav1.SetAnchorRequest) (*galav1.SetAnchorResponse, error) {
	a, err := wire.Anchor(req.GetAnchor())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	select {
	case s.w.anchors <- decision{int(req.GetInput()), a}:
	default: // nobody waits: one that was late is there already
	}
	return &galav1.SetAnchorResponse{}, nil
}

// Switch passes on an order of the operator.
func (s *server) Switch(_ context.Context, req *galav1.SwitchRequest) (*galav1.SwitchResponse, error) {
	o := req.GetOrder()
	s.w.switchTo(libav.Order{Input: int(o.GetInput()), Number: o.GetNumber()})
	return &galav1.SwitchResponse{}, nil
}

// Stop implements gala.v1.Worker.
func (s *server) Stop(_ context.Context, req *galav1.StopRequest) (*galav1.StopResponse, error) {
	s.w.stop(order{finish: req.GetFinish(), superseded: req.GetSuperseded(), leave: req.GetLeave(), reason: req.GetReason()})
	return &galav1.StopResponse{}, nil
}
