package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// device is what a test's farm has, and what its jobs ask for.
type device struct{ farm, job []string }

// twoL4 are GPUs of the driver twin, and nothing falls back to the processor.
func twoL4(t *testing.T) device {
	t.Helper()
	twinLibraries(t)
	return device{farm: []string{"--twin", "l4:2"}, job: []string{"--cpu", "never"}}
}

func (d device) start(t *testing.T) *farm.Farm { return farm.Start(t, d.farm...) }

// submit a job of the device's kind: verb and noun as they are typed.
func (d device) submit(f *farm.Farm, args ...string) {
	f.Must(append(args[:2:2], append(d.job, args[2:]...)...)...)
}

func TestLiveTestCardOnGPUs(t *testing.T) {
	t.Parallel()
	liveTestCard(t, twoL4(t))
}

func TestLiveFileLoopsOnAGPU(t *testing.T) {
	t.Parallel()
	liveFileLoops(t, twoL4(t))
}

func TestKilledWorkerOnAGPU(t *testing.T) {
	t.Parallel()
	killedWorker(t, twoL4(t))
}

func TestLiveCardOfAGPUInChromium(t *testing.T) { liveCardInChromium(t, twoL4(t)) }

func TestFileOfAGPUInChromium(t *testing.T) { fileInChromium(t, twoL4(t)) }

// smallest are the files whose rungs are smaller than a card's encoder takes: they are
// the processor's.
var smallest = map[string]bool{"tall_16x4000.ts": true, "-video-with-dash-.mp4": true, "crash_789075_9841x705.webm": true}

// The media set on the cards, a few files at a time: a card of the catalogue has room
// for all of them, this machine has not.
func TestEveryMediaFileOnGPUs(t *testing.T) {
	const atOnce = 6
	dir := farm.Media(t)
	twinLibraries(t)
	f := farm.Start(t, "--twin", "l4:2")
	awaitGPUs(t, f.Client(), 30*time.Second, "two GPUs are tried", inRoles("encode", "encode"))
	names := mediaFiles(t, dir)[1:] // six minutes of 1080p teach no more
	for i, name := range names {
		if i < atOnce {
			queueFile(f, dir, name)
		}
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) { wantOnGPU(t, judgeFile(t, f, dir, name), smallest[name]) })
		if i+atOnce < len(names) {
			queueFile(f, dir, names[i+atOnce])
		}
	}
}

// wantOnGPU: every video rendition of a job that is done comes from a card's encoder, or
// with not from none, which the job's record explains.
func wantOnGPU(t *testing.T, job *galav1.Job, not bool) {
	t.Helper()
	for _, r := range job.GetRenditions() {
		v := r.GetRendition().GetVideo()
		if v != nil && strings.HasSuffix(v.GetEncoder(), "_nvenc") == not {
			t.Errorf("%s comes from %s: %v", r.GetRendition().GetName(), v.GetEncoder(), job.GetEvents())
		}
	}
	if not && !slices.ContainsFunc(job.GetEvents(), func(e *galav1.JobEvent) bool { return strings.Contains(e.GetEffect(), "on no GPU: ") }) {
		t.Errorf("nothing says why it is on no GPU: %v", job.GetEvents())
	}
}

// sessionsInUse are the encoder sessions that the drivers of a farm's GPUs tell, of all
// programs.
func sessionsInUse(all []*galav1.DeviceView) (n int) {
	for _, d := range all {
		n += int(d.GetFigures().GetEncodeSessions())
	}
	return n
}

