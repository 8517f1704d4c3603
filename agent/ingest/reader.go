package ingest

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/libav"
	"github.com/galafarm/gala/media/ring"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Opener reads the ingest of a runtime directory, as the media engine wants it.
func Opener(dir string) libav.OpenRing {
	return func(ctx context.Context, from int64) (libav.Packets, error) {
		conn, err := unixsock.Client(dir, FileSocket)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		r := &reader{conn: conn, cancel: cancel}
		req := &galav1.ReadRequest{Protocol: version.Protocol}
		if from != ring.Oldest {
			req.FromUs = &from
		}
		if r.stream, err = galav1.NewIngestClient(conn).Read(ctx, req, grpc.WaitForReady(true)); err != nil {
			_ = r.Close()
			return nil, told(err)
		}
		return r, nil
	}
}

// reader is a place in another process's ring.
type reader struct {
	conn   *grpc.ClientConn
	cancel context.CancelFunc
	stream grpc.ServerStreamingClient[galav1.ReadResponse]
}

// Next implements libav.Packets; ctx is the one that opened it.
func (r *reader) Next(context.Context) (ring.Item, error) {
	m, err := r.stream.Recv()
	if err != nil {
		return ring.Item{}, told(err)
	}
	return wire.IngestItem(m), nil
}

// Close ends the reading.
func (r *reader) Close() error {
	r.cancel()
	return r.conn.Close()
}

// told is the ingest's own error where it gave one.
func told(err error) error {
	if e := wire.StatusError(err); e != nil {
		return e
	}
	if errors.Is(err, io.EOF) {
		return &media.Error{Code: media.SourceError, Message: "the ingest has ended", Retryable: true, Advice: "see the ingest's log in the agent's data directory"}
	}
	return err
}
