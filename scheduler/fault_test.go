package scheduler_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store"
	"github.com/galafarm/gala/scheduler/store/embedded"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	running   = galav1.JobState_JOB_STATE_RUNNING
	degraded  = galav1.JobState_JOB_STATE_DEGRADED
	waiting   = galav1.JobState_JOB_STATE_WAITING
	finishing = galav1.JobState_JOB_STATE_FINISHING
	done      = galav1.JobState_JOB_STATE_DONE
	failed    = galav1.JobState_JOB_STATE_FAILED
	cancelled = galav1.JobState_JOB_STATE_CANCELLED
)

func TestLiveFromSubmitToStop(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	f.submit(live("match"))
	f.await("match", "waiting for an agent", func(j *galav1.Job) bool { return j.GetState() == waiting && j.GetReason() != "" })
	a := newAgent(f, "a1").attach(f)
	as := a.started()
	if as.GetEpoch() != 1 || as.GetResume() || len(as.GetRenditions()) != 4 || as.GetOutputs()[0].GetUrl() != "http://127.0.0.1:8080/origin/match" {
		t.Fatalf("started with %v", as)
	}
	if enc := as.GetRenditions()[0].GetVideo().GetEncoder(); enc != "libx264" {
		t.Errorf("encoder %q", enc)
	}
	a.report(as, 100)
	j := f.awaitState("match", running)
	if j.GetOutputs()[0] != "http://127.0.0.1:8080/origin/match/master.m3u8" || j.GetRenditions()[0].GetLastSegment() != 100 {
		t.Errorf("running with %v", j)
	}
	f.cancel("match", "the whistle")
	if s := a.told(); s.GetMode() != galav1.StopMode_STOP_MODE_FINISH || s.GetEpoch() != 1 {
		t.Fatalf("told %v", s)
	}
	f.awaitState("match", finishing)
	a.end(as, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	if j := f.awaitState("match", done); !happened(j, "stopped_by_client") {
		t.Error("events:", events(j))
	}
}

func TestVodRunsToItsEnd(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("replay"))
	as := a.started()
	a.report(as, 0)
	f.await("replay", "some progress", func(j *galav1.Job) bool { return j.GetProgressPermille() > 0 })
	a.end(as, galav1.OutcomeCode_OUTCOME_CODE_FINISHED, false)
	if j := f.awaitState("replay", done); j.GetProgressPermille() != 1000 {
		t.Errorf("done at %d permille", j.GetProgressPermille())
	}
}

func TestVodCancelIsAtOnce(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("replay"))
	a.started()
	f.cancel("replay", "")
	f.awaitState("replay", cancelled)
	if s := a.told(); s.GetMode() != galav1.StopMode_STOP_MODE_NOW {
		t.Errorf("told %v", s)
	}
}

func TestCancelledVodIsQueuedAgain(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("replay"))
	first := a.started()
	a.report(first, 3)
	f.awaitState("replay", running)
	f.cancel("replay", "")
	a.told()
	a.end(first, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false)
	f.awaitState("replay", cancelled)
	if _, err := f.client.RetryJob(t.Context(), &galav1.RetryJobRequest{Id: "replay"}); err != nil {
		t.Fatal(err)
	}
	again := a.started()
	if again.GetEpoch() <= first.GetEpoch() || !again.GetResume() || again.GetResumeSegment() != 4 {
		t.Errorf("queued again as %v", again)
	}
}

