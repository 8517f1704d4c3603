package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/libav"
	"github.com/galafarm/gala/media/ring"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Files of an ingest's runtime directory.
const (
	FileTask   = "ingest.json"
	FileSocket = "sock"
	FileLog    = "log"
)

// Run holds the source of dir's task until ctx ends.
func Run(ctx context.Context, dir string, log *slog.Logger) error {
	task, err := readTask(dir)
	if err != nil {
		return err
	}
	log = log.With("job", task.GetJob())
	s := &server{task: task, ring: ring.New(ring.Limits{Keep: time.Duration(task.GetKeepSeconds()) * time.Second, Bytes: int64(task.GetKeepBytes())})}
	l, err := unixsock.Listen(dir, FileSocket)
	if err != nil {
		return err
	}
	g := unixsock.Server()
	galav1.RegisterIngestServer(g, s)
	go func() { _ = g.Serve(l) }()
	defer g.Stop()
	log.Info("holding the source", "input", input.Display(task.GetInput()))
	err = libav.Ingest(ctx, libav.IngestOptions{
		Input: task.GetInput(), Rules: input.Rules{Patterns: task.GetAllowedSources()}, Ring: s.ring, Log: log, Now: time.Now,
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	// Readers are told why; the agent decides what becomes of the source.
	log.Error("the source cannot be held", "error", err)
	s.ring.End(err)
	<-ctx.Done()
	return nil
}

func readTask(dir string) (*galav1.IngestTask, error) {
	text, err := os.ReadFile(filepath.Join(dir, FileTask))
	if err != nil {
		return nil, fmt.Errorf("read ingest task: %w", err)
	}
	task := &galav1.IngestTask{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, task); err != nil {
		return nil, fmt.Errorf("read ingest task: %w", err)
	}
	return task, nil
}

// server is gala.v1.Ingest.
type server struct {
	galav1.UnimplementedIngestServer
	task *galav1.IngestTask
	ring *ring.Ring
}

func (s *server) State(ctx context.Context, req *galav1.StateRequest) (*galav1.StateResponse, error) {
	if err := sameProtocol(req.GetProtocol()); err != nil {
		return nil, err
	}
	if err := s.await(ctx, time.Duration(req.GetWaitMs())*time.Millisecond); err != nil {
		return nil, ended(err)
	}
	st := s.ring.Stats()
	return &galav1.StateResponse{
		Protocol: version.Protocol, Job: s.task.GetJob(), Packets: st.Packets, Bytes: st.Bytes, KeptUs: st.Kept, KeptBytes: st.KeptBytes,
		Sessions: int32(st.Sessions), LastArrivalUs: st.LastArrival, Notes: st.Notes,
	}, nil
}

// await the first packet, for a while; an error is why none will come.
func (s *server) await(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_, err := s.ring.Read(ring.Oldest).Next(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *server) Read(req *galav1.ReadRequest, stream grpc.ServerStreamingServer[galav1.ReadResponse]) error {
	if err := sameProtocol(req.GetProtocol()); err != nil {
		return err
	}
	from := int64(ring.Oldest)
	if req.FromUs != nil {
		from = req.GetFromUs()
	}
	for r := s.ring.Read(from); ; {
		it, err := r.Next(stream.Context())
		if err != nil {
			return ended(err)
		}
		if err := stream.Send(wire.IngestItemProto(it)); err != nil {
			return err
		}
	}
}

func sameProtocol(p uint32) error {
	if p != version.Protocol {
		return status.Errorf(codes.FailedPrecondition, "this ingest speaks protocol %d, the reader %d: upgrade the older one", version.Protocol, p)
	}
	return nil
}

// ended tells a reader why there will be nothing more; advice and all.
func ended(err error) error {
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		return err
	}
	st, detailErr := status.New(codes.Aborted, me.Error()).WithDetails(wire.JobErrorProto(me))
	if detailErr != nil {
		return status.Error(codes.Aborted, me.Error())
	}
	return st.Err()
}
