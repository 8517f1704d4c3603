package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// deathless is a bench whose workers no KILL reaches, as if a call into a driver
// held them.
func deathless(t *testing.T, dir string) *bench {
	l := quick()
	l.Kill, l.Term, l.Now = 300*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	b := newBench(t, dir, l)
	b.env.signal = func(p *process, sig syscall.Signal) error {
		if sig == syscall.SIGKILL {
			return nil
		}
		return p.signal(sig)
	}
	return b
}

// unkillable starts a worker of a GPU on b, has it stopped, and returns its process
// and its outcome.
func (b *bench) unkillable(t *testing.T, id string) (pid int, o *galav1.Outcome) {
	t.Helper()
	a := live(id, fakeworker.Script{IgnoreAsk: true, IgnoreTerm: true})
	a.Device = "GPU-3"
	b.Start(a)
	b.awaitFrames(t, id, 1)
	pid = b.Running()[0].PID
	b.Stop(&galav1.StopAssignment{Assignment: id, Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW, Reason: "because"})
	return pid, b.awaitOutcome(t, id, 1)
}

// A worker that hangs in the kernel is given up: its job can go on elsewhere, its
// device is known to have it, and it is reaped when it dies at last.
func TestAWorkerThatDoesNotDie(t *testing.T) {
	b := deathless(t, t.TempDir())
	pid, o := b.unkillable(t, "a")
	if want := fmt.Sprintf("worker %d does not die; its GPU driver hangs (it was stopped: because)", pid); codeName(o) != "device_lost" || !o.GetRetryable() || o.GetMessage() != want {
		t.Errorf("outcome %v", o)
	}
	b.await(t, "the end of the lease", func() bool { return len(b.Held()) == 0 && len(b.Running()) == 0 })
	b.await(t, "word of it beside the report", func() bool { return b.heard["GPU-3"] == "device_lost" })
	all := b.Undying()
	if len(all) != 1 || all[0].PID != pid || all[0].Device != "GPU-3" || all[0].Job != "job-a" || all[0].Since.IsZero() {
		t.Fatalf("undying: %+v", all)
	}
	next := live("a", fakeworker.Script{Frames: 2})
	next.Epoch = 2
	b.Start(next)
	if o := b.awaitOutcome(t, "a", 2); codeName(o) != "finished" {
		t.Errorf("the next epoch: %v", o)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.await(t, "its end", func() bool { return len(b.Undying()) == 0 })
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("it was not reaped")
	}
	if runDir(filepath.Join(b.dir, "a-1")).has(fileUndying) {
		t.Error("it is still on disk")
	}
}

// The next agent knows of it, holds no lease for it, and says its outcome again; the
// end of an agent does not wait for it.
func TestAnUndyingWorkerOutlivesItsAgent(t *testing.T) {
	dir := t.TempDir()
	b := deathless(t, dir)
	pid, _ := b.unkillable(t, "a")
	b.await(t, "the end of the lease", func() bool { return len(b.Held()) == 0 })
	b.stop()
	for _, declared := range []bool{false, true} {
		b = deathless(t, dir)
		if all := b.Undying(); len(all) != 1 || all[0].PID != pid || len(b.Held()) != 0 {
			t.Fatalf("declared %v: undying %+v, held %v", declared, all, b.Held())
		}
		if !declared {
			if o := b.awaitOutcome(t, "a", 1); codeName(o) != "device_lost" {
				t.Errorf("outcome %v", o)
			}
			b.Delivered("a", 1)
			b.await(t, "the mark", func() bool { return runDir(filepath.Join(dir, "a-1")).has(fileDeclared) })
		}
		b.stop()
	}
	b = deathless(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.await(t, "its end", func() bool { return len(b.Undying()) == 0 })
}

// What the worker or its stop says stands.
func TestOutcomesOfUndyingWorkers(t *testing.T) {
	own := &galav1.Outcome{Code: galav1.OutcomeCode_OUTCOME_CODE_FINISHED}
	for _, c := range []struct {
		device string
		e      evidence
		want   string
	}{
		{"GPU-3", evidence{written: own}, "finished"},
		{"GPU-3", evidence{stop: &stopRecord{Cause: causeSuperseded}}, "superseded"},
		{"GPU-3", evidence{stop: &stopRecord{Cause: causeStalled}}, "device_lost"},
		{"cpu", evidence{stop: &stopRecord{Cause: causeStalled}}, "stalled"},
	} {
		o := (Undying{PID: 7, Device: c.device}).outcome(c.e)
		if codeName(o) != c.want || c.e.written == nil && !strings.Contains(o.GetMessage(), "worker 7 does not die") {
			t.Errorf("%s, %+v: %v", c.device, c.e, o)
		}
	}
}
