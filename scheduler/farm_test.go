package scheduler_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler"
	"github.com/galafarm/gala/scheduler/store"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// The client library asks a Redis that was away once a second, until it notices
// within a second that it was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// farm is a scheduler behind a real gRPC server on loopback.
type farm struct {
	t       *testing.T
	store   store.Store
	sched   *scheduler.Scheduler
	addr    string
	conn    *grpc.ClientConn
	client  galav1.FarmClient
	stopped func()
}

func newFarm(t *testing.T, s store.Store) *farm {
	t.Helper()
	return startFarm(t, scheduler.Config{Store: s})
}

func startFarm(t *testing.T, cfg scheduler.Config) *farm {
	t.Helper()
	cfg.OriginURL = "http://127.0.0.1:8080"
	cfg.AllowSources = scheduler.LocalSources()
	cfg.SettleFor = 700 * time.Millisecond
	sched, err := scheduler.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := sched.NewServer()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := sched.Run(ctx); err != nil {
			t.Errorf("scheduler: %v", err)
		}
	})
	wg.Go(func() { _ = server.Serve(lis) })
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	f := &farm{t: t, store: cfg.Store, sched: sched, addr: lis.Addr().String(), conn: conn, client: galav1.NewFarmClient(conn)}
	f.stopped = sync.OnceFunc(func() {
		cancel()
		server.Stop()
		wg.Wait()
		_ = conn.Close()
	})
	t.Cleanup(f.stopped)
	return f
}

func live(id string) *galav1.JobSpec {
	return &galav1.JobSpec{Id: id, Kind: galav1.JobKind_JOB_KIND_LIVE, Input: "testcard:?fps=25", Ladder: "mini"}
}

func vod(id string) *galav1.JobSpec {
	return &galav1.JobSpec{Id: id, Kind: galav1.JobKind_JOB_KIND_VOD, Input: "/media/replay.mp4", Ladder: "mini"}
}

func (f *farm) submit(spec *galav1.JobSpec) *galav1.Job {
	f.t.Helper()
	if spec.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		r, err := f.client.QueueVod(f.t.Context(), &galav1.QueueVodRequest{Spec: spec})
		if err != nil {
			f.t.Fatal(err)
		}
		return r.GetJob()
	}
	r, err := f.client.SubmitLive(f.t.Context(), &galav1.SubmitLiveRequest{Spec: spec})
	if err != nil {
		f.t.Fatal(err)
	}
	return r.GetJob()
}

func (f *farm) cancel(id, reason string) {
	f.t.Helper()
	if _, err := f.client.CancelJob(f.t.Context(), &galav1.CancelJobRequest{Id: id, Reason: reason}); err != nil {
		f.t.Fatal(err)
	}
}

// await watches a job until it is as wanted.
func (f *farm) await(id, what string, as func(*galav1.Job) bool) *galav1.Job {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 15*time.Second)
	defer cancel()
	w, err := f.client.WatchJobs(ctx, &galav1.WatchJobsRequest{Ids: []string{id}})
	if err != nil {
		f.t.Fatal(err)
	}
	var last *galav1.Job
	for {
		m, err := w.Recv()
		if err != nil {
			f.t.Fatalf("job %s: want %s; it is %v: %s\n%v: %s", id, what, last.GetState(), last.GetReason(), err, events(last))
		}
		if last = m.GetJob(); as(last) {
			return last
		}
	}
}

func (f *farm) awaitState(id string, state galav1.JobState) *galav1.Job {
	f.t.Helper()
	return f.await(id, state.String(), func(j *galav1.Job) bool { return j.GetState() == state })
}

func events(j *galav1.Job) string {
	var b strings.Builder
	for _, e := range j.GetEvents() {
		fmt.Fprintf(&b, "\n  %s: %s -> %s", e.GetKind(), e.GetCause(), e.GetEffect())
	}
	return b.String()
}

