package supervisor

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// left is a directory whose supervisor has ended while run a was on air.
func left(t *testing.T, l Limits, s fakeworker.Script, before func(*bench)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	b := newBench(t, dir, l)
	b.Start(live("a", s))
	b.awaitFrames(t, "a", 1)
	if before != nil {
		before(b)
	}
	b.stop()
	return dir
}

func TestAdoptedRunsGoOn(t *testing.T) {
	dir := left(t, quick(), fakeworker.Script{}, nil)
	b := newBench(t, dir, quick())
	if held := b.Held(); len(held) != 1 || held[0].GetSpec().GetJob() != "job-a" {
		t.Fatalf("held %v", held)
	}
	b.awaitFrames(t, "a", 50)
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW, Reason: "because"})
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "stopped" || o.GetMessage() != "because" {
		t.Errorf("got %v", o)
	}
}

// The agent ends in the middle of a stop; the next one carries it on.
func TestAStopOutlivesItsAgent(t *testing.T) {
	patient := quick()
	patient.FinishMargin = time.Hour
	dir := left(t, patient, fakeworker.Script{IgnoreAsk: true, IgnoreTerm: true}, func(b *bench) {
		b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Reason: "because"})
		b.await(t, "the stop on disk", func() bool { return runDir(filepath.Join(b.dir, "a-1")).has(fileStop) })
	})
	b := newBench(t, dir, quick())
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "stopped" {
		t.Errorf("got %v", o)
	}
}

// The agent was killed between the spawn and the record of it.
func TestAWorkerWithoutARecordIsFound(t *testing.T) {
	dir := left(t, quick(), fakeworker.Script{}, nil)
	if err := os.Remove(filepath.Join(dir, "a-1", fileProcess)); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, dir, quick())
	if len(b.Held()) != 1 {
		t.Fatalf("held %v", b.Held())
	}
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 1)
}

// Numbers of processes come round: the one that has it now is not our worker.
func TestAStrangerWithAKnownNumberIsLeftAlone(t *testing.T) {
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	root := t.TempDir()
	a := live("a", fakeworker.Script{})
	dir, _ := runDirOf(root, a)
	id, err := identify(stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	id.StartTicks--
	if err := dir.create(a); err != nil {
		t.Fatal(err)
	}
	if err := dir.writeJSON(fileProcess, id); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, root, quick())
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "crashed" || len(b.Held()) != 0 {
		t.Errorf("got %v, held %v", o, b.Held())
	}
}

// What an outcome says is told once by every agent until a scheduler took it.
func TestOutcomesAreDeclaredOnce(t *testing.T) {
	dir := t.TempDir()
	first := newBench(t, dir, quick())
	first.Start(live("a", fakeworker.Script{Frames: 1}))
	first.awaitOutcome(t, "a", 1)
	first.stop()
	second := newBench(t, dir, quick())
	second.awaitOutcome(t, "a", 1)
	second.Delivered("a", 1)
	second.await(t, "the mark", func() bool { return runDir(filepath.Join(dir, "a-1")).has(fileDeclared) })
	second.stop()
	third := newBench(t, dir, quick())
	if len(third.outcomes) != 0 {
		t.Errorf("told again: %v", third.outcomes)
	}
}

// Remains that make no sense stop nobody and go in time.
func TestBrokenRemains(t *testing.T) {
	l := quick()
	l.KeepUndeclared = 1
	dir := t.TempDir()
	for _, name := range []string{"x-1", "y-1", "z-1"} {
		broken := runDir(filepath.Join(dir, name))
		if err := os.MkdirAll(string(broken), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := broken.write(fileAssignment, []byte("{half")); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, dir, l)
	b.await(t, "the sweep", func() bool { entries, _ := os.ReadDir(dir); return len(entries) == 1 })
}
