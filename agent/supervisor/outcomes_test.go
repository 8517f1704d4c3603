package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Every outcome of the closed set that a worker says itself arrives as it said it.
func TestWorkersOwnOutcomes(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	codes := []string{
		"finished", "handed_over", "source_ended", "source_error", "sink_error", "encoder_error",
		"device_lost", "session_limit", "out_of_memory", "superseded", "stopped",
	}
	for _, code := range codes {
		b.Start(live(code, fakeworker.Script{Frames: 2, Outcome: code, ExitStatus: 3}))
	}
	for _, code := range codes {
		o := b.awaitOutcome(t, code, 1)
		if codeName(o) != code || o.GetMessage() != "as scripted" || o.GetEndedAt() == nil || o.GetStatus() == nil {
			t.Errorf("outcome %s became %v", code, o)
		}
	}
}

// What a worker does not say is made from what it did.
func TestOutcomesOfWorkersThatSayNothing(t *testing.T) {
	tests := []struct {
		name    string
		script  fakeworker.Script
		want    string
		message []string
	}{
		{"segv", fakeworker.Script{Frames: 2, Signal: "SEGV", LogLine: "last words"}, "crashed", []string{"SIGSEGV", "last words"}},
		{"killed", fakeworker.Script{Frames: 2, Signal: "KILL"}, "crashed", []string{"SIGKILL"}},
		{"silent", fakeworker.Script{Frames: 2, NoOutcome: true}, "crashed", []string{"status 0", "no outcome"}},
		{"status", fakeworker.Script{Frames: 2, NoOutcome: true, ExitStatus: 7}, "crashed", []string{"status 7"}},
		{"corrupt", fakeworker.Script{Frames: 2, CorruptOutcome: true}, "crashed", []string{"outcome cannot be read"}},
		{"stall", fakeworker.Script{StallAfter: 3}, "stalled", []string{"no rendition got anything done"}},
		{"stall-decoding", fakeworker.Script{StallAfter: 3, DecodeOn: true}, "stalled", []string{"decodes, but"}},
		{"protocol", fakeworker.Script{Protocol: 99}, "start_timeout", []string{"protocol 99"}},
		{"stranger", fakeworker.Script{WrongEpoch: true}, "start_timeout", []string{"epoch 2 instead"}},
		{"lingers", fakeworker.Script{Frames: 2, DoNotExit: true, IgnoreTerm: true}, "finished", nil},
	}
	b := newBench(t, t.TempDir(), quick())
	for _, tt := range tests {
		b.Start(live(tt.name, tt.script))
	}
	for _, tt := range tests {
		o := b.awaitOutcome(t, tt.name, 1)
		if codeName(o) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, o, tt.want)
		}
		for _, part := range tt.message {
			if !strings.Contains(o.GetMessage(), part) {
				t.Errorf("%s: message %q lacks %q", tt.name, o.GetMessage(), part)
			}
		}
		if written, err := runDir(filepath.Join(b.dir, tt.name+"-1")).outcome(); err != nil || written.GetCode() != o.GetCode() {
			t.Errorf("%s: outcome on disk is %v (%v)", tt.name, written, err)
		}
	}
}

func TestStartTimeout(t *testing.T) {
	l := quick()
	l.Ready = 300 * time.Millisecond
	b := newBench(t, t.TempDir(), l)
	b.Start(live("mute", fakeworker.Script{NeverReady: true}))
	b.Start(live("deaf", fakeworker.Script{Hang: true}))
	for _, id := range []string{"mute", "deaf"} {
		if o := b.awaitOutcome(t, id, 1); codeName(o) != "start_timeout" || !o.GetRetryable() {
			t.Errorf("%s: %v, want start_timeout, retryable", id, o)
		}
	}
}

func TestReadyLateButInTime(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	b.Start(live("late", fakeworker.Script{ReadyAfterMS: 400, Frames: 3}))
	if o := b.awaitOutcome(t, "late", 1); codeName(o) != "finished" {
		t.Errorf("got %v", o)
	}
}

func TestStop(t *testing.T) {
	tests := []struct {
		name    string
		script  fakeworker.Script
		mode    galav1.StopMode
		want    string
		message string
	}{
		{"finish", fakeworker.Script{}, galav1.StopMode_STOP_MODE_FINISH, "stopped", "because"},
		{"now", fakeworker.Script{}, galav1.StopMode_STOP_MODE_NOW, "stopped", "because"},
		{"superseded", fakeworker.Script{}, galav1.StopMode_STOP_MODE_SUPERSEDED, "superseded", "because"},
		{"term", fakeworker.Script{IgnoreAsk: true}, galav1.StopMode_STOP_MODE_NOW, "stopped", "terminated"},
		{"kill", fakeworker.Script{IgnoreAsk: true, IgnoreTerm: true}, galav1.StopMode_STOP_MODE_FINISH, "stopped", "SIGKILL"},
		{"fenced", fakeworker.Script{IgnoreAsk: true}, galav1.StopMode_STOP_MODE_SUPERSEDED, "superseded", "because"},
	}
	b := newBench(t, t.TempDir(), quick())
	for _, tt := range tests {
		b.Start(live(tt.name, tt.script))
	}
	for _, tt := range tests {
		b.awaitFrames(t, tt.name, 1)
		b.Stop(&galav1.StopAssignment{Assignment: tt.name, Epoch: 1, Mode: tt.mode, Reason: "because"})
	}
	for _, tt := range tests {
		o := b.awaitOutcome(t, tt.name, 1)
		if codeName(o) != tt.want || !strings.Contains(o.GetMessage(), tt.message) || o.GetRetryable() {
			t.Errorf("%s: %v, want %s with %q, not retryable", tt.name, o, tt.want, tt.message)
		}
		if text, err := os.ReadFile(filepath.Join(b.dir, tt.name+"-1", fileStop)); err != nil || !strings.Contains(string(text), "because") {
			t.Errorf("%s: stop on disk: %q %v", tt.name, text, err)
		}
	}
}

func TestStopWithAnOldEpochIsIgnored(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	a := live("a", fakeworker.Script{})
	a.Epoch = 5
	b.Start(a)
	b.awaitFrames(t, "a", 1)
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 4, Mode: galav1.StopMode_STOP_MODE_NOW})
	seen := framesOf(b.status["a"])
	b.awaitFrames(t, "a", seen+50)
	if len(b.Held()) != 1 {
		t.Error("a directive with an older epoch stopped the worker")
	}
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 6, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 5)
}

// A stronger stop takes over from a gentler one that is under way.
func TestStopsEscalate(t *testing.T) {
	l := quick()
	l.FinishMargin = time.Hour
	b := newBench(t, t.TempDir(), l)
	b.Start(live("a", fakeworker.Script{IgnoreAsk: true, IgnoreTerm: true}))
	b.awaitFrames(t, "a", 1)
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_FINISH, Reason: "gently"})
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_SUPERSEDED, Reason: "at once"})
	if o := b.awaitOutcome(t, "a", 1); codeName(o) != "superseded" {
		t.Errorf("got %v", o)
	}
}
