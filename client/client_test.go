package client_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// dial is a client of the farm for the length of a test.
func dial(t *testing.T, addresses ...string) *client.Client {
	t.Helper()
	c, err := client.Dial(addresses...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestSubmitFillsInKindAndPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	farm := &fakefarm.Farm{}
	c := dial(t, farm.Serve(t))
	spec := &galav1.JobSpec{Id: "a", Input: "in/-clip.mp4", Ladder: "hd", Destinations: []string{"out", "s3://b/x"}}
	got, err := c.QueueVod(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	sent := got.Job.GetSpec()
	if sent.GetKind() != galav1.JobKind_JOB_KIND_VOD || sent.GetInput() != filepath.Join(wd, "in/-clip.mp4") {
		t.Errorf("sent %v", sent)
	}
	if d := sent.GetDestinations(); d[0] != filepath.Join(wd, "out") || d[1] != "s3://b/x" {
		t.Errorf("destinations %q", d)
	}
	if spec.GetInput() != "in/-clip.mp4" || spec.GetKind() != 0 {
		t.Errorf("the caller's spec was changed: %v", spec)
	}
	if again, err := c.QueueVod(t.Context(), spec); err != nil || !again.Existed {
		t.Errorf("the same again: existed %v, error %v", again.Existed, err)
	}
}

func TestListYieldsEveryPageOnce(t *testing.T) {
	farm := &fakefarm.Farm{}
	want := []string{"e", "d", "c", "b", "a"}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		farm.Put(&galav1.Job{Spec: &galav1.JobSpec{Id: id}})
	}
	c := dial(t, farm.Serve(t))
	var got []string
	for job, err := range c.List(t.Context(), client.Filter{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, job.GetSpec().GetId())
	}
	if len(got) != len(want) || got[0] != "e" || got[4] != "a" {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func TestDialFallsBackToTheNextAddress(t *testing.T) {
	farm := &fakefarm.Farm{Agents: []*galav1.AgentView{{Name: "gpu-1"}}}
	c := dial(t, closedPort(t), farm.Serve(t))
	agents, err := c.Agents(t.Context())
	if err != nil || len(agents) != 1 {
		t.Errorf("agents %v, error %v", agents, err)
	}
}

func TestDialReadsTheEnvironment(t *testing.T) {
	farm := &fakefarm.Farm{}
	t.Setenv(client.EnvFarm, " "+closedPort(t)+" , "+farm.Serve(t))
	if _, err := dial(t).Agents(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFarmBrieflyAwayIsAskedAgain(t *testing.T) {
	calls := 0
	farm := &fakefarm.Farm{Refuse: func(string) error {
		if calls++; calls < 3 {
			return status.Error(codes.Unavailable, "starting")
		}
		return nil
	}}
	if _, err := dial(t, farm.Serve(t)).Agents(t.Context()); err != nil || calls != 3 {
		t.Errorf("%d calls, error %v; want success at the third", calls, err)
	}
}

func TestNoFarmIsUnavailable(t *testing.T) {
	if _, err := dial(t, closedPort(t)).Get(t.Context(), "a"); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v, want Unavailable", err)
	}
}

func TestAddressesWantAPort(t *testing.T) {
	for _, bad := range []string{"farm.example", "farm:", "http://farm:8081"} {
		if _, err := client.Dial(bad); err == nil {
			t.Errorf("%q taken for an address", bad)
		}
	}
}

func TestGrowing(t *testing.T) {
	for in, want := range map[string]string{
		"/a #1.ts":                      "file:///a%20%231.ts#growing=30s",
		"file:///m.ts#program=2":        "file:///m.ts#growing=30s&program=2",
		"https://h/m.ts?x=1#growing":    "https://h/m.ts?x=1#growing=30s",
		"https://h/m.ts#growing=5s&t=1": "https://h/m.ts#growing=30s&t=1",
	} {
		if got, err := client.Growing(in, 30*time.Second); err != nil || got != want {
			t.Errorf("Growing(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"":                              "",
		"srt://h:9000?mode=listener":    "srt://h:9000?mode=listener",
		"testcard:?fps=25&size=640x360": "testcard:?fps=25&size=640x360",
		"/a/../b.mp4":                   "/b.mp4",
		"b.mp4":                         wd + "/b.mp4",
		"./-x.mp4":                      wd + "/-x.mp4",
		"-x.mp4":                        wd + "/-x.mp4",
		"take:2.mp4":                    wd + "/take:2.mp4",
		"./http://odd":                  wd + "/http:/odd",
	}
	for in, want := range tests {
		if got, err := client.Absolute(in); err != nil || got != want {
			t.Errorf("Absolute(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}
