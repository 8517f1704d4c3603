package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/benchmarks/rehearsal"
	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// A short rehearsal: a worker, the agent and Redis are killed, the origin of the
// job refuses; nothing is missing at that origin.
func TestRehearsal(t *testing.T) {
	f := farm.Start(t)
	dir := t.TempDir()
	result, ladder := filepath.Join(dir, "result.json"), filepath.Join(dir, "lowest.yaml")
	if err := os.WriteFile(ladder, []byte(lowest), 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := f.Run("rehearse", "--ladder", ladder, "--input", "testcard:?size=320x180", "--faults", "worker-kill,agent-kill,redis-kill,origin-5xx", "--every", "2s", "--results", result)
	report := readRehearsal(t, result)
	t.Log(out)
	if len(report.Results) != 4 || report.Interrupted {
		t.Fatalf("exit %d, %d of 4 faults", code, len(report.Results))
	}
	for _, r := range report.Results {
		if r.Missing != 0 || !r.Recovered || r.Said == "" || r.Segments == 0 {
			t.Errorf("%s: %+v", r.Fault, r)
		}
		if r.Fault == "worker-kill" && !strings.Contains(strings.Join(r.Events, "\n"), "worker_crashed") {
			t.Errorf("the record of the job says nothing of the dead worker: %q", r.Events)
		}
	}
	if w := report.Watched; w == nil || len(w.Renditions) != report.Renditions {
		t.Errorf("watched: %+v", w)
	}
	for job, err := range f.Client().List(t.Context(), client.Filter{Kind: galav1.JobKind_JOB_KIND_LIVE}) {
		if err != nil || !client.Ended(job.GetState()) {
			t.Errorf("the rehearsal left %s behind: %v %v", job.GetSpec().GetId(), job.GetState(), err)
		}
	}
}

func readRehearsal(t *testing.T, name string) (r rehearsal.Report) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A rehearsal never touches what is on air unless it is told to, and an
// interrupt ends it in order.
func TestRehearsalIsRefusedAndInterrupted(t *testing.T) {
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini")
	before := segments(t, f, c, "gala", 1)
	out, code := f.Run("rehearse", "--faults", "worker-kill:1")
	if code != 2 || !strings.Contains(out, "gala on air") || !strings.Contains(out, "--others") {
		t.Errorf("exit %d\n%s", code, out)
	}
	result := filepath.Join(t.TempDir(), "result.json")
	cmd := exec.Command(farm.Binary(t, "gala"), "rehearse", "--job", "gala", "--faults", "agent-kill:9", "--every", "1s", "--results", result)
	cmd.Env = append(os.Environ(), "GALA_FARM="+f.GRPC)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	agent := f.Child("gala-agent")
	farm.Until(t, 120*time.Second, "the agent was killed", func() bool { now := f.Child("gala-agent"); return now != 0 && now != agent })
	goesOn(t, f, c, "gala", newest(f.Job(c, "gala")), 4) // the first fault is measured
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 && code != 1 {
		t.Errorf("exit %d after an interrupt\n%s", code, said.String())
	}
	if r := readRehearsal(t, result); !r.Interrupted || len(r.Results) == 0 || r.Results[0].Missing != 0 {
		t.Errorf("%+v\n%s", r, said.String())
	}
	if job := f.Job(c, "gala"); client.Ended(job.GetState()) || job.GetAttempts() != before.GetAttempts() {
		t.Errorf("the job that was rehearsed is %v after %d attempts", job.GetState(), job.GetAttempts())
	}
	stopped(t, f, c, "gala")
}
