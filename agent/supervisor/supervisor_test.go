package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func TestStartIsIdempotent(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	a := live("a", fakeworker.Script{Frames: 20})
	for range 3 {
		b.Start(a)
	}
	if held := b.Held(); len(held) != 1 || held[0].GetEpoch() != 1 || held[0].GetSpec().GetInput() != a.GetInput() {
		t.Errorf("held %v", held)
	}
	b.awaitOutcome(t, "a", 1)
}

// An epoch runs once: a second directive after its end gets the outcome again.
func TestAnEndedEpochIsNotRunAgain(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	b.Start(live("a", fakeworker.Script{Frames: 2}))
	b.awaitOutcome(t, "a", 1)
	b.await(t, "the end of the lease", func() bool { return len(b.Held()) == 0 })
	b.Start(live("a", fakeworker.Script{}))
	b.await(t, "the outcome again", func() bool { return len(b.outcomes[key{"a", 1}]) == 2 })
	if o := b.outcomes[key{"a", 1}][1]; codeName(o) != "finished" {
		t.Errorf("got %v", o)
	}
}

func TestAHigherEpochSupersedes(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	first, second := live("a", fakeworker.Script{}), live("a", fakeworker.Script{})
	second.Epoch = 2
	b.Start(first)
	b.awaitFrames(t, "a", 1)
	b.Start(second)
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "superseded" {
		t.Errorf("first epoch: %v", o)
	}
	late := live("a", fakeworker.Script{})
	late.Epoch = 0
	b.Start(late)
	if o := b.awaitOutcome(t, "a", 0); codeName(o) != "superseded" {
		t.Errorf("lower epoch: %v", o)
	}
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 2, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 2)
}

func TestRefusals(t *testing.T) {
	l := quick()
	l.Runs = 1
	b := newBench(t, t.TempDir(), l)
	b.Start(live("../../etc", fakeworker.Script{}))
	if o := b.awaitOutcome(t, "../../etc", 1); codeName(o) != "crashed" || !strings.Contains(o.GetMessage(), "assignment id") {
		t.Errorf("evil id: %v", o)
	}
	b.Start(live("a", fakeworker.Script{}))
	b.Start(live("b", fakeworker.Script{}))
	if o := b.awaitOutcome(t, "b", 1); codeName(o) != "session_limit" || !o.GetRetryable() {
		t.Errorf("one too many: %v", o)
	}
	b.Stop(&galav1.StopAssignment{Assignment: "unknown", Epoch: 3})
	if o := b.awaitOutcome(t, "unknown", 3); codeName(o) != "stopped" {
		t.Errorf("unknown: %v", o)
	}
}

func TestMissingWorkerProgram(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	b.env.worker = filepath.Join(t.TempDir(), "gala-worker")
	b.Start(live("a", fakeworker.Script{}))
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "crashed" || !strings.Contains(o.GetMessage(), "could not be started") {
		t.Errorf("got %v", o)
	}
}

func TestAnchors(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	b.Start(live("a", fakeworker.Script{Propose: true, Frames: 3}))
	b.await(t, "a proposal", func() bool { return len(b.proposals) > 0 })
	if p := b.proposals[0]; p.GetJob() != "job-a" || p.GetEpoch() != 1 || p.GetAnchor().GetFrame() != 25 {
		t.Errorf("proposal %v", p)
	}
	b.SetAnchor(&galav1.AnchorDecision{Assignment: "a", Anchor: &galav1.Anchor{Generation: 1, Frame: 50}})
	o := b.awaitOutcome(t, "a", 1)
	if notes := fmt.Sprint(o.GetStatus().GetNotes()); notes != "[anchored at frame 50]" {
		t.Errorf("notes %s", notes)
	}
	if len(b.proposals) != 1 {
		t.Errorf("%d proposals, want one", len(b.proposals))
	}
}

// A worker that waits for an anchor is not stalled, however long no scheduler answers.
func TestWaitingForAnAnchorIsNoStall(t *testing.T) {
	l := quick()
	l.FirstFrame, l.LiveStall = 1, 1
	w := stallWatch{patience: patienceFor(live("a", fakeworker.Script{}), l), tick: guardTick}
	r := run{ready: true, proposal: &galav1.Anchor{}}
	for now := start; now.Sub(start) < 1e12; now = now.Add(guardTick) {
		status, waiting := r.progress()
		if why := w.observe(now, status, idle, waiting); why != "" {
			t.Fatal(why)
		}
	}
}

