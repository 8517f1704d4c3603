package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/link"
	"github.com/galafarm/gala/agent/supervisor"
	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"golang.org/x/sys/unix"
)

const (
	finish = galav1.StopMode_STOP_MODE_FINISH
	now    = galav1.StopMode_STOP_MODE_NOW
)

func config(t *testing.T, f *fleet, data string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	timing := link.DefaultTiming()
	timing.FirstTry, timing.LastTry, timing.Farewell = 20*time.Millisecond, 200*time.Millisecond, 10*time.Second
	return Config{
		Name: "host-1", Labels: map[string]string{"rack": "r1"}, Schedulers: []string{f.address}, Data: data, Worker: self,
		Limits: supervisor.Limits{Ready: 30 * time.Second, LiveStall: 20 * time.Second}, Timing: timing,
	}
}

// inProcess runs an agent in this process until the test ends it.
func inProcess(t *testing.T, cfg Config) (end func()) {
	t.Helper()
	cfg.Connect = insecureLink()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := Run(ctx, cfg); err != nil {
			t.Error(err)
		}
	})
	end = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(end)
	return end
}

// outOfProcess starts this program as "agent" or "parent".
func outOfProcess(t *testing.T, role string, cfg Config) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cfg.Worker, role, string(text))
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func live(id string, s fakeworker.Script) *galav1.Assignment {
	return &galav1.Assignment{
		Id: id, Job: "job-" + id, Kind: galav1.JobKind_JOB_KIND_LIVE, Epoch: 1, Input: s.Input(), Device: "cpu",
		Grid: &galav1.Grid{Fps: &galav1.Rational{Num: 100, Den: 1}, FramesPerGop: 10, GopsPerSegment: 1, Timescale: 100},
	}
}

// workerPID is the process of an assignment, by the record that agents go by.
func workerPID(t *testing.T, data, assignment string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "workers", assignment+"-1", "process.json"))
	if err != nil {
		t.Fatal(err)
	}
	var id struct{ PID int }
	if err := json.Unmarshal(text, &id); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if runs(id.PID) {
			_ = syscall.Kill(id.PID, syscall.SIGKILL)
		}
	})
	return id.PID
}

