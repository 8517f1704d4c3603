package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// details of an error as a program and a person read them.
func details(err error) (reason, advice string, meta map[string]string) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			reason, meta = d.GetReason(), d.GetMetadata()
		case *errdetails.LocalizedMessage:
			advice = d.GetMessage()
		}
	}
	return reason, advice, meta
}

func TestSubmitIsIdempotentByID(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	f.submit(live("match"))
	again := live("match")
	again.WindowSeconds = 900 // the default spelled out
	r, err := f.client.SubmitLive(t.Context(), &galav1.SubmitLiveRequest{Spec: again})
	if err != nil || !r.GetExisted() {
		t.Fatalf("the same again: %v, %v", r, err)
	}
	again.Input, again.Ladder = "testcard:?fps=50", "hd"
	_, err = f.client.SubmitLive(t.Context(), &galav1.SubmitLiveRequest{Spec: again})
	reason, advice, meta := details(err)
	if status.Code(err) != codes.AlreadyExists || reason != "JOB_EXISTS" || meta["fields"] != "input, ladder" || advice == "" {
		t.Errorf("another spec: %v (%s, %q, %v)", err, reason, advice, meta)
	}
}

func TestWhatIsRefusedAtSubmit(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	for _, c := range []struct {
		name   string
		change func(*galav1.JobSpec)
		code   codes.Code
		says   string
	}{
		{"no ladder", func(s *galav1.JobSpec) { s.Ladder = "" }, codes.InvalidArgument, "ladder"},
		{"unknown ladder", func(s *galav1.JobSpec) { s.Ladder = "huge" }, codes.InvalidArgument, "huge"},
		{"broken ladder", func(s *galav1.JobSpec) { s.LadderYaml = "name: [" }, codes.InvalidArgument, "not readable as YAML"},
		{"bad id", func(s *galav1.JobSpec) { s.Id = "../etc" }, codes.InvalidArgument, "id"},
		{"a source that is not allowed", func(s *galav1.JobSpec) { s.Input = "https://cdn.example.com/live.ts" }, codes.InvalidArgument, "--allow-source"},
		{"a source of an unknown type", func(s *galav1.JobSpec) { s.Input = "srt://cam:9000" }, codes.InvalidArgument, "srt"},
		{"a backup that is not allowed", func(s *galav1.JobSpec) { s.Backups = []string{"https://cdn.example.com/b.ts"} }, codes.InvalidArgument, "--allow-source"},
		{"a backup that does not run by itself", func(s *galav1.JobSpec) { s.Backups = []string{"testcard:"} }, codes.InvalidArgument, "switches between live sources"},
		{"two pushed inputs at one address", func(s *galav1.JobSpec) {
			s.Input, s.Backups = "rtmp://127.0.0.1/live/main?mode=listener", []string{"rtmp://127.0.0.1/live/spare?mode=listener"}
		}, codes.InvalidArgument, "listened for at one address"},
		{"a slate that is no picture", func(s *galav1.JobSpec) { s.Slate = &galav1.Slate{Image: []byte("GIF89a")} }, codes.InvalidArgument, "slate: not usable"},
		{"a threshold too short", func(s *galav1.JobSpec) { s.Failover = &galav1.Failover{LossMs: 20} }, codes.InvalidArgument, "100 ms to 10 s"},
		{"keys that are not allowed", func(s *galav1.JobSpec) {
			s.Protection = &galav1.Protection{Scheme: "cbcs", Keys: "https://keys.example.com/speke"}
		}, codes.InvalidArgument, "--allow-source"},
		{"encryption without keys", func(s *galav1.JobSpec) { s.Protection = &galav1.Protection{Scheme: "cbcs"} }, codes.InvalidArgument, "encryption needs keys"},
		{"keys without encryption", func(s *galav1.JobSpec) { s.Protection = &galav1.Protection{Keys: "/keys.yaml"} }, codes.InvalidArgument, "cbcs or cenc"},
		{"AV1 that is to be encrypted", func(s *galav1.JobSpec) {
			s.LadderYaml = "name: new\nvideo:\n  - {name: 360p, height: 360, codec: av1, bitrate: 800k}\n"
			s.Protection = &galav1.Protection{Scheme: "cbcs", Keys: "/keys.yaml"}
		}, codes.InvalidArgument, "AV1"},
		{"a logo that is not brought", func(s *galav1.JobSpec) { s.LadderYaml = withLogo }, codes.InvalidArgument, "does not bring a.png"},
		{"a logo that is none", func(s *galav1.JobSpec) {
			s.LadderYaml, s.Logos = withLogo, []*galav1.Logo{{Name: "a.png", Png: []byte("GIF89a")}}
		}, codes.InvalidArgument, "a.png: not usable as a logo: want a PNG file"},
		{"a logo that the ladder does not name", func(s *galav1.JobSpec) { s.Logos = []*galav1.Logo{{Name: "a.png", Png: []byte{1}}} }, codes.InvalidArgument, "the ladder names 0"},
		{"replicas of a pushed source", func(s *galav1.JobSpec) { s.Redundancy, s.Input = 2, "srt://127.0.0.1:9000?mode=listener" }, codes.InvalidArgument, "redundancy 1"},
		{"object storage that is not spoken", func(s *galav1.JobSpec) { s.Destinations = []string{"wasb://bucket/x"} }, codes.Unimplemented, "wasb"},
		{"a signature in an address", func(s *galav1.JobSpec) { s.Destinations = []string{"azblob://live/x?sig=secret"} }, codes.InvalidArgument, `no option "sig"`},
		{"a bucket that is none", func(s *galav1.JobSpec) { s.Destinations = []string{"gs:///x"} }, codes.InvalidArgument, "gs://bucket/key"},
		{"one place twice", func(s *galav1.JobSpec) { s.Destinations = []string{"/tv", "/tv/"} }, codes.InvalidArgument, "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := live("match")
			c.change(spec)
			_, err := f.client.SubmitLive(t.Context(), &galav1.SubmitLiveRequest{Spec: spec})
			if status.Code(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v with %q", err, c.code, c.says)
			}
			if reason, _, _ := details(err); reason == "" {
				t.Error("no reason for programs")
			}
		})
	}
}

