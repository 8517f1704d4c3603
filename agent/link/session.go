package link

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Why a stream was given up from this end.
var (
	errSilent  = errors.New("the scheduler is silent")
	errDiverse = errors.New("the scheduler speaks another protocol")
	errGoodbye = errors.New("the agent ends")
)

// session is one stream from Hello to its end. Directives are obeyed by the
// reader itself: a scheduler that is slow to read cannot keep its own
// directives from arriving.
type session struct {
	*Link
	stream   Stream
	silence  *time.Timer
	welcomed chan *galav1.AttachResponse // the first message
	agreed   chan struct{}               // closed when it was a welcome indeed
	broken   chan struct{}               // closed when Recv ended, with why
	why      error
	acked    chan struct{} // poked at every acknowledgement
	attached atomic.Bool   // there was one
}

// attach carries one stream to its end, and says whether it got as far as an
// acknowledged beat. The stream's own context outlives ctx by the farewell.
func (l *Link) attach(ctx context.Context, address string) (attached bool, err error) {
	during, hangUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hangUp(nil)
	stop := context.AfterFunc(ctx, func() { hangUp(errGoodbye) })
	defer stop()
	// Covers dialling, a blocked Send, and a scheduler that takes and never answers.
	silence := time.AfterFunc(l.cfg.Timing.Welcome, func() { hangUp(errSilent) })
	defer silence.Stop()
	stream, closeStream, err := l.cfg.Dial(during, address)
	if err != nil {
		return false, reason(during, fmt.Errorf("dial: %w", err))
	}
	defer closeStream()
	s := &session{
		Link: l, stream: stream, silence: silence,
		welcomed: make(chan *galav1.AttachResponse, 1), agreed: make(chan struct{}), broken: make(chan struct{}), acked: make(chan struct{}, 1),
	}
	go s.receive(during)
	defer func() { hangUp(nil); <-s.broken }()
	interval, err := s.greet()
	if err == nil && stop() {
		err = s.serve(ctx, interval)
	}
	return s.attached.Load(), reason(during, err)
}