// A crashed worker comes back at once with a higher epoch, after what was published.
func TestCrashResumesWithAHigherEpoch(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(live("match"))
	first := a.started()
	a.send <- &galav1.AttachRequest{Message: &galav1.AttachRequest_Anchor{Anchor: &galav1.AnchorProposal{
		Assignment: first.GetId(), Job: "match", Epoch: 1,
		Anchor: &galav1.Anchor{Generation: 1, SourceTicks: 7, SourceTimebase: &galav1.Rational{Num: 1, Den: 90000}, Frame: 5000}}}}
	if d := take(t, a.anchors, "the anchor's decision"); d.GetAnchor().GetFrame() != 5000 {
		t.Fatalf("decided %v", d)
	}
	a.report(first, 100)
	f.awaitState("match", running)
	began := time.Now()
	a.end(first, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	second := a.started()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("started again after %v", took)
	}
	if second.GetEpoch() != 2 || second.GetAttempt() != 2 || !second.GetResume() || second.GetResumeSegment() != 101 || second.GetAnchor().GetFrame() != 5000 {
		t.Errorf("started again as %v", second)
	}
	f.awaitState("match", degraded)
	a.report(second, 101)
	f.awaitState("match", running)
}

func TestWhatCannotWorkFailsWithAdvice(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("replay"))
	a.end(a.started(), galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ERROR, false)
	j := f.awaitState("replay", failed)
	if e := j.GetError(); e.GetCode() != "source_error" || e.GetMessage() == "" || e.GetAdvice() == "" {
		t.Errorf("failed with %v", e)
	}
}

func TestFailingWithoutASegmentIsGivenUp(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("replay"))
	for range 5 {
		a.end(a.started(), galav1.OutcomeCode_OUTCOME_CODE_STALLED, true)
	}
	j := f.awaitState("replay", failed)
	if j.GetAttempts() != 5 || j.GetError().GetCode() != "stalled" {
		t.Errorf("failed after %d attempts with %v", j.GetAttempts(), j.GetError())
	}
}

func TestRefusedProbeFailsTheJob(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1")
	a.source = func(string) *galav1.ProbeResult {
		return &galav1.ProbeResult{Error: &galav1.JobError{Code: "source_error", Message: "not a media file", Advice: "give another"}}
	}
	a.attach(f)
	f.submit(vod("replay"))
	if j := f.awaitState("replay", failed); j.GetError().GetMessage() != "not a media file" {
		t.Errorf("failed with %v", j.GetError())
	}
}

// onAir puts a live job on air on a1 and gives its assignment.
func onAir(f *farm, a *agent) *galav1.Assignment {
	f.t.Helper()
	f.submit(live("match"))
	as := a.started()
	a.report(as, 100)
	f.awaitState("match", running)
	return as
}

// A host that dies takes its stream with it; another takes over soon.
func TestDeadAgentFailsOver(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	first := onAir(f, a)
	b := newAgent(f, "b1").attach(f)
	began := time.Now()
	a.hangUp()
	second := b.started()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took over after %v", took)
	}
	if second.GetEpoch() != first.GetEpoch()+1 || second.GetResumeSegment() != 101 {
		t.Errorf("took over as %v", second)
	}
	// The first one was not dead: it comes back and is fenced.
	a.attach(f)
	if s := a.told(); s.GetMode() != galav1.StopMode_STOP_MODE_SUPERSEDED || s.GetEpoch() != 2 {
		t.Errorf("told %v", s)
	}
	b.report(second, 102)
	f.awaitState("match", running)
}

// A stream that stands while the host behind it is cut off.
func TestSilentAgentFailsOver(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	onAir(f, a)
	b := newAgent(f, "b1").attach(f)
	began := time.Now()
	a.silence(true)
	b.started()
	if took := time.Since(began); took < time.Second || took > 4*time.Second {
		t.Errorf("took over after %v, want a lease's length", took)
	}
	a.silence(false)
	if s := a.told(); s.GetMode() != galav1.StopMode_STOP_MODE_SUPERSEDED {
		t.Errorf("told %v", s)
	}
}

