package supervisor

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

const pushed = "srt://127.0.0.1:9000?mode=listener"

// onWire is an assignment of a live source, of a job.
func onWire(id, job string) *galav1.Assignment {
	a := live(id, fakeworker.Script{})
	a.Job, a.Input = job, pushed
	return a
}

// sources is a bench in a directory of its own, beside which its ingests are.
func sources(t *testing.T, dir string, l Limits) *bench {
	t.Helper()
	b := newBench(t, filepath.Join(dir, "workers"), l)
	t.Cleanup(func() { b.stop(); buryAll(t, filepath.Join(dir, "ingests")) })
	return b
}

// ingestsOf are the processes that hold sources, by job.
func ingestsOf(dir string) map[string]int {
	found := map[string]int{}
	entries, _ := os.ReadDir(filepath.Join(dir, "ingests"))
	for _, e := range entries {
		at := runDir(filepath.Join(dir, "ingests", e.Name()))
		task, err := at.task()
		if err != nil {
			continue
		}
		if p, err := at.processOf(verbIngest); err == nil {
			found[task.GetJob()] = p.pid
			p.leave()
		}
	}
	return found
}

// awaitIngest waits for the process of a job that is not the one before.
func (b *bench) awaitIngest(t *testing.T, dir, job string, before int) (pid int) {
	t.Helper()
	b.await(t, "an ingest of "+job, func() bool {
		pid = ingestsOf(dir)[job]
		return pid != 0 && pid != before
	})
	return pid
}

func TestOneIngestServesAllOfAJob(t *testing.T) {
	dir := t.TempDir()
	b := sources(t, dir, quick())
	b.Probe(&galav1.ProbeRequest{Id: "look", Job: "match", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: pushed})
	b.await(t, "the answer", func() bool { return b.reports.probes["look"] != nil })
	if e := b.reports.probes["look"].GetError(); e != nil {
		t.Fatalf("the look: %v", e)
	}
	pid := b.awaitIngest(t, dir, "match", 0)
	b.Start(onWire("a", "match"))
	b.Start(onWire("b", "match"))
	b.Start(onWire("c", "other"))
	for _, id := range []string{"a", "b", "c"} {
		b.awaitFrames(t, id, 1)
	}
	other := b.awaitIngest(t, dir, "other", 0)
	if got := ingestsOf(dir); len(got) != 2 || got["match"] != pid || got["other"] != other {
		t.Errorf("ingests %v, want %d of match and one of other", got, pid)
	}
	spec, err := runDir(filepath.Join(b.dir, "a-1")).assignment()
	if err != nil || filepath.Dir(spec.GetIngest()) != filepath.Join(dir, "ingests") || !strings.HasPrefix(filepath.Base(spec.GetIngest()), "match-") {
		t.Errorf("the worker reads %q (%v)", spec.GetIngest(), err)
	}
}

// Every input of a job has an ingest of its own, which ends with the job's; an order
// of the operator reaches the worker.
func TestBackupsAreHeldToo(t *testing.T) {
	dir := t.TempDir()
	limits := quick()
	limits.IngestLinger = 50 * time.Millisecond
	b := sources(t, dir, limits)
	a := onWire("a", "match")
	a.Backups = []*galav1.BackupInput{{Url: "srt://127.0.0.1:9001?mode=listener"}, {Url: "srt://127.0.0.1:9002?mode=listener"}}
	b.Start(a)
	b.awaitFrames(t, "a", 1)
	spec, err := runDir(filepath.Join(b.dir, "a-1")).assignment()
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for _, at := range []string{spec.GetIngest(), spec.GetBackups()[0].GetIngest(), spec.GetBackups()[1].GetIngest()} {
		task, err := runDir(at).task()
		if err != nil {
			t.Fatal(err)
		}
		dirs[at] = fmt.Sprint(task.GetInputNumber(), " ", task.GetInput())
	}
	if len(dirs) != 3 || dirs[spec.GetBackups()[1].GetIngest()] != "2 srt://127.0.0.1:9002?mode=listener" {
		t.Errorf("ingests %v", dirs)
	}
	b.Switch(&galav1.SwitchInput{Assignment: "a", Epoch: 1, Order: &galav1.InputOrder{Input: 2, Number: 1}})
	b.await(t, "the worker to be told", func() bool {
		return strings.Contains(fmt.Sprint(b.status["a"].GetNotes()), "told to switch to input 2")
	})
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 1)
	b.await(t, "all ingests to end", func() bool { return len(ingestsOf(dir)) == 0 })
}

func TestKilledIngestIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	b := sources(t, dir, quick())
	b.Start(onWire("a", "match"))
	for pid := 0; ; {
		again := b.awaitIngest(t, dir, "match", pid)
		if pid != 0 {
			break
		}
		if pid = again; syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Fatal("it is gone already")
		}
	}
	b.awaitFrames(t, "a", 1)
	b.change(func() {
		if len(b.outcomes) != 0 {
			t.Errorf("its worker ended: %v", b.outcomes)
		}
	})
}

func TestIngestsAreAdopted(t *testing.T) {
	dir := t.TempDir()
	first := sources(t, dir, quick())
	first.Start(onWire("a", "match"))
	first.awaitFrames(t, "a", 1)
	pid := first.awaitIngest(t, dir, "match", 0)
	first.stop()
	if syscall.Kill(pid, 0) != nil {
		t.Fatal("it ended with its agent")
	}
	limits := quick()
	limits.IngestLinger = 50 * time.Millisecond
	second := sources(t, dir, limits)
	frames := framesOf(first.status["a"])
	second.awaitFrames(t, "a", frames+10)
	if got := ingestsOf(dir)["match"]; got != pid {
		t.Fatalf("ingest %d, want the adopted %d", got, pid)
	}
	// The worker that was adopted reads it still; after it nobody does.
	second.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	second.awaitOutcome(t, "a", 1)
	second.await(t, "the end of the ingest", func() bool { return len(ingestsOf(dir)) == 0 })
	second.await(t, "the end of its directory", func() bool {
		left, _ := os.ReadDir(filepath.Join(dir, "ingests"))
		return len(left) == 0
	})
}

// A worker that is placed again soon finds the past that its predecessor had.
func TestIngestOutlivesItsLastReaderForAWhile(t *testing.T) {
	dir := t.TempDir()
	b := sources(t, dir, quick()) // it lingers for longer than this test
	one := onWire("a", "match")
	b.Start(one)
	b.awaitFrames(t, "a", 1)
	pid := b.awaitIngest(t, dir, "match", 0)
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 1)
	next := onWire("a", "match")
	next.Epoch = 2
	b.Start(next)
	b.await(t, "frames of the second", func() bool { return b.status["a"].GetFramesDecoded() > 0 })
	if got := ingestsOf(dir)["match"]; got != pid {
		t.Errorf("ingest %d, want %d", got, pid)
	}
}

func TestIngestsOverTheLimit(t *testing.T) {
	dir := t.TempDir()
	limits := quick()
	limits.Ingests = 1
	b := sources(t, dir, limits)
	b.Start(onWire("a", "match"))
	b.awaitFrames(t, "a", 1)
	b.Start(onWire("b", "other"))
	if o := b.awaitOutcome(t, "b", 1); codeName(o) != "session_limit" || !o.GetRetryable() || !strings.Contains(o.GetMessage(), "live sources") || o.GetAdvice() == "" {
		t.Errorf("over the limit: %v", o)
	}
	b.Probe(&galav1.ProbeRequest{Id: "look", Job: "third", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: pushed})
	b.await(t, "the answer", func() bool { return b.reports.probes["look"] != nil })
	if e := b.reports.probes["look"].GetError(); !e.GetRetryable() || !strings.Contains(e.GetMessage(), "live sources") {
		t.Errorf("a look over the limit: %v", e)
	}
	bad := onWire("c", "../x")
	b.Start(bad)
	if o := b.awaitOutcome(t, "c", 1); !strings.Contains(o.GetMessage(), "name") {
		t.Errorf("a job that is no name: %v", o)
	}
	if got := ingestsOf(dir); len(got) != 1 {
		t.Errorf("ingests %v, want one", got)
	}
}

