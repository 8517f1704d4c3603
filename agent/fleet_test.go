package agent

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
)

// fleet is a scheduler's end of the link that obeys the test.
type fleet struct {
	galav1.UnimplementedFleetServer
	address string
	server  *grpc.Server

	mu        sync.Mutex
	stream    grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse]
	hellos    []*galav1.Hello
	status    map[string]*galav1.WorkerStatus
	outcomes  map[string][]*galav1.Outcome
	proposals []*galav1.AnchorProposal
	probes    map[string]*galav1.ProbeResult
	telemetry *galav1.Telemetry
	beat      *galav1.Beat
}

// newFleet listens at once; "" lets the system choose an address.
func newFleet(t *testing.T, address string) *fleet {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{
		address: l.Addr().String(), server: grpc.NewServer(), status: map[string]*galav1.WorkerStatus{},
		outcomes: map[string][]*galav1.Outcome{}, probes: map[string]*galav1.ProbeResult{},
	}
	galav1.RegisterFleetServer(f.server, f)
	var serving sync.WaitGroup
	serving.Go(func() { _ = f.server.Serve(l) })
	t.Cleanup(func() { f.server.Stop(); serving.Wait() })
	return f
}

func (f *fleet) Attach(s grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse]) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return nil
		}
		if answer := f.take(s, m); answer != nil {
			if err := s.Send(answer); err != nil {
				return err
			}
		}
	}
}

func (f *fleet) take(s grpc.BidiStreamingServer[galav1.AttachRequest, galav1.AttachResponse], m *galav1.AttachRequest) *galav1.AttachResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m := m.GetMessage().(type) {
	case *galav1.AttachRequest_Hello:
		f.stream, f.hellos = s, append(f.hellos, m.Hello)
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_Welcome{Welcome: &galav1.Welcome{
			Protocol: version.Protocol, BeatIntervalMs: 50, LeaseMs: 1200,
		}}}
	case *galav1.AttachRequest_Beat:
		f.beat = m.Beat
		return &galav1.AttachResponse{Message: &galav1.AttachResponse_BeatAck{BeatAck: &galav1.BeatAck{Sequence: m.Beat.GetSequence()}}}
	case *galav1.AttachRequest_Report:
		f.status[m.Report.GetAssignment()] = m.Report.GetStatus()
		if o := m.Report.GetOutcome(); o != nil {
			f.outcomes[m.Report.GetAssignment()] = append(f.outcomes[m.Report.GetAssignment()], o)
		}
	case *galav1.AttachRequest_Anchor:
		f.proposals = append(f.proposals, m.Anchor)
	case *galav1.AttachRequest_Probe:
		f.probes[m.Probe.GetId()] = m.Probe
	case *galav1.AttachRequest_Telemetry:
		f.telemetry = m.Telemetry
	}
	return nil
}

// order sends a directive on the stream that is attached now.
func (f *fleet) order(t *testing.T, m *galav1.AttachResponse) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.stream.Send(m); err != nil {
		t.Error(err)
	}
}

func (f *fleet) start(t *testing.T, a *galav1.Assignment) {
	t.Helper()
	f.await(t, "an agent", func() bool { return f.stream != nil })
	f.order(t, &galav1.AttachResponse{Message: &galav1.AttachResponse_Start{Start: &galav1.StartAssignment{Assignment: a}}})
}

func (f *fleet) stop(t *testing.T, assignment string, mode galav1.StopMode) {
	t.Helper()
	f.order(t, &galav1.AttachResponse{Message: &galav1.AttachResponse_Stop{Stop: &galav1.StopAssignment{
		Assignment: assignment, Epoch: 1, Mode: mode, Reason: "the test says so",
	}}})
}

// await looks again and again; what it waits for happens in other processes.
func (f *fleet) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		f.mu.Lock()
		done := cond()
		f.mu.Unlock()
		if done {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func (f *fleet) awaitFrames(t *testing.T, assignment string, n int64) {
	t.Helper()
	f.await(t, "frames of "+assignment, func() bool {
		r := f.status[assignment].GetRenditions()
		return len(r) > 0 && r[0].GetFrames() >= n
	})
}

func (f *fleet) awaitOutcome(t *testing.T, assignment string) *galav1.Outcome {
	t.Helper()
	f.await(t, "the outcome of "+assignment, func() bool { return len(f.outcomes[assignment]) > 0 })
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outcomes[assignment][0]
}

// look reads what arrived.
func look[T any](f *fleet, read func() T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read()
}
