package main

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// ending is a farm that gives every job this end at once.
func ending(t *testing.T, ends map[string]galav1.JobState) string {
	t.Helper()
	farm := &fakefarm.Farm{}
	farm.OnSubmit = func(j *galav1.Job) {
		id := j.GetSpec().GetId()
		farm.Change(id, func(j *galav1.Job) {
			if j.State = ends[id]; j.State == galav1.JobState_JOB_STATE_FAILED {
				j.Reason = "gave up"
				j.Error = &galav1.JobError{Code: "source_error", Message: "open " + j.Spec.Input + ": not media", Advice: "look at it with gala-worker probe"}
			}
		})
	}
	return farm.Serve(t)
}

func TestWaitIsAsGoodAsItsJobs(t *testing.T) {
	inDir(t)
	done, failed, cancelled := galav1.JobState_JOB_STATE_DONE, galav1.JobState_JOB_STATE_FAILED, galav1.JobState_JOB_STATE_CANCELLED
	tests := []struct {
		name string
		ends map[string]galav1.JobState
		code int
		says string
	}{
		{"all done", map[string]galav1.JobState{"a": done, "b": done}, 0, "a: done"},
		{"one failed", map[string]galav1.JobState{"a": failed, "b": done}, exitFailed, "a.mp4: not media\n      look at it with gala-worker probe"},
		{"one cancelled", map[string]galav1.JobState{"a": done, "b": cancelled}, exitFailed, "job b was cancelled"},
		{"both failed", map[string]galav1.JobState{"a": failed, "b": failed}, exitFailed, "job b failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := gala(t, ending(t, tt.ends), "vod", "queue", "a.mp4", "b.mp4", "--wait")
			if got.code != tt.code || !strings.Contains(got.err, tt.says) {
				t.Errorf("%+v; want exit code %d and %q", got, tt.code, tt.says)
			}
		})
	}
}

func TestLiveWaitReturnsOnAir(t *testing.T) {
	address := ending(t, map[string]galav1.JobState{"card": galav1.JobState_JOB_STATE_RUNNING, "dead": galav1.JobState_JOB_STATE_FAILED})
	if got := gala(t, address, "live", "submit", "--id", "card", "--input", "testcard:", "--wait"); got.code != 0 || !strings.Contains(got.err, "card: on air") {
		t.Errorf("%+v", got)
	}
	if got := gala(t, address, "live", "submit", "--id", "dead", "--input", "testcard:", "--wait"); got.code != exitFailed {
		t.Errorf("%+v", got)
	}
}

func TestWatchTellsChangesAndTheEnd(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(derby())
	address := farm.Serve(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for farm.Watchers() == 0 {
			if t.Context().Err() != nil {
				return
			}
			runtime.Gosched()
		}
		farm.Change("derby", func(j *galav1.Job) {
			j.State, j.Reason = galav1.JobState_JOB_STATE_CANCELLED, "stopped by its operator"
		})
	}()
	got := gala(t, address, "live", "watch", "derby")
	<-ended
	for _, want := range []string{"worker_crashed  signal 11  placed again with epoch 3", "running  1 worker runs", "720p #891234", "cancelled  stopped by its operator"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	if got.code != 0 {
		t.Errorf("stopping is how a live job ends, yet exit code %d", got.code)
	}
}

func TestWatchAsJSONIsALineAChange(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(replay())
	got := gala(t, farm.Serve(t), "vod", "watch", "replay", "-o", "json")
	if strings.Count(got.out, "\n") != 1 || !strings.HasPrefix(got.out, `{"spec":{"id":"replay"`) {
		t.Errorf("%+v", got)
	}
}

func TestInterruptedSaysSo(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(derby())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv("GALA_FARM", farm.Serve(t))
	var out, errs strings.Builder
	sh := &shell{ctx: ctx, out: &out, err: &errs, now: noonNow}
	if code := run(sh, []string{"live", "watch", "derby"}); code != exitInterrupted {
		t.Errorf("exit code %d, said %q", code, errs.String())
	}
}

func TestStopAndRetry(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(derby())
	farm.Put(replay())
	address := farm.Serve(t)
	if got := gala(t, address, "live", "stop", "derby", "--reason", "the match is over"); got.out != "derby: cancelled: the match is over\n" {
		t.Errorf("%+v", got)
	}
	if got := gala(t, address, "vod", "retry", "replay"); got.out != "replay: accepted: retried\n" {
		t.Errorf("%+v", got)
	}
}
