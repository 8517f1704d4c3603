package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// card is a live source that costs little, clip the same as a file of a minute.
const (
	card = "testcard:?size=640x360"
	clip = "testcard:?size=640x360&duration=60s"
	// clipFrames and clipSegments are what becomes of it: 25 a second, six
	// seconds each.
	clipFrames, clipSegments = 1500, 10
)

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if pid == 0 {
		t.Fatal("the process to signal does not run")
	}
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("signal %d: %v", pid, err)
	}
}

// theWorker is the one worker of the farm.
func theWorker(t *testing.T, f *farm.Farm) int {
	t.Helper()
	workers := slices.Collect(maps.Values(f.Workers()))
	if len(workers) != 1 {
		t.Fatalf("workers %v, want one", f.Workers())
	}
	return workers[0]
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// newest is the newest segment that every rendition has.
func newest(job *galav1.Job) int64 {
	least := int64(-1)
	for _, r := range job.GetRenditions() {
		if least < 0 || r.GetLastSegment() < least {
			least = r.GetLastSegment()
		}
	}
	return least
}

// goesOn waits until every rendition has published n segments after last.
func goesOn(t *testing.T, f *farm.Farm, c *client.Client, id string, last, n int64) *galav1.Job {
	t.Helper()
	var job *galav1.Job
	farm.Until(t, 90*time.Second, fmt.Sprintf("%s has published %d segments after %d", id, n, last), func() bool {
		job = f.Job(c, id)
		if job.GetEndedAt() != nil {
			t.Fatalf("%s ended: %v: %s", id, job.GetState(), job.GetReason())
		}
		return newest(job) >= last+n
	})
	return job
}

// stopped takes a live job off air and looks at all of it once more.
func stopped(t *testing.T, f *farm.Farm, c *client.Client, id string) {
	t.Helper()
	f.Must("live", "stop", id)
	if job := ended(t, f, c, id); job.GetState() != galav1.JobState_JOB_STATE_DONE {
		t.Errorf("%s is %v after stop: %s", id, job.GetState(), job.GetReason())
	}
}

func happened(job *galav1.Job, kind string) bool {
	return slices.ContainsFunc(job.GetEvents(), func(e *galav1.JobEvent) bool { return e.GetKind() == kind })
}

func done(t *testing.T, f *farm.Farm, c *client.Client, id string) *galav1.Job {
	t.Helper()
	job := ended(t, f, c, id)
	if job.GetState() != galav1.JobState_JOB_STATE_DONE {
		t.Fatalf("%s is %v: %s %v\n%s", id, job.GetState(), job.GetReason(), job.GetError(), f.Log())
	}
	return job
}

// A VOD worker that is killed half-way costs the segment it was at, no more:
// the successor begins after what is finished.
func TestKilledWorkerOfAFile(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", clip)
	before := segments(t, f, c, "clip", 4)
	kept := finishedFiles(t, f, "clip", newest(before))
	signal(t, theWorker(t, f), syscall.SIGKILL)
	job := done(t, f, c, "clip")
	if job.GetAttempts() != 2 || !happened(job, "worker_crashed") {
		t.Errorf("%d attempts, want 2 and a crash among the events %v", job.GetAttempts(), job.GetEvents())
	}
	wantWholeClip(t, f, "clip")
	if now := finishedFiles(t, f, "clip", newest(before)); !maps.Equal(now, kept) {
		t.Errorf("finished segments were written again:\n%v\n%v", kept, now)
	}
	for _, r := range job.GetRenditions() {
		// Over both attempts; the unfinished segments are the crash's price.
		if r.GetRendition().GetVideo() != nil && r.GetFrames() >= clipFrames+3*clipFrames/clipSegments {
			t.Errorf("%s: %d frames were encoded for a clip of %d", r.GetRendition().GetName(), r.GetFrames(), clipFrames)
		}
	}
}

// wantWholeClip: every segment of every rendition is there and the ladder is
// right by our verifier, which knows the card's frame numbers.
func wantWholeClip(t *testing.T, f *farm.Farm, id string) {
	t.Helper()
	for name, n := range countSegments(t, filepath.Join(f.Data, "origin", id)) {
		if n != clipSegments {
			t.Errorf("%s has %d segments, want %d", name, n, clipSegments)
		}
	}
	verify(t, f, id)
}

func countSegments(t *testing.T, tree string) map[string]int {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(tree, "*", "*.m4s"))
	if len(files) == 0 {
		t.Fatalf("no segments in %s", tree)
	}
	out := map[string]int{}
	for _, path := range files {
		out[filepath.Base(filepath.Dir(path))]++
	}
	return out
}