func happened(j *galav1.Job, kind string) bool {
	return slices.ContainsFunc(j.GetEvents(), func(e *galav1.JobEvent) bool { return e.GetKind() == kind })
}

// agent is a fake agent over a real stream. It beats, answers probes, and runs
// nothing: the test says what its workers tell.
type agent struct {
	f        *farm
	t        *testing.T
	name     string
	instance string
	pixels   int64
	cards    []*galav1.DeviceOffer // beside its processor

	mu       sync.Mutex
	held     map[string]*galav1.Assignment
	sources  []string // held without a worker, by job
	mute     bool     // beats no more
	starts   chan *galav1.Assignment
	stops    chan *galav1.StopAssignment
	anchors  chan *galav1.AnchorDecision
	holds    chan *galav1.HoldSource
	switches chan *galav1.SwitchInput
	acked    chan uint64
	ended    chan error
	send     chan *galav1.AttachRequest
	hangUp   context.CancelFunc
	sequence uint64
	conn     *grpc.ClientConn
	source   func(input string) *galav1.ProbeResult
}

func newAgent(f *farm, name string) *agent {
	return &agent{
		f: f, t: f.t, name: name, instance: name + "-1", pixels: 60_000_000, held: map[string]*galav1.Assignment{},
		starts: make(chan *galav1.Assignment, 64), stops: make(chan *galav1.StopAssignment, 64), anchors: make(chan *galav1.AnchorDecision, 64),
		holds: make(chan *galav1.HoldSource, 64), switches: make(chan *galav1.SwitchInput, 64),
		source: cardSource,
	}
}

func cardSource(input string) *galav1.ProbeResult {
	return &galav1.ProbeResult{Source: &galav1.SourceInfo{
		Url: input, Container: "testcard", DurationUs: 30_000_000,
		Video: []*galav1.VideoTrack{{Codec: "rawvideo", Width: 1280, Height: 720, Fps: &galav1.Rational{Num: 25, Den: 1}, BitDepth: 8}},
		Audio: []*galav1.AudioTrack{{Index: 1, Codec: "pcm", Channels: 2, SampleRate: 48000, Language: "und"}},
	}}
}