// reason prefers why we hung up to what gRPC made of it.
func reason(during context.Context, err error) error {
	if cause := context.Cause(during); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// receive is the stream's only reader.
func (s *session) receive(during context.Context) {
	defer close(s.broken)
	obey := func(m *galav1.AttachResponse) { s.consider(during, m) }
	for {
		m, err := s.stream.Recv()
		if err == nil {
			err = during.Err() // what comes after a hang-up does not count
		}
		if err != nil {
			s.why = err
			return
		}
		s.silence.Reset(s.cfg.Timing.Silence)
		obey(m)
		obey = s.obey
	}
}

// consider keeps directives waiting until the welcome is agreed on.
func (s *session) consider(during context.Context, first *galav1.AttachResponse) {
	s.welcomed <- first
	select {
	case <-s.agreed:
	case <-during.Done():
	}
}

// lost is why the stream broke.
func (s *session) lost() error {
	<-s.broken
	return s.why
}

// greet is Hello and Welcome.
func (s *session) greet() (beat time.Duration, err error) {
	hello := &galav1.AttachRequest{Message: &galav1.AttachRequest_Hello{Hello: s.cfg.Agent.Hello()}}
	if err := s.stream.Send(hello); err != nil {
		return 0, s.lost()
	}
	var first *galav1.AttachResponse
	select {
	case first = <-s.welcomed:
	case <-s.broken:
		return 0, s.why
	}
	w := first.GetWelcome()
	switch {
	case w == nil:
		return 0, fmt.Errorf("%w: it did not answer Hello with Welcome", errDiverse)
	case w.GetProtocol() != version.Protocol:
		return 0, fmt.Errorf("%w: %d, this agent %d; install both from one release", errDiverse, w.GetProtocol(), version.Protocol)
	}
	s.cfg.Log.Info("attached", "scheduler", w.GetScheduler(), "beat_ms", w.GetBeatIntervalMs(), "lease_ms", w.GetLeaseMs())
	return beatInterval(w), nil
}

// beatInterval trusts no scheduler with a busy loop.
func beatInterval(w *galav1.Welcome) time.Duration {
	d := time.Duration(w.GetBeatIntervalMs()) * time.Millisecond
	if d == 0 {
		d = 400 * time.Millisecond
	}
	return max(d, 20*time.Millisecond)
}

// serve beats, tells and obeys until the stream breaks, or ctx has ended and
// the outcomes are out.
func (s *session) serve(ctx context.Context, interval time.Duration) error {
	s.cfg.Outbox.reopen()
	close(s.agreed)
	beat, flush := time.NewTicker(interval), time.NewTicker(s.cfg.Timing.Flush)
	defer beat.Stop()
	defer flush.Stop()
	ending := ctx.Done()
	var leave <-chan time.Time
	err := s.beat()
	for err == nil {
		select {
		case <-s.broken:
			return s.why
		case <-s.acked:
		case <-beat.C:
			err = s.beat()
		case <-s.cfg.Outbox.ready:
			err = s.tell(s.cfg.Outbox.urgent(s.sequence + 1))
		case <-flush.C:
			err = s.flush(beat.C)
		case <-ending:
			ending, leave = nil, time.After(s.cfg.Timing.Farewell)
			err = s.beat()
		case <-leave:
			return s.goodbye()
		}
		if leave != nil && !s.cfg.Outbox.owes() {
			return s.goodbye()
		}
	}
	return err
}

func (s *session) goodbye() error {
	_ = s.stream.CloseSend()
	return errGoodbye
}

// beat goes after everything urgent: its acknowledgement covers that too.
func (s *session) beat() error {
	if err := s.tell(s.cfg.Outbox.urgent(s.sequence + 1)); err != nil {
		return err
	}
	s.sequence++
	return s.tell([]*galav1.AttachRequest{{Message: &galav1.AttachRequest_Beat{Beat: &galav1.Beat{
		Sequence: s.sequence, Assignments: s.cfg.Agent.Held(),
	}}}})
}

// flush tells what is routine. Beats go between where they are due: statuses
// by the hundred, or a scheduler that reads slowly, must not cost a lease.
func (s *session) flush(beat <-chan time.Time) error {
	for _, m := range s.cfg.Outbox.routine(s.sequence + 1) {
		select {
		case <-beat:
			if err := s.beat(); err != nil {
				return err
			}
		default:
		}
		if err := s.tell([]*galav1.AttachRequest{m}); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) tell(messages []*galav1.AttachRequest) error {
	for _, m := range messages {
		if err := s.stream.Send(m); err != nil {
			return s.lost()
		}
	}
	return nil
}

func (s *session) obey(m *galav1.AttachResponse) {
	agent := s.cfg.Agent
	switch m := m.GetMessage().(type) {
	case *galav1.AttachResponse_BeatAck:
		s.attached.Store(true)
		for _, r := range s.cfg.Outbox.acknowledge(m.BeatAck.GetSequence()) {
			agent.Delivered(r.assignment, r.epoch)
		}
		poke(s.acked)
	case *galav1.AttachResponse_Start:
		agent.Start(m.Start)
	case *galav1.AttachResponse_Stop:
		agent.Stop(m.Stop)
	case *galav1.AttachResponse_Probe:
		agent.Probe(m.Probe)
	case *galav1.AttachResponse_Anchor:
		s.cfg.Outbox.decided(m.Anchor.GetAssignment())
		agent.Anchor(m.Anchor)
	case *galav1.AttachResponse_Hold:
		agent.Hold(m.Hold)
	case *galav1.AttachResponse_Switch:
		agent.Switch(m.Switch)
	default:
		s.cfg.Log.Warn("scheduler sent what this agent does not know", "message", m)
	}
}