// runs says whether a worker process is there and no zombie.
func runs(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

func TestAnAssignmentFromStartToOutcome(t *testing.T) {
	f := newFleet(t, "")
	inProcess(t, config(t, f, t.TempDir()))
	f.start(t, live("a", fakeworker.Script{Propose: true}))
	f.await(t, "a proposal", func() bool { return len(f.proposals) == 1 })
	f.order(t, &galav1.AttachResponse{Message: &galav1.AttachResponse_Anchor{Anchor: &galav1.AnchorDecision{
		Assignment: "a", Anchor: &galav1.Anchor{Generation: 1, Frame: 7},
	}}})
	f.awaitFrames(t, "a", 20)
	f.await(t, "a beat that renews the lease", func() bool { return len(f.beat.GetAssignments()) == 1 })
	f.await(t, "telemetry of the worker", func() bool {
		return len(f.telemetry.GetWorkers()) == 1 && f.telemetry.GetWorkers()[0].GetRssBytes() > 0 && f.telemetry.GetMemoryTotalBytes() > 0
	})
	f.order(t, &galav1.AttachResponse{Message: &galav1.AttachResponse_Probe{Probe: &galav1.ProbeRequest{Id: "p", Input: "file.mp4"}}})
	f.await(t, "a probe result", func() bool { return f.probes["p"].GetSource().GetUrl() == "file.mp4" })
	f.stop(t, "a", finish)
	o := f.awaitOutcome(t, "a")
	if o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_STOPPED || o.GetMessage() != "the test says so" {
		t.Errorf("outcome %v", o)
	}
	hello := look(f, func() *galav1.Hello { return f.hellos[0] })
	if hello.GetName() != "host-1" || hello.GetLabels()["rack"] != "r1" || len(hello.GetDevices()) == 0 || len(hello.GetHeld()) != 0 {
		t.Errorf("hello %v", hello)
	}
	if cpu := hello.GetDevices()[0]; cpu.GetId() != "cpu" || cpu.GetRole() != "encode" || cpu.GetEncodePixelsPerSecond() <= 0 {
		t.Errorf("device %v", cpu)
	}
}

// The agent answers scrapes with what runs, and its telemetry says why there
// are no figures of GPUs where there are none.
func TestMetrics(t *testing.T) {
	f := newFleet(t, "")
	cfg := config(t, f, t.TempDir())
	cfg.Metrics = freePort(t)
	inProcess(t, cfg)
	f.start(t, live("a", fakeworker.Script{}))
	f.awaitFrames(t, "a", 1)
	f.await(t, "the worker's frames in a scrape", func() bool {
		page, err := scrape("http://" + cfg.Metrics + "/metrics")
		return err == nil && strings.Contains(page, `gala_rendition_frames_total{assignment="a",job="job-a",`) &&
			strings.Contains(page, `gala_worker_resident_memory_bytes{assignment="a",device="cpu",job="job-a"}`)
	})
	f.await(t, "word of GPUs", func() bool { return len(f.telemetry.GetGpus()) > 0 || f.telemetry.GetGpuTrouble() != "" })
	f.stop(t, "a", now)
	f.awaitOutcome(t, "a")
	taken := config(t, f, t.TempDir())
	taken.Metrics = f.address
	if err := Run(t.Context(), taken); err == nil || !strings.Contains(err.Error(), "--metrics") {
		t.Errorf("a port that is taken: %v", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func scrape(url string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	return string(page), err
}

// A scheduler that goes away changes nothing for what runs; the next one
// learns all of it, and what ended in between.
func TestASchedulerGoesAndComes(t *testing.T) {
	f := newFleet(t, "")
	data := t.TempDir()
	inProcess(t, config(t, f, data))
	f.start(t, live("runs", fakeworker.Script{}))
	f.start(t, live("ends", fakeworker.Script{Frames: 60}))
	f.awaitFrames(t, "runs", 10)
	f.awaitFrames(t, "ends", 1)
	f.server.Stop()
	pid := workerPID(t, data, "runs")
	f.await(t, "the end of a worker", func() bool {
		_, err := os.Stat(filepath.Join(data, "workers", "ends-1", "outcome.json"))
		return err == nil
	})
	next := newFleet(t, f.address)
	next.awaitFrames(t, "runs", 20)
	if o := next.awaitOutcome(t, "ends"); o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_FINISHED {
		t.Errorf("outcome %v", o)
	}
	if held := look(next, func() []*galav1.HeldLease { return next.hellos[0].GetHeld() }); len(held) == 0 || held[len(held)-1].GetSpec() == nil {
		t.Errorf("held %v", held)
	}
	if !runs(pid) {
		t.Error("the worker did not survive its scheduler")
	}
	next.stop(t, "runs", now)
	next.awaitOutcome(t, "runs")
}

// An agent is killed; its workers go on, and the next agent has them all.
func TestAKilledAgentIsSucceeded(t *testing.T) {
	f := newFleet(t, "")
	data := t.TempDir()
	first := outOfProcess(t, "agent", config(t, f, data))
	for _, a := range []*galav1.Assignment{
		live("runs", fakeworker.Script{}), live("crashes", fakeworker.Script{}), live("ends", fakeworker.Script{Frames: 100}),
	} {
		f.start(t, a)
		f.awaitFrames(t, a.GetId(), 1)
	}
	pid, victim := workerPID(t, data, "runs"), workerPID(t, data, "crashes")
	_ = first.Process.Kill()
	_ = first.Wait()
	f.await(t, "the end of a worker that no agent watched", func() bool {
		_, err := os.Stat(filepath.Join(data, "workers", "ends-1", "outcome.json"))
		return err == nil
	})
	before := look(f, func() int { return len(f.hellos) })
	inProcess(t, config(t, f, data))
	f.await(t, "the next agent", func() bool { return len(f.hellos) > before })
	if o := f.awaitOutcome(t, "ends"); o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_FINISHED {
		t.Errorf("ended meanwhile: %v", o)
	}
	seen := look(f, func() int64 { return f.status["runs"].GetRenditions()[0].GetFrames() })
	f.awaitFrames(t, "runs", seen+10)
	if !runs(pid) || workerPID(t, data, "runs") != pid {
		t.Error("the worker was not adopted but replaced")
	}
	_ = syscall.Kill(victim, syscall.SIGKILL)
	if o := f.awaitOutcome(t, "crashes"); o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_CRASHED || !strings.Contains(o.GetMessage(), killedBy()) {
		t.Errorf("killed after adoption: %v", o)
	}
	f.stop(t, "runs", finish)
	if o := f.awaitOutcome(t, "runs"); o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_STOPPED || o.GetMessage() != "the test says so" {
		t.Errorf("stopped after adoption: %v", o)
	}
	hellos := look(f, func() []*galav1.Hello { return f.hellos })
	if last := hellos[len(hellos)-1]; last.GetInstance() == hellos[0].GetInstance() || len(last.GetHeld()) < 2 {
		t.Errorf("hello of the next agent: %v", last)
	}
}

// An agent that ends in peace leaves its workers too, unless it was told to
// finish them: then the outcomes are still delivered.
func TestAnAgentEnds(t *testing.T) {
	for _, stopWorkers := range []bool{false, true} {
		f := newFleet(t, "")
		data := t.TempDir()
		cfg := config(t, f, data)
		cfg.StopWorkersOnExit = stopWorkers
		a := outOfProcess(t, "agent", cfg)
		f.start(t, live("a", fakeworker.Script{}))
		f.awaitFrames(t, "a", 1)
		pid := workerPID(t, data, "a")
		_ = a.Process.Signal(syscall.SIGTERM)
		if err := a.Wait(); err != nil {
			t.Errorf("agent: %v", err)
		}
		if runs(pid) == stopWorkers {
			t.Errorf("StopWorkersOnExit %v: worker runs %v", stopWorkers, runs(pid))
		}
		if n := look(f, func() int { return len(f.outcomes["a"]) }); stopWorkers && n != 1 {
			t.Errorf("%d outcomes", n)
		}
	}
}

// Nothing is orphaned when the farm's one program is killed.
func TestAKilledParentTakesTheFarmWithIt(t *testing.T) {
	f := newFleet(t, "")
	data := t.TempDir()
	cfg := config(t, f, data)
	cfg.StopWorkersOnExit, cfg.Parent = true, 1
	parent := outOfProcess(t, "parent", cfg)
	f.start(t, live("a", fakeworker.Script{}))
	f.awaitFrames(t, "a", 1)
	pid := workerPID(t, data, "a")
	_ = parent.Process.Kill()
	f.await(t, "the end of the worker", func() bool { return !runs(pid) })
	f.awaitOutcome(t, "a")
	f.await(t, "the end of the agent", func() bool {
		c, err := claim(t.Context(), data, 0, slog.New(slog.DiscardHandler))
		c.release()
		return err == nil
	})
}

func TestTwoAgentsDoNotShareADirectory(t *testing.T) {
	data, log := t.TempDir(), slog.New(slog.DiscardHandler)
	first, err := claim(t.Context(), data, 0, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(t.Context(), data, 10*time.Millisecond, log); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("second claim: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, first.release)
	next, err := claim(t.Context(), data, time.Minute, log)
	if err != nil {
		t.Error(err)
	}
	next.release()
}

func TestConfigurationErrorsAreToldAtOnce(t *testing.T) {
	err := Run(t.Context(), Config{Name: "no spaces"})
	for _, part := range []string{"name", "--scheduler", "--data"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not speak of %s", err, part)
		}
	}
}

func TestAWorkerProgramThatIsMissing(t *testing.T) {
	found := Look(t.Context(), "/nonexistent/gala-worker", supervisor.DefaultLimits())
	if cpu := found.Devices[0]; cpu.GetRole() != "unusable" || cpu.GetRoleReason() == "" || cpu.GetEncodePixelsPerSecond() != 0 {
		t.Errorf("%v", cpu)
	}
}

// killedBy is what an outcome says of an adopted worker that was killed. Only
// kernels from 6.15 on tell the status of a process to others than its parent,
// where its new parent reaps it.
func killedBy() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 || major < 6 || major == 6 && minor < 15 {
		return ""
	}
	return "SIGKILL"
}