// A switch is written down, sent to the worker, and shown until it is carried out.
func TestSwitchInput(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	spec := live("match")
	spec.Input, spec.Backups = "udp://127.0.0.1:9000", []string{"udp://127.0.0.1:9001"}
	f.submit(spec)
	as := a.started()
	if b := as.GetBackups(); len(b) != 1 || b[0].GetUrl() != spec.GetBackups()[0] {
		t.Fatalf("the assignment has backups %v", b)
	}
	a.report(as, 3)
	f.awaitState("match", galav1.JobState_JOB_STATE_RUNNING)
	if _, err := f.client.SwitchInput(t.Context(), &galav1.SwitchInputRequest{Id: "match", Input: 2}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("to an input that is not there: %v", err)
	}
	r, err := f.client.SwitchInput(t.Context(), &galav1.SwitchInputRequest{Id: "match", Input: 1})
	if err != nil || r.GetJob().GetOnAir().GetPending().GetInput() != 1 {
		t.Fatalf("%v, %v", r.GetJob().GetOnAir(), err)
	}
	if d := take(t, a.switches, "the order"); d.GetOrder().GetInput() != 1 || d.GetEpoch() != as.GetEpoch() {
		t.Errorf("told %v", d)
	}
	status := &galav1.WorkerStatus{FirstSegment: true, Source: &galav1.SourceState{Input: 1, OrderObeyed: 1, LagUs: 2_000_000}}
	a.send <- &galav1.AttachRequest{Message: &galav1.AttachRequest_Report{Report: &galav1.AssignmentReport{
		Assignment: as.GetId(), Job: as.GetJob(), Epoch: as.GetEpoch(), Status: status}}}
	f.await("match", "the backup on air", func(j *galav1.Job) bool {
		return j.GetOnAir().GetName() == "backup-1" && j.GetOnAir().GetPending() == nil
	})
	// A successor begins with it.
	a.end(as, galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true)
	if next := a.started(); next.GetOnAir() != 1 || next.GetOrderObeyed() != 1 || next.GetLagUs() != 2_000_000 || next.GetOrder().GetNumber() != 1 {
		t.Errorf("the successor is told on air %d, obeyed %d, lag %d, order %v", next.GetOnAir(), next.GetOrderObeyed(), next.GetLagUs(), next.GetOrder())
	}
}

func TestOutputsAreWhereTheJobGoes(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	spec := live("match")
	spec.Destinations = []string{"/srv/tv", "https://origin.example.com/in/", "http://127.0.0.1:9000"}
	got := f.submit(spec).GetOutputs()
	want := []string{"file:///srv/tv/match/master.m3u8", "https://origin.example.com/in/match/master.m3u8", "http://127.0.0.1:9000/match/master.m3u8"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("outputs %v, want %v", got, want)
	}
}