// A short break changes nothing.
func TestReconnectKeepsTheLease(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	b := newAgent(f, "b1")
	as := onAir(f, a)
	b.attach(f)
	a.hangUp()
	a.attach(f)
	a.report(as, 105)
	j := f.await("match", "segment 105", func(j *galav1.Job) bool { return j.GetRenditions()[0].GetLastSegment() == 105 })
	if j.GetPlacements()[0].GetEpoch() != 1 || j.GetState() != running {
		t.Errorf("state %v, placements %v", j.GetState(), j.GetPlacements())
	}
	select {
	case s := <-b.starts:
		t.Errorf("b1 was started with %v", s)
	case s := <-a.stops:
		t.Errorf("a1 was stopped with %v", s)
	case <-time.After(1500 * time.Millisecond):
	}
}

// With nowhere else to go, expiry stops nothing: the job stays on the lost
// agent, and is taken up again when that returns.
func TestExpiryAloneStopsNothing(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	as := onAir(f, a)
	a.hangUp()
	f.awaitState("match", degraded)
	a.attach(f)
	a.report(as, 110)
	j := f.awaitState("match", running)
	if j.GetPlacements()[0].GetEpoch() != 1 {
		t.Errorf("placements %v", j.GetPlacements())
	}
	select {
	case s := <-a.stops:
		t.Errorf("stopped with %v", s)
	default:
	}
}

// The same agent, started anew, lost its workers: they are started again.
func TestRestartedAgentStartsItsWorkersAgain(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	onAir(f, a)
	a.hangUp()
	a.drop("match-0")
	a.instance = "a1-2"
	a.attach(f)
	if as := a.started(); as.GetEpoch() != 2 || as.GetResumeSegment() != 101 {
		t.Errorf("started as %v", as)
	}
}

func TestTwoAgentsOfOneName(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	take(t, a.acked, "the first to be attached")
	twin := newAgent(f, "a1")
	twin.instance = "another host"
	twin.attach(f)
	if err := take(t, twin.ended, "the second to be refused"); status.Code(err) != codes.AlreadyExists {
		t.Errorf("refused with %v", err)
	}
	take(t, a.acked, "the first to stay")
}