// attach opens a stream to a farm and says hello with what is held.
func (a *agent) attach(f *farm) *agent {
	a.t.Helper()
	if a.hangUp != nil {
		a.hangUp()
	}
	a.f = f
	conn, err := grpc.NewClient(f.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(context.Background())
	stream, err := galav1.NewFleetClient(conn).Attach(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := stream.Send(&galav1.AttachRequest{Message: &galav1.AttachRequest_Hello{Hello: a.hello()}}); err != nil {
		a.t.Fatal(err)
	}
	a.conn, a.ended, a.acked, a.send = conn, make(chan error, 1), make(chan uint64, 1024), make(chan *galav1.AttachRequest, 256)
	var wg sync.WaitGroup
	wg.Go(func() { a.listen(stream) })
	wg.Go(func() { a.talk(ctx, stream) })
	a.hangUp = sync.OnceFunc(func() {
		hangUp()
		_ = conn.Close()
		wg.Wait()
	})
	a.t.Cleanup(a.hangUp)
	return a
}

func (a *agent) hello() *galav1.Hello {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &galav1.Hello{
		Name: a.name, Instance: a.instance, Version: "test", Protocol: version.Protocol,
		Devices: []*galav1.DeviceOffer{{Id: "cpu", Model: "a test", Role: "encode", Encoders: []string{"libx264", "aac"},
			EncodePixelsPerSecond: a.pixels, CapacitySource: "test"}},
		Sources: a.sources,
	}
	h.Devices = append(h.Devices, a.cards...)
	for id, as := range a.held {
		h.Held = append(h.Held, &galav1.HeldLease{Assignment: id, Job: as.GetJob(), Epoch: as.GetEpoch(), Spec: as})
	}
	return h
}

func (a *agent) talk(ctx context.Context, stream galav1.Fleet_AttachClient) {
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for {
		var m *galav1.AttachRequest
		select {
		case <-ctx.Done():
			return
		case m = <-a.send:
		case <-beat.C:
			if m = a.beat(); m == nil {
				continue
			}
		}
		if stream.Send(m) != nil {
			return
		}
	}
}

func (a *agent) beat() *galav1.AttachRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mute {
		return nil
	}
	a.sequence++
	b := &galav1.Beat{Sequence: a.sequence}
	for id := range a.held {
		b.Assignments = append(b.Assignments, id)
	}
	return &galav1.AttachRequest{Message: &galav1.AttachRequest_Beat{Beat: b}}
}

func (a *agent) listen(stream galav1.Fleet_AttachClient) {
	for {
		m, err := stream.Recv()
		if err != nil {
			a.ended <- err
			return
		}
		a.obey(m)
	}
}

func (a *agent) obey(m *galav1.AttachResponse) {
	switch m := m.GetMessage().(type) {
	case *galav1.AttachResponse_BeatAck:
		select {
		case a.acked <- m.BeatAck.GetSequence():
		default:
		}
	case *galav1.AttachResponse_Start:
		as := m.Start.GetAssignment()
		a.mu.Lock()
		a.held[as.GetId()] = as
		a.mu.Unlock()
		a.starts <- as
	case *galav1.AttachResponse_Stop:
		a.stops <- m.Stop
	case *galav1.AttachResponse_Anchor:
		a.anchors <- m.Anchor
	case *galav1.AttachResponse_Hold:
		a.holds <- m.Hold
	case *galav1.AttachResponse_Switch:
		a.switches <- m.Switch
	case *galav1.AttachResponse_Probe:
		r := a.source(m.Probe.GetInput())
		r.Id = m.Probe.GetId()
		a.send <- &galav1.AttachRequest{Message: &galav1.AttachRequest_Probe{Probe: r}}
	}
}

// beats or not: a host that is cut off goes silent, its stream stands.
func (a *agent) silence(mute bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = mute
}

func (a *agent) drop(assignment string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.held, assignment)
}

func (a *agent) started() *galav1.Assignment {
	a.t.Helper()
	return take(a.t, a.starts, a.name+" to be told to start")
}

func (a *agent) told() *galav1.StopAssignment {
	a.t.Helper()
	return take(a.t, a.stops, a.name+" to be told to stop")
}

func take[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited for %s", what)
		panic("unreachable")
	}
}

// report tells that every rendition has published up to segment last.
func (a *agent) report(as *galav1.Assignment, last int64) {
	status := &galav1.WorkerStatus{FirstSegment: last >= 0, SourceUs: 1_000_000}
	for _, r := range as.GetRenditions() {
		status.Renditions = append(status.Renditions, &galav1.RenditionProgress{Name: r.GetName(), LastSegment: last, Segments: 1, Frames: 50, Fps: 25, Speed: 1})
	}
	a.send <- &galav1.AttachRequest{Message: &galav1.AttachRequest_Report{Report: &galav1.AssignmentReport{
		Assignment: as.GetId(), Job: as.GetJob(), Epoch: as.GetEpoch(), Status: status}}}
}

// end tells an outcome and lets go of the lease.
func (a *agent) end(as *galav1.Assignment, code galav1.OutcomeCode, retryable bool) {
	a.send <- &galav1.AttachRequest{Message: &galav1.AttachRequest_Report{Report: &galav1.AssignmentReport{
		Assignment: as.GetId(), Job: as.GetJob(), Epoch: as.GetEpoch(),
		Outcome: &galav1.Outcome{Code: code, Message: "the test said so", Advice: "read the test", Retryable: retryable}}}}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held[as.GetId()] == as { // it may have been started again already
		delete(a.held, as.GetId())
	}
}
