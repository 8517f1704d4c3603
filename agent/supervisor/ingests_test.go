package supervisor

import (
	"os"
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