// finishedFiles are the segments up to last with the time each was written.
func finishedFiles(t *testing.T, f *farm.Farm, id string, last int64) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	files, _ := filepath.Glob(filepath.Join(f.Data, "origin", id, "*", "*.m4s"))
	for _, path := range files {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(path), "%d.m4s", &n); err != nil || n > last {
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = st.ModTime()
	}
	return out
}

// A worker that hangs is found by its missing progress and replaced; the card
// was not interrupted.
func TestHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini")
	before := segments(t, f, c, "gala", 2)
	hung := theWorker(t, f)
	signal(t, hung, syscall.SIGSTOP)
	job := goesOn(t, f, c, "gala", newest(before), 5)
	if job.GetAttempts() != before.GetAttempts()+1 || !happened(job, "worker_stalled") {
		t.Errorf("%d attempts, want one more than %d and a stall among the events %v", job.GetAttempts(), before.GetAttempts(), job.GetEvents())
	}
	if !gone(hung) {
		t.Errorf("the hung worker %d is still there", hung)
	}
	verify(t, f, "gala")
	stopped(t, f, c, "gala")
}

// The agent dies, its worker does not notice: same process, no segment late or
// lost, no new attempt.
func TestKilledAgentLeavesItsWorkerOnAir(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini")
	before := segments(t, f, c, "gala", 2)
	worker, agent := theWorker(t, f), f.Child("gala-agent")
	signal(t, agent, syscall.SIGKILL)
	farm.Until(t, 30*time.Second, "another agent runs", func() bool { now := f.Child("gala-agent"); return now != 0 && now != agent })
	job := goesOn(t, f, c, "gala", newest(before), 5)
	if now := theWorker(t, f); now != worker || job.GetAttempts() != before.GetAttempts() {
		t.Errorf("worker %d is now %d, attempts %d now %d: it was not adopted", worker, now, before.GetAttempts(), job.GetAttempts())
	}
	farm.Until(t, 30*time.Second, "the new agent names the worker", func() bool { return strings.Contains(f.Must("fleet", "show", hostOf(job)), "gala-0") })
	verify(t, f, "gala")
	stopped(t, f, c, "gala")
	verify(t, f, "gala")
}

func hostOf(job *galav1.Job) string { return job.GetPlacements()[0].GetAgent() }

// The farm's own process dies, and another starts on the same data: what was
// done stays done, what was on air goes on with no hole, what was queued or
// half encoded is finished.
func TestKilledFarmComesBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	f := farm.StartIn(t, data)
	c := f.Client()
	f.Must("vod", "queue", "--id", "early", "--ladder", "mini", "testcard:?size=640x360&duration=6s")
	done(t, f, c, "early")
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini")
	before := segments(t, f, c, "gala", 2)
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", clip)
	f.Kill()

	f = farm.StartIn(t, data)
	c = f.Client()
	if job := f.Job(c, "early"); job.GetState() != galav1.JobState_JOB_STATE_DONE {
		t.Errorf("the job that had ended is %v: %s", job.GetState(), job.GetReason())
	}
	goesOn(t, f, c, "gala", newest(before), 4)
	verify(t, f, "gala")
	done(t, f, c, "clip")
	wantWholeClip(t, f, "clip")
	verify(t, f, "early")
	stopped(t, f, c, "gala")
}

// Redis dies and comes back on its file: nothing on air waits for it, and new
// jobs are taken.
func TestKilledRedis(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini")
	before := segments(t, f, c, "gala", 2)
	redis, worker := f.Child("redis-server"), theWorker(t, f)
	signal(t, redis, syscall.SIGKILL)
	farm.Until(t, 30*time.Second, "another redis-server runs", func() bool { now := f.Child("redis-server"); return now != 0 && now != redis })
	f.Must("vod", "queue", "--id", "after", "--ladder", "mini", "testcard:?size=640x360&duration=6s")
	done(t, f, c, "after")
	job := goesOn(t, f, c, "gala", newest(before), 4)
	if now := f.Workers()["gala-0-"+fmt.Sprint(job.GetPlacements()[0].GetEpoch())]; now != worker || job.GetAttempts() != before.GetAttempts() {
		t.Errorf("the worker on air was replaced: %d is now %d", worker, now)
	}
	verify(t, f, "gala")
	stopped(t, f, c, "gala")
}