// threeRungs writes a ladder of three small rungs, so that many of them fit a machine.
func threeRungs(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "three.yaml")
	text := "name: three\nsegment: {live: 2s, vod: 2s}\nvideo:\n"
	for _, r := range []string{"90k", "140k", "200k"} {
		text += fmt.Sprintf("  - {name: 144p-%s, height: 144, codec: h264, bitrate: %s, preset: fast}\n", r, r)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Fifty sessions and one at once, of seventeen live jobs on two cards: each of them is
// counted where it runs, all publish, and none is left behind.
func TestFiftySessions(t *testing.T) {
	const jobs = 17
	on := twoL4(t)
	f, ladder := on.start(t), threeRungs(t)
	c := f.Client()
	awaitGPUs(t, c, 30*time.Second, "two GPUs are tried", inRoles("encode", "encode"))
	id := func(i int) string { return fmt.Sprintf("event-%02d", i) }
	for i := range jobs {
		on.submit(f, "live", "submit", "--id", id(i), "--input", "testcard:?size=256x144", "--ladder", ladder)
	}
	farm.Until(t, 4*time.Minute, "all jobs have published", func() bool { return allPublish(t, f, c, jobs, id) })
	found := awaitGPUs(t, c, 30*time.Second, "the drivers count their sessions", func(all []*galav1.DeviceView) bool { return sessionsInUse(all) == 3*jobs })
	for _, d := range found {
		if n := d.GetFigures().GetEncodeSessions(); n < 3*(jobs/2) || d.GetSessions() != n {
			t.Errorf("%s has %d sessions, the farm counts %d: want about half of %d on each, and the same", d.GetId(), n, d.GetSessions(), 3*jobs)
		}
	}
	for _, i := range []int{0, jobs / 2, jobs - 1} {
		verify(t, f, id(i))
	}
	for i := range jobs {
		f.Must("live", "stop", id(i))
	}
	for i := range jobs {
		if j := ended(t, f, c, id(i)); j.GetState() != galav1.JobState_JOB_STATE_DONE || j.GetAttempts() != 1 {
			t.Errorf("%s: %v after %d attempts: %s", id(i), j.GetState(), j.GetAttempts(), j.GetReason())
		}
	}
	awaitGPUs(t, c, 30*time.Second, "every session is closed", func(all []*galav1.DeviceView) bool { return len(all) == 2 && sessionsInUse(all) == 0 })
}

func allPublish(t *testing.T, f *farm.Farm, c *client.Client, jobs int, id func(int) string) bool {
	for i := range jobs {
		j := f.Job(c, id(i))
		if j.GetState() == galav1.JobState_JOB_STATE_FAILED {
			t.Fatalf("%s failed: %v", id(i), j.GetError())
		}
		if len(j.GetRenditions()) == 0 {
			return false
		}
		for _, r := range j.GetRenditions() {
			if r.GetSegments() < 6 { // a verifier wants six
				return false
			}
		}
	}
	return true
}

// users-ask 1: consumer cards allow eight sessions in a host, however many cards it
// has. The job that would be beyond them waits and says so, no session is refused by a
// driver, and the job starts when another has ended.
func TestSessionsOfConsumerCards(t *testing.T) {
	t.Parallel()
	twinLibraries(t)
	on := device{farm: []string{"--twin", "rtx4090:2"}, job: []string{"--cpu", "never"}}
	f, ladder := on.start(t), threeRungs(t)
	c := f.Client()
	awaitGPUs(t, c, 30*time.Second, "two GPUs are tried", inRoles("encode", "encode"))
	for _, id := range []string{"one", "two", "three"} {
		on.submit(f, "live", "submit", "--id", id, "--input", "testcard:?size=256x144", "--ladder", ladder)
		if id != "three" {
			segments(t, f, c, id, 1)
		}
	}
	const why = "needs 3 encoder sessions, 2 of 8 that consumer cards of its host have together are free"
	farm.Until(t, 30*time.Second, "the third job says what it waits for", func() bool { return strings.Contains(f.Job(c, "three").GetReason(), why) })
	_, found := gpus(t, c)
	if n := sessionsInUse(found); n > 8 {
		t.Errorf("%d sessions", n)
	}
	f.Must("live", "stop", "one")
	segments(t, f, c, "three", 6) // a verifier wants six
	verify(t, f, "three")
	for _, id := range []string{"two", "three"} {
		j := f.Job(c, id)
		if j.GetAttempts() != 1 {
			t.Errorf("%s: %d attempts; no session should have been refused: %v", id, j.GetAttempts(), j.GetEvents())
		}
		f.Must("live", "stop", id)
		ended(t, f, c, id)
	}
}

// A card that cannot encode leaves a job to the processor where its policy allows it:
// the job says so and why, wherever one looks. Where it does not, the job waits for a
// card and says that.
func TestTheProcessorInPlaceOfACard(t *testing.T) {
	t.Parallel()
	twinLibraries(t)
	f := farm.Start(t, "--twin", "h200:1")
	c := f.Client()
	found := awaitGPUs(t, c, 30*time.Second, "the card is tried", inRoles("decode-only"))
	f.Must("live", "submit", "--id", "allowed", "--input", "testcard:?size=256x144", "--ladder", "mini")
	f.Must("live", "submit", "--id", "never", "--input", "testcard:?size=256x144", "--ladder", "mini", "--cpu", "never")
	segments(t, f, c, "allowed", 1)
	said := "on no GPU: " + f.Job(c, "allowed").GetPlacements()[0].GetAgent() + "/" + found[0].GetId() + " role is decode-only, not encode"
	for _, place := range []string{"explain"} {
		if out := f.Must("live", place, "allowed"); !strings.Contains(out, said) {
			t.Errorf("gala live %s does not say %q:\n%s", place, said, out)
		}
	}
	waits := f.Job(c, "never")
	if waits.GetState() == galav1.JobState_JOB_STATE_RUNNING || !strings.Contains(waits.GetReason(), "role is decode-only") || !strings.Contains(waits.GetReason(), "cpu policy is never") {
		t.Errorf("%v: %s", waits.GetState(), waits.GetReason())
	}
	for _, id := range []string{"allowed", "never"} {
		f.Must("live", "stop", id)
		ended(t, f, c, id)
	}
}