// A source that is not on air is said to be so, and is held meanwhile.
func TestSilentSourceIsPutOff(t *testing.T) {
	dir := t.TempDir()
	limits := quick()
	limits.IngestWait = 50 * time.Millisecond
	b := sources(t, dir, limits)
	b.Probe(&galav1.ProbeRequest{Id: "look", Job: "match", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: fakeworker.SilentSource})
	b.await(t, "the answer", func() bool { return b.reports.probes["look"] != nil })
	if e := b.reports.probes["look"].GetError(); e.GetCode() != "source_error" || !e.GetRetryable() || !strings.Contains(e.GetMessage(), "nothing comes") {
		t.Errorf("got %v", e)
	}
	b.awaitIngest(t, dir, "match", 0)
}

// A source is held without a worker until it is let go of, and a worker that
// starts meanwhile reads the same ingest.
func TestASourceIsHeldForASuccessor(t *testing.T) {
	dir := t.TempDir()
	l := quick()
	l.IngestLinger = time.Millisecond
	b := sources(t, dir, l)
	b.Hold(&galav1.HoldSource{Job: "match", Input: pushed})
	b.Hold(&galav1.HoldSource{Job: "match", Input: pushed}) // changes nothing
	pid := b.awaitIngest(t, dir, "match", 0)
	if got := b.Sources(); len(got) != 1 || got[0] != "match" {
		t.Errorf("told %v", got)
	}
	b.await(t, "what its ring keeps", func() bool {
		k := b.Kept(t.Context())
		return len(k) == 1 && k[0].GetJob() == "match" && k[0].GetKeptUs() > 0
	})
	b.Start(onWire("a", "match"))
	b.awaitFrames(t, "a", 1)
	b.Hold(&galav1.HoldSource{Job: "match", Release: true})
	if got := b.Sources(); len(got) != 0 {
		t.Errorf("let go, told %v", got)
	}
	b.awaitFrames(t, "a", 2)
	if got := ingestsOf(dir); got["match"] != pid {
		t.Errorf("ingests %v, want %d still, for the worker", got, pid)
	}
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.await(t, "the end of the ingest", func() bool { return len(ingestsOf(dir)) == 0 })
}

// A pushed source may come to another host: what counts is the input that comes
// here, and the worker that takes over reads the ring in which it lies.
func TestAPushedBackupIsHeldForASuccessor(t *testing.T) {
	dir := t.TempDir()
	b := sources(t, dir, quick())
	b.Hold(&galav1.HoldSource{Job: "match", Input: fakeworker.SilentSource, Backups: []string{pushed}})
	b.await(t, "what the backup's ring keeps", func() bool {
		k := b.Kept(t.Context())
		return len(k) == 1 && k[0].GetKeptUs() > 0
	})
	next := onWire("a", "match")
	next.Input, next.Backups = fakeworker.SilentSource, []*galav1.BackupInput{{Url: pushed}}
	b.Start(next)
	b.awaitFrames(t, "a", 1)
	spec, err := runDir(filepath.Join(b.dir, "a-1")).assignment()
	if err != nil {
		t.Fatal(err)
	}
	task, err := runDir(spec.GetBackups()[0].GetIngest()).task()
	if err != nil || task.GetInputNumber() != 1 || task.GetInput() != pushed {
		t.Errorf("the worker reads %v (%v)", task, err)
	}
	if all, err := os.ReadDir(filepath.Join(dir, "ingests")); err != nil || len(all) != 2 {
		t.Errorf("%d ingests hold two inputs (%v)", len(all), err)
	}
}

// An ingest that no KILL ends holds nobody up.
func TestAnIngestThatDoesNotDie(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error("it has not been left alone:", err)
		}
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, 0, nil)
	}()
	p, err := openProcess(pid, cmd)
	if err != nil {
		t.Fatal(err)
	}
	all := &ingests{log: slog.New(slog.DiscardHandler), kill: 100 * time.Millisecond, signal: func(*process, syscall.Signal) error { return nil }}
	n := newIngest(all, sourceKey{job: "gala"}, runDir(t.TempDir()))
	n.proc = p
	began := time.Now()
	n.end()
	if took := time.Since(began); took < all.kill || took > 10*time.Second {
		t.Errorf("it was waited for for %v", took)
	}
	if _, err := os.Stat(string(n.dir)); !os.IsNotExist(err) {
		t.Errorf("its directory is there: %v", err)
	}
}
