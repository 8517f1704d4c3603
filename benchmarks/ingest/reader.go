package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/galafarm/gala/internal/unixsock"
	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// counts are what a reader has seen.
type counts struct{ bytes, pictures, lost, overtaken int64 }

// reader takes every packet of an ingest, as a worker does.
type reader struct {
	conn   *grpc.ClientConn
	client galav1.IngestClient
	done   chan struct{}

	mu     sync.Mutex
	seen   counts
	failed error
	picture
}

// picture is the stream of the pictures, and how far it has come.
type picture struct {
	stream int32
	frame  int64 // in ticks
	next   int64 // decode time that is due; 0: none yet
}

func newReader(ctx context.Context, dir string) (*reader, error) {
	conn, err := unixsock.Client(dir, "sock")
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, client: galav1.NewIngestClient(conn), done: make(chan struct{}), picture: picture{stream: -1}}
	stream, err := r.client.Read(ctx, &galav1.ReadRequest{Protocol: version.Protocol}, grpc.WaitForReady(true))
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	go func() {
		defer close(r.done)
		for {
			m, err := stream.Recv()
			r.mu.Lock()
			if err != nil && ctx.Err() == nil {
				r.failed = fmt.Errorf("read the ingest: %w", err)
			}
			r.take(m)
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r, nil
}

// take is called under the lock.
func (r *reader) take(m *galav1.ReadResponse) {
	for i, s := range m.GetSession().GetStreams() {
		if p := s.GetParams(); s.GetKind() == galav1.IngestStream_KIND_VIDEO && p["avg_frame_rate_num"] > 0 {
			r.picture = picture{stream: int32(i), frame: s.GetTimebase().GetDen() * p["avg_frame_rate_den"] / (s.GetTimebase().GetNum() * p["avg_frame_rate_num"])}
		}
	}
	p := m.GetPacket()
	r.seen.bytes += int64(len(p.GetData()))
	r.seen.overtaken += p.GetLost()
	if p == nil || p.GetStream() != r.stream {
		return
	}
	r.seen.pictures++
	if hole := p.GetDts() - r.next; r.next != 0 && r.frame > 0 && hole > r.frame/2 {
		r.seen.lost += (hole + r.frame/2) / r.frame
	}
	r.next = p.GetDts() + r.frame
}

func (r *reader) counts() counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func (r *reader) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// first waits for the source.
func (r *reader) first(ctx context.Context) error {
	for range 40 {
		if err := r.err(); err != nil {
			return err
		}
		if r.counts().pictures > 0 {
			return nil
		}
		if err := pause(ctx, time.Second/2); err != nil {
			return err
		}
	}
	return fmt.Errorf("no picture came in 20 s")
}

func (r *reader) state(ctx context.Context) (*galav1.StateResponse, error) {
	return r.client.State(ctx, &galav1.StateRequest{Protocol: version.Protocol})
}

func (r *reader) close() {
	_ = r.conn.Close()
	<-r.done
}
