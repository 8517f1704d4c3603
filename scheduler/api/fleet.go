package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// Inbox takes what agents say, in the order in which each said it. Its calls
// may wait, which holds the agent's stream back, and end with ctx.
type Inbox interface {
	// Open announces a session before its first event.
	Open(context.Context, *Session) error
	Tell(context.Context, fleet.Event) error
	// Acknowledge answers a beat once everything told before it was taken.
	Acknowledge(ctx context.Context, s *Session, sequence uint64) error
}

// Fleet is the service for agents.
type Fleet struct {
	galav1.UnimplementedFleetServer
	Inbox Inbox
	Log   *slog.Logger
	// HelloWithin is how long a stream may be silent before its Hello.
	HelloWithin time.Duration
	last        atomic.Uint64
	// Done ends every stream: the scheduler stops.
	Done <-chan struct{}
}

// Session is one Attach stream as the scheduler writes to it.
type Session struct {
	ID       fleet.Session
	Agent    string
	Instance string
	out      chan *galav1.AttachResponse
	end      context.CancelCauseFunc
}

// outboxSize is how many directives may wait for a slow agent. An agent that
// is further behind is detached: it attaches again and re-reports.
const outboxSize = 1024

// Send never waits; it drops the session instead.
func (s *Session) Send(m *galav1.AttachResponse) {
	select {
	case s.out <- m:
	default:
		s.Drop(problem{code: codes.ResourceExhausted, reason: "AGENT_SLOW",
			message: "the agent does not read what it is told", advice: "attach again"}.err())
	}
}

// Drop ends the session with an error for its agent.
func (s *Session) Drop(err error) { s.end(err) }

// Attach implements gala.v1.Fleet.
func (f *Fleet) Attach(stream grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse]) error {
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	patience := time.AfterFunc(f.HelloWithin, func() {
		end(invalid("HELLO", "the first message of Attach is Hello", "no hello within %v", f.HelloWithin))
	})
	defer patience.Stop()
	go f.endWith(ctx, end)

	received := make(chan *galav1.AttachRequest)
	go receive(ctx, stream, received, end)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case first := <-received:
		patience.Stop()
		hello := first.GetHello()
		if err := checkHello(hello); err != nil {
			return err
		}
		return f.serve(ctx, end, stream, hello, received)
	}
}

// endWith ends a stream when the scheduler does.
func (f *Fleet) endWith(ctx context.Context, end context.CancelCauseFunc) {
	select {
	case <-f.Done:
		end(problem{code: codes.Unavailable, reason: "SCHEDULER_STOPS", message: "the scheduler is stopping", advice: "attach again"}.err())
	case <-ctx.Done():
	}
}

func checkHello(h *galav1.Hello) error {
	switch {
	case h == nil:
		return invalid("HELLO", "send Hello and wait for Welcome", "the first message of Attach is not Hello")
	case h.GetProtocol() != version.Protocol:
		return precondition("PROTOCOL", "install scheduler and agents from one release",
			"agent %s (%s) speaks protocol %d, this scheduler %d", h.GetName(), h.GetVersion(), h.GetProtocol(), version.Protocol)
	}
	return nil
}

// receive is the stream's only reader. It ends with the stream, which gRPC
// ends when Attach returns.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse],
	to chan<- *galav1.AttachRequest, end context.CancelCauseFunc) {
	for {
		m, err := stream.Recv()
		if err != nil {
			end(err)
			return
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return
		}
	}
}

// serve a stream whose agent has said hello.
func (f *Fleet) serve(ctx context.Context, end context.CancelCauseFunc,
	stream grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse], hello *galav1.Hello, received <-chan *galav1.AttachRequest) error {
	s := &Session{ID: fleet.Session(f.last.Add(1)), Agent: hello.GetName(), Instance: hello.GetInstance(),
		out: make(chan *galav1.AttachResponse, outboxSize), end: end}
	if err := f.Inbox.Open(ctx, s); err != nil {
		return context.Cause(ctx)
	}
	// A Send that waits for a stuck agent ends with the stream, so with our
	// return; waiting for it here would be for ever.
	go s.pump(ctx, stream)
	err := f.listen(ctx, s, hello, received)
	end(err)
	cause := endOf(context.Cause(ctx))
	// The stream's context has ended; the word that it did must not be lost.
	_ = f.Inbox.Tell(context.WithoutCancel(ctx), fleet.Detached{Agent: s.Agent, Session: s.ID, Cause: cause})
	if errors.Is(context.Cause(ctx), io.EOF) {
		return nil
	}
	return context.Cause(ctx)
}

// endOf says why a stream ended, for people.
func endOf(err error) string {
	if errors.Is(err, io.EOF) {
		return "the agent left"
	}
	return fmt.Sprint(err)
}

// pump writes what is in the outbox.
func (s *Session) pump(ctx context.Context, stream grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse]) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-s.out:
			if err := stream.Send(m); err != nil {
				s.end(err)
				return
			}
		}
	}
}

// listen passes on what the agent says.
func (f *Fleet) listen(ctx context.Context, s *Session, hello *galav1.Hello, received <-chan *galav1.AttachRequest) error {
	if err := f.Inbox.Tell(ctx, attachedOf(s.ID, hello)); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-received:
			if err := f.heard(ctx, s, m); err != nil {
				return err
			}
		}
	}
}

func (f *Fleet) heard(ctx context.Context, s *Session, m *galav1.AttachRequest) error {
	e := eventOf(s.Agent, s.ID, m)
	if e == nil {
		f.Log.Warn("agent said what this scheduler does not know", "agent", s.Agent)
		return nil
	}
	if err := f.Inbox.Tell(ctx, e); err != nil {
		return err
	}
	if beat := m.GetBeat(); beat != nil {
		return f.Inbox.Acknowledge(ctx, s, beat.GetSequence())
	}
	return nil
}

// Welcome is the answer to a hello.
func Welcome(name string, t fleet.Timing) *galav1.Welcome {
	return &galav1.Welcome{Scheduler: name, Protocol: version.Protocol,
		BeatIntervalMs: uint32(t.Beat.Milliseconds()), LeaseMs: uint32(t.Lease.Milliseconds())}
}

// Dropped is why a session was given up, as its agent is told.
func Dropped(d fleet.Drop) error {
	if d.Replaced {
		return problem{code: codes.Aborted, reason: "ATTACHED_AGAIN", message: d.Reason}.err()
	}
	return problem{code: codes.AlreadyExists, reason: "AGENT_NAME", message: d.Reason}.err()
}
