package link

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Agent is what the link speaks for. Its methods never block: beats wait for
// them.
type Agent interface {
	// Hello is composed anew for every stream, with the leases held now.
	Hello() *galav1.Hello
	// Held are the assignments whose leases a beat renews.
	Held() []string
	Start(*galav1.StartAssignment)
	Stop(*galav1.StopAssignment)
	Probe(*galav1.ProbeRequest)
	Anchor(*galav1.AnchorDecision)
	Hold(*galav1.HoldSource)
	Switch(*galav1.SwitchInput)
	// Delivered says that a scheduler has taken the outcome of a run.
	Delivered(assignment string, epoch uint64)
}

// Stream is one attached stream; gRPC's own has this shape.
type Stream interface {
	Send(*galav1.AttachRequest) error
	Recv() (*galav1.AttachResponse, error)
	CloseSend() error
}

// Dial opens a stream to an address; the stream ends with ctx at the latest.
type Dial func(ctx context.Context, address string) (stream Stream, hangUp func(), err error)

// Timing are the link's intervals, by name. Welcome sets the beat.
type Timing struct {
	Welcome  time.Duration // Hello to Welcome
	Silence  time.Duration // without any message from the scheduler
	Flush    time.Duration // between statuses of one run
	FirstTry time.Duration // back-off, before jitter
	LastTry  time.Duration
	Farewell time.Duration // at the end, for outcomes to be acknowledged
}

// DefaultTiming is what an agent runs with.
func DefaultTiming() Timing {
	return Timing{
		Welcome:  5 * time.Second,
		Silence:  3 * time.Second,
		Flush:    500 * time.Millisecond,
		FirstTry: 200 * time.Millisecond,
		LastTry:  5 * time.Second,
		Farewell: 2 * time.Second,
	}
}

// Config of a link.
type Config struct {
	Schedulers []string
	Agent      Agent
	Outbox     *Outbox
	Dial       Dial
	Timing     Timing
	Log        *slog.Logger
}

// Link keeps the agent attached.
type Link struct {
	cfg      Config
	sequence uint64 // of beats, over all streams
}

// New checks the configuration.
func New(cfg Config) (*Link, error) {
	if len(cfg.Schedulers) == 0 {
		return nil, errors.New("no scheduler address: name at least one HOST:PORT")
	}
	return &Link{cfg: cfg}, nil
}

// Run attaches, and attaches again, until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	pause := l.backOff()
	for n := 0; ctx.Err() == nil; {
		address := l.cfg.Schedulers[n%len(l.cfg.Schedulers)]
		attached, err := l.attach(ctx, address)
		if ctx.Err() != nil {
			return nil
		}
		if status.Code(err) == codes.InvalidArgument {
			l.cfg.Outbox.refused()
		}
		if attached {
			pause.Reset()
		} else {
			n++
		}
		wait := pause.NextBackOff()
		l.cfg.Log.Warn("no link to a scheduler; what runs goes on", "scheduler", address, "error", err, "next_try", wait.Round(time.Millisecond))
		sleep(ctx, wait)
	}
	return nil
}

// backOff is jittered, so that a fleet does not come back in one wave.
func (l *Link) backOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: l.cfg.Timing.FirstTry, MaxInterval: l.cfg.Timing.LastTry,
		Multiplier: 1.6, RandomizationFactor: 0.5,
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