func TestUnknownJobs(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	_, err := f.client.GetJob(t.Context(), &galav1.GetJobRequest{Id: "none"})
	if reason, advice, _ := details(err); status.Code(err) != codes.NotFound || reason != "JOB_NOT_FOUND" || advice == "" {
		t.Errorf("get: %v", err)
	}
	w, err := f.client.WatchJobs(t.Context(), &galav1.WatchJobsRequest{Ids: []string{"none"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recv(); status.Code(err) != codes.NotFound {
		t.Errorf("watch: %v", err)
	}
	if _, err := f.client.CancelJob(t.Context(), &galav1.CancelJobRequest{Id: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("cancel: %v", err)
	}
}

func TestListPagesAndFilters(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	for i := range 5 {
		f.submit(live(fmt.Sprintf("live-%d", i)))
		f.submit(vod(fmt.Sprintf("vod-%d", i)))
	}
	var got []string
	token := ""
	for {
		r, err := f.client.ListJobs(t.Context(), &galav1.ListJobsRequest{Kind: galav1.JobKind_JOB_KIND_VOD, PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.GetJobs()) > 2 {
			t.Fatalf("a page of %d", len(r.GetJobs()))
		}
		for _, j := range r.GetJobs() {
			got = append(got, j.GetSpec().GetId())
		}
		if token = r.GetNextPageToken(); token == "" {
			break
		}
	}
	if fmt.Sprint(got) != "[vod-4 vod-3 vod-2 vod-1 vod-0]" {
		t.Errorf("listed %v", got)
	}
	if _, err := f.client.ListJobs(t.Context(), &galav1.ListJobsRequest{PageToken: "?"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a token of nobody's: %v", err)
	}
	r, err := f.client.ListJobs(t.Context(), &galav1.ListJobsRequest{States: []galav1.JobState{galav1.JobState_JOB_STATE_DONE}})
	if err != nil || len(r.GetJobs()) != 0 {
		t.Errorf("done: %v, %v", r.GetJobs(), err)
	}
}

func TestWatchUntilEnded(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(vod("one"))
	f.submit(vod("two"))
	w, err := f.client.WatchJobs(t.Context(), &galav1.WatchJobsRequest{Ids: []string{"one", "two"}, UntilEnded: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a.end(a.started(), galav1.OutcomeCode_OUTCOME_CODE_FINISHED, false)
	}
	last := map[string]galav1.JobState{}
	for {
		m, err := w.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last[m.GetJob().GetSpec().GetId()] = m.GetJob().GetState()
	}
	if last["one"] != done || last["two"] != done {
		t.Errorf("the watch closed at %v", last)
	}
}

// A watcher that reads nothing costs nothing, and gets the newest form then.
func TestSlowWatcherGetsTheNewest(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	sub := f.sched.Subscribe()
	defer sub.Close()
	a := newAgent(f, "a1").attach(f)
	f.submit(live("match"))
	as := a.started()
	for n := range int64(500) {
		a.report(as, n)
	}
	f.await("match", "segment 499", func(j *galav1.Job) bool { return j.GetRenditions()[0].GetLastSegment() == 499 })
	u, err := sub.Next(t.Context())
	if err != nil || len(u.Jobs) != 1 || u.Jobs[0].GetRenditions()[0].GetLastSegment() != 499 || !u.Fleet {
		t.Errorf("got %v, %v", u, err)
	}
}

func TestAgentsAreListed(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	f.submit(live("match"))
	a.started()
	deadline := time.After(5 * time.Second)
	for {
		r, err := f.client.ListAgents(t.Context(), &galav1.ListAgentsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if as := r.GetAgents(); len(as) == 1 && as[0].GetConnected() && len(as[0].GetAssignments()) == 1 && as[0].GetDevices()[0].GetLoadPermille() > 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("listed %v", r.GetAgents())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestHealthAndReflection(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	w, err := healthv1.NewHealthClient(f.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "gala.v1.Farm"})
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := w.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.GetStatus() == healthv1.HealthCheckResponse_SERVING {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := reflectionv1.NewServerReflectionClient(f.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	m, err := r.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range m.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if all := strings.Join(names, " "); !strings.Contains(all, "gala.v1.Farm") || !strings.Contains(all, "gala.v1.Fleet") {
		t.Errorf("reflection lists %s", all)
	}
}

// Many jobs at once, on one agent: each is started once and ends.
func TestAHundredReplays(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	a := newAgent(f, "a1").attach(f)
	const n = 100
	for i := range n {
		f.submit(vod(fmt.Sprintf("replay-%d", i)))
	}
	seen := map[string]bool{}
	for range n {
		as := a.started()
		if seen[as.GetJob()] {
			r, err := f.client.GetJob(t.Context(), &galav1.GetJobRequest{Id: as.GetJob()})
			t.Fatalf("%s was started twice: %v %s", as.GetJob(), err, events(r.GetJob()))
		}
		seen[as.GetJob()] = true
		a.end(as, galav1.OutcomeCode_OUTCOME_CODE_FINISHED, false)
	}
	for i := range n {
		f.awaitState(fmt.Sprintf("replay-%d", i), done)
	}
}