func TestAnotherProtocolIsRefused(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	stream, err := galav1.NewFleetClient(f.conn).Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hello := newAgent(f, "a1").hello()
	hello.Protocol = 99
	if err := stream.Send(&galav1.AttachRequest{Message: &galav1.AttachRequest_Hello{Hello: hello}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("refused with %v", err)
	}
}

func TestStreamWithoutHello(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	stream, err := galav1.NewFleetClient(f.conn).Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&galav1.AttachRequest{Message: &galav1.AttachRequest_Beat{Beat: &galav1.Beat{}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("refused with %v", err)
	}
}

// redis is a real redis-server for a test.
func redis(t *testing.T) *embedded.Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED FOR WANT OF redis-server: install it (apt install redis-server)")
	}
	server, err := embedded.Start(context.WithoutCancel(t.Context()), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func openStore(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A new scheduler on the same Redis adopts what runs, and supersedes what was
// fenced while it was away.
func TestRestartedSchedulerAdopts(t *testing.T) {
	url := redis(t).URL
	f := newFarm(t, openStore(t, url))
	a := newAgent(f, "a1").attach(f)
	old := onAir(f, a)
	a.end(old, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	as := a.started()
	a.report(as, 110)
	f.awaitState("match", running)
	f.stopped()
	take(t, a.ended, "the stream to end with its scheduler")

	g := newFarm(t, openStore(t, url))
	a.attach(g)
	a.report(as, 120)
	j := g.await("match", "segment 120", func(j *galav1.Job) bool { return j.GetRenditions()[0].GetLastSegment() == 120 })
	if j.GetState() != running || j.GetPlacements()[0].GetEpoch() != 2 || j.GetAttempts() != 2 {
		t.Errorf("adopted as %v %v after %d attempts", j.GetState(), j.GetPlacements(), j.GetAttempts())
	}
	stale := newAgent(g, "b1")
	stale.held[as.GetId()] = old
	stale.attach(g)
	if s := stale.told(); s.GetMode() != galav1.StopMode_STOP_MODE_SUPERSEDED {
		t.Errorf("told %v", s)
	}
}

// An agent that never comes back after a scheduler's restart is lost in the end.
func TestRestartedSchedulerFailsOver(t *testing.T) {
	url := redis(t).URL
	f := newFarm(t, openStore(t, url))
	a := newAgent(f, "a1").attach(f)
	onAir(f, a)
	a.hangUp()
	f.stopped()

	g := newFarm(t, openStore(t, url))
	b := newAgent(g, "b1").attach(g)
	if as := b.started(); as.GetEpoch() != 2 || as.GetResumeSegment() != 101 {
		t.Errorf("took over as %v", as)
	}
}

// A scheduler whose store never outlived its process finds the job in the
// agent's hands, and leaves it on air.
func TestForgottenJobIsMadeAgain(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	as := onAir(f, a)
	f.stopped()

	g := newFarm(t, store.NewMemory())
	a.attach(g)
	a.report(as, 130)
	deadline := time.After(5 * time.Second)
	for {
		if _, err := g.client.GetJob(t.Context(), &galav1.GetJobRequest{Id: "match"}); err == nil {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the job was not made again")
		case <-time.After(20 * time.Millisecond):
		}
	}
	j := g.awaitState("match", running)
	if j.GetPlacements()[0].GetEpoch() != 1 || !happened(j, "recovered") {
		t.Errorf("made again as %v: %s", j.GetPlacements(), events(j))
	}
	a.end(as, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	if again := a.started(); again.GetEpoch() != 2 || again.GetResumeSegment() != 131 {
		t.Errorf("started again as %v", again)
	}
}

// Redis dies and comes back: what runs goes on, and a submit works again.
func TestRedisDiesAndComesBack(t *testing.T) {
	server := redis(t)
	f := newFarm(t, openStore(t, server.URL))
	a := newAgent(f, "a1").attach(f)
	as := onAir(f, a)
	socket := server.URL[len("unix://") : len(server.URL)-len("?db=0")]
	if out, err := exec.Command("redis-cli", "-s", socket, "shutdown", "nosave").CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	a.report(as, 150)
	deadline := time.After(15 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := f.client.QueueVod(ctx, &galav1.QueueVodRequest{Spec: vod("replay")})
		cancel()
		if err == nil {
			break
		}
		if c := status.Code(err); c != codes.Unavailable && c != codes.DeadlineExceeded {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatal("the store did not come back")
		case <-time.After(50 * time.Millisecond):
		}
	}
	if as := a.started(); as.GetJob() != "replay" {
		t.Errorf("started %v", as)
	}
	if j := f.awaitState("match", running); j.GetPlacements()[0].GetEpoch() != 1 {
		t.Errorf("placements %v", j.GetPlacements())
	}
}

// A Redis that comes back with nothing gets every record back from the
// scheduler that still has them.
func TestRedisThatForgotIsTold(t *testing.T) {
	mini := miniredis.RunT(t)
	f := newFarm(t, openStore(t, "redis://"+mini.Addr()+"/0"))
	a := newAgent(f, "a1").attach(f)
	as := onAir(f, a)
	mini.FlushAll()
	deadline := time.After(10 * time.Second)
	for {
		r, err := f.client.GetJob(t.Context(), &galav1.GetJobRequest{Id: "match"})
		if err == nil {
			if r.GetJob().GetState() != running || r.GetJob().GetPlacements()[0].GetEpoch() != 1 {
				t.Fatalf("written back as %v", r.GetJob())
			}
			break
		}
		select {
		case <-deadline:
			t.Fatal("the record was not written back")
		case <-time.After(20 * time.Millisecond):
		}
	}
	a.end(as, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	if again := a.started(); again.GetEpoch() != 2 {
		t.Errorf("started again as %v", again)
	}
}
