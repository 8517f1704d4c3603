package fleet

import (
	"syscall"
	"testing"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func TestALiveJobFromSubmitToStop(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	data := t.TempDir()
	f.host("one", data)
	f.submitLive("a", script(fakeworker.Script{Propose: true}))
	j := f.awaitState("a", running)
	if len(j.GetAnchors()) != 1 || len(j.GetPlacements()) != 1 || j.GetPlacements()[0].GetAgent() != "one" {
		t.Errorf("job %v", j)
	}
	if _, err := f.client.CancelJob(t.Context(), &galav1.CancelJobRequest{Id: "a", Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	f.awaitState("a", done, cancelled)
	f.await("a", "the end of the worker", func(*galav1.Job) bool { return len(workers(data)) == 0 })
}

func TestAFinishedFileIsDone(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	f.host("one", t.TempDir())
	_, err := f.client.QueueVod(t.Context(), &galav1.QueueVodRequest{Spec: &galav1.JobSpec{
		Id: "clip", Kind: galav1.JobKind_JOB_KIND_VOD, Input: script(fakeworker.Script{Frames: 60}), Ladder: "mini",
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.awaitState("clip", done)
}

// A worker is killed: the job runs again, under a higher epoch, on the same agent.
func TestAKilledWorkerIsReplaced(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	data := t.TempDir()
	f.host("one", data)
	f.submitLive("a", "testcard:")
	f.awaitState("a", running)
	_ = syscall.Kill(workers(data)["a-0-1"], syscall.SIGKILL)
	j := f.await("a", "the second epoch on air", func(j *galav1.Job) bool {
		return j.GetState() == running && len(j.GetPlacements()) == 1 && j.GetPlacements()[0].GetEpoch() == 2
	})
	if j.GetAttempts() != 2 || workers(data)["a-0-2"] == 0 {
		t.Errorf("attempts %d, workers %v, events %v", j.GetAttempts(), workers(data), kinds(j))
	}
}

// A worker that fails for good is not started again and again.
func TestASourceErrorFailsTheJob(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	f.host("one", t.TempDir())
	f.submitLive("a", script(fakeworker.Script{Frames: 1, Outcome: "source_error"}))
	j := f.awaitState("a", failed)
	if j.GetError().GetCode() != "source_error" || j.GetAttempts() != 1 {
		t.Errorf("error %v after %d attempts", j.GetError(), j.GetAttempts())
	}
}

// A scheduler is replaced: the worker never notices, and the lease is the same.
func TestANewSchedulerTakesOverWhatRuns(t *testing.T) {
	f := newFarm(t)
	end := f.schedule()
	data := t.TempDir()
	f.host("one", data)
	f.submitLive("a", "testcard:")
	before := f.awaitState("a", running)
	pid := workers(data)["a-0-1"]
	end()
	f.schedule()
	frames := before.GetRenditions()[0].GetFrames()
	j := f.await("a", "frames under the new scheduler", func(j *galav1.Job) bool {
		return j.GetState() == running && len(j.GetRenditions()) > 0 && j.GetRenditions()[0].GetFrames() > frames+50
	})
	if got := workers(data)["a-0-1"]; got != pid || j.GetAttempts() != 1 {
		t.Errorf("worker %d became %d, %d attempts, events %v", pid, got, j.GetAttempts(), kinds(j))
	}
}

// An agent is replaced: the next one brings the lease with it.
func TestANewAgentTakesOverWhatRuns(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	data := t.TempDir()
	end := f.host("one", data)
	f.submitLive("a", "testcard:")
	f.awaitState("a", running)
	pid := workers(data)["a-0-1"]
	end()
	f.host("one", data)
	before := f.awaitState("a", running).GetRenditions()[0].GetFrames()
	j := f.await("a", "frames under the new agent", func(j *galav1.Job) bool {
		return j.GetState() == running && j.GetRenditions()[0].GetFrames() > before+50
	})
	if got := workers(data)["a-0-1"]; got != pid || j.GetAttempts() != 1 {
		t.Errorf("worker %d became %d, %d attempts, events %v", pid, got, j.GetAttempts(), kinds(j))
	}
}

// A host goes away with its agent: another takes the job, and the first one,
// when it is back, ends what was superseded.
func TestAJobMovesToAnotherHost(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	first, second := t.TempDir(), t.TempDir()
	end := f.host("one", first)
	f.submitLive("a", "testcard:")
	f.awaitState("a", running)
	f.host("two", second)
	end() // the worker goes on: nothing on air stops for a lease
	f.await("a", "the second epoch on the second host", func(j *galav1.Job) bool {
		return j.GetState() == running && len(j.GetPlacements()) == 1 && j.GetPlacements()[0].GetAgent() == "two"
	})
	if workers(first)["a-0-1"] == 0 {
		t.Error("the first worker was stopped by the loss of its agent")
	}
	f.host("one", first)
	f.await("a", "the end of what was superseded", func(*galav1.Job) bool { return len(workers(first)) == 0 })
	if len(workers(second)) != 1 {
		t.Errorf("workers of the second host: %v", workers(second))
	}
}