func TestFloodedLogStaysBounded(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	b.Start(live("a", fakeworker.Script{LogBytes: 4 << 10, Frames: 200, LogLine: "hello", Signal: "KILL"}))
	b.awaitFrames(t, "a", 150)
	info, err := os.Stat(filepath.Join(b.dir, "a-1", fileStderr))
	if err != nil || info.Size() > 64<<10+400<<10 {
		t.Errorf("log of %d bytes (%v)", info.Size(), err)
	}
	o := b.awaitOutcome(t, "a", 1)
	if len(o.GetMessage()) > quoteBytes+500 {
		t.Errorf("message of %d bytes", len(o.GetMessage()))
	}
	text, _ := os.ReadFile(filepath.Join(b.dir, "a-1", fileStderr))
	if !strings.Contains(string(text), "bytes were dropped here") {
		t.Error("the cut log does not say so")
	}
}

func TestRuntimeDirectoriesAreSwept(t *testing.T) {
	l := quick()
	l.KeepRuns, l.KeepUndeclared = 2, 3
	b := newBench(t, t.TempDir(), l)
	for i := range 8 {
		id := fmt.Sprint("run-", i)
		b.Start(live(id, fakeworker.Script{Frames: 1}))
		b.awaitOutcome(t, id, 1)
		if i < 5 {
			b.Delivered(id, 1)
		}
	}
	b.stop()
	b.sweep()
	entries, err := os.ReadDir(b.dir)
	if err != nil || len(entries) > 2+3 {
		t.Errorf("%d runtime directories are left (%v)", len(entries), err)
	}
}

func TestProbes(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	tests := []struct{ input, code, message string }{
		{"file.mp4", "", ""},
		{"-dash.mp4", "", ""},
		{"probe:bad", "source_error", "no such file"},
		{"probe:hang", "source_error", "longer than 4s"},
		{"probe:crash", "crashed", "SIGSEGV"},
		{"probe:mute", "crashed", "no answer"},
		{"probe:flood", "crashed", "more than"},
	}
	for _, tt := range tests {
		b.Probe(&galav1.ProbeRequest{Id: tt.input, Input: tt.input})
	}
	for _, tt := range tests {
		b.await(t, tt.input, func() bool { return b.reports.probes[tt.input] != nil })
		r := b.reports.probes[tt.input]
		if r.GetError().GetCode() != tt.code || !strings.Contains(r.GetError().GetMessage(), tt.message) {
			t.Errorf("%s: %v", tt.input, r)
		}
		if tt.code == "" && r.GetSource().GetUrl() != tt.input || tt.code != "" && r.GetError().GetAdvice() == "" {
			t.Errorf("%s: %v", tt.input, r)
		}
	}
}

func TestDescribe(t *testing.T) {
	self, _ := os.Executable()
	d, err := Describe(t.Context(), self, quick())
	if err != nil || d.FFmpeg != "9.0-fake" || len(d.Encoders) != 3 {
		t.Errorf("%v %v", d, err)
	}
	if _, err := Describe(t.Context(), "/nonexistent/gala-worker", quick()); err == nil {
		t.Error("a missing worker program described itself")
	}
}

// The name of a unix socket is at most 107 bytes; data directories are not.
func TestLongRuntimeDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 20), strings.Repeat("path-", 20))
	b := newBench(t, dir, quick())
	b.Start(live("a", fakeworker.Script{Frames: 2}))
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "finished" {
		t.Errorf("got %v", o)
	}
}

// Where the workers end with the agent, they end: asked, or not.
func TestWorkersEndWithTheAgent(t *testing.T) {
	l := quick()
	l.FinishMargin, l.Exit = time.Hour, time.Second
	b := newBench(t, t.TempDir(), l)
	b.stopOnExit = true
	b.Start(live("good", fakeworker.Script{}))
	b.Start(vod("file", fakeworker.Script{}))
	b.Start(live("stubborn", fakeworker.Script{IgnoreAsk: true, IgnoreTerm: true}))
	for _, id := range []string{"good", "file", "stubborn"} {
		b.awaitFrames(t, id, 1)
	}
	b.stop()
	for _, id := range []string{"good", "file", "stubborn"} {
		if o := b.awaitOutcome(t, id, 1); codeName(o) != "stopped" {
			t.Errorf("%s: %v", id, o)
		}
	}
	if held := b.Held(); len(held) != 0 {
		t.Errorf("held %v", held)
	}
	b.Start(live("late", fakeworker.Script{}))
	if o := b.awaitOutcome(t, "late", 1); codeName(o) != "handed_over" || !o.GetRetryable() {
		t.Errorf("late: %v", o)
	}
}
