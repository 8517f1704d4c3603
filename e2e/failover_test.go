package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// playlist is the media playlist of a live job's first rendition.
func playlist(t *testing.T, f *farm.Farm, id string) string {
	t.Helper()
	lists, _ := filepath.Glob(filepath.Join(f.Data, "origin", id, "*", "media.m3u8"))
	if len(lists) == 0 {
		t.Fatalf("no playlists of %s", id)
	}
	text, err := os.ReadFile(lists[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// late counts the segments of a job that came late.
func late(job *galav1.Job) (n int64) {
	for _, r := range job.GetRenditions() {
		n += r.GetLateSegments()
	}
	return n
}

// keepsPace wants the job to publish as many segments as time passes.
func keepsPace(t *testing.T, f *farm.Farm, c *client.Client, id string, n int64) *galav1.Job {
	t.Helper()
	began, before := time.Now(), newest(f.Job(c, id))
	job := goesOn(t, f, c, id, before, n)
	// Segments of two seconds; the first one may have been all but there.
	if took, most := time.Since(began), time.Duration(n)*2*time.Second+3*time.Second; took > most {
		t.Errorf("%d segments took %v, want at most %v", n, took, most)
	}
	return job
}

// A source is stopped: segments keep coming on time, with the slate, also from a
// worker that takes over meanwhile; the playlist marks it. Then the source comes back.
func TestSlateKeepsAJobOnAir(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	port := freePort(t)
	send := func() func() {
		return sendClip(t, filepath.Join(farm.Media(t), "train_360p30.ts"), "-f", "mpegts", "udp://127.0.0.1:"+port+"?pkt_size=1316")
	}
	stop := send()
	f.Must("live", "submit", "--id", "away", "--ladder", "mini", "--input", "udp://127.0.0.1:"+port, "--slate-after", "1s", "--slate-text", "Back soon")
	segments(t, f, c, "away", 3)
	stop()
	farm.Until(t, 60*time.Second, "the slate is shown", func() bool { return f.Job(c, "away").GetOnAir().GetSlate() })
	keepsPace(t, f, c, "away", 5)
	if list := playlist(t, f, "away"); strings.Count(list, `CLASS="com.gala.slate"`) != 1 || strings.Contains(list, "END-DATE") {
		t.Errorf("the lapse is not marked as open:\n%s", list)
	}
	if out := f.Must("live", "show", "away"); !strings.Contains(out, "the slate is shown") {
		t.Errorf("show does not tell:\n%s", out)
	}

	signal(t, theWorker(t, f), syscall.SIGKILL)
	before := newest(f.Job(c, "away"))
	goesOn(t, f, c, "away", before, 5)
	keepsPace(t, f, c, "away", 3)
	if n := gaps(t, f, "away"); n > 0 {
		t.Errorf("%d segments are missing after the worker was killed while the source was away", n)
	}

	send()
	farm.Until(t, 60*time.Second, "the source is back", func() bool {
		job := f.Job(c, "away")
		return happened(job, "source_back") && !job.GetOnAir().GetLapse()
	})
	job := keepsPace(t, f, c, "away", 3)
	for _, kind := range []string{"source_lost", "slate_on"} {
		if !happened(job, kind) {
			t.Errorf("no event %s in %v", kind, job.GetEvents())
		}
	}
	if list := playlist(t, f, "away"); strings.Count(list, `CLASS="com.gala.slate"`) != 1 || strings.Count(list, "END-DATE") != 1 {
		t.Errorf("the lapse is not marked as over, once:\n%s", list)
	}
	if n := gaps(t, f, "away"); n > 0 {
		t.Errorf("%d segments are missing", n)
	}
	t.Logf("%d segments were late", late(job))

	// The ingest is killed: its worker goes on, and reads the next one.
	worker := theWorker(t, f)
	signal(t, theIngest(t, f), syscall.SIGKILL)
	keepsPace(t, f, c, "away", 4)
	farm.Until(t, 60*time.Second, "the source is back", func() bool { return !f.Job(c, "away").GetOnAir().GetLapse() })
	if theWorker(t, f) != worker {
		t.Error("the worker did not outlive its ingest")
	}
	if n := gaps(t, f, "away"); n > 0 {
		t.Errorf("%d segments are missing after the ingest was killed", n)
	}
	verify(t, f, "away")
	stopped(t, f, c, "away")
}

// Two encoders: the first is stopped and the backup takes over, in time; the
// operator goes back.
func TestBackupTakesOver(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	one, two := freePort(t), freePort(t)
	to := func(port string) []string {
		return []string{"-f", "mpegts", "udp://127.0.0.1:" + port + "?pkt_size=1316"}
	}
	first := filepath.Join(farm.Media(t), "train_360p30.ts")
	stop := sendClip(t, first, to(one)...)
	sendClip(t, filepath.Join(farm.Media(t), "bbb_360p25_rtmp.flv"), to(two)...)
	f.Must("live", "submit", "--id", "pair", "--ladder", "mini", "--input", "udp://127.0.0.1:"+one, "--backup", "udp://127.0.0.1:"+two)
	segments(t, f, c, "pair", 3)
	if n := len(f.Ingests()); n != 2 {
		t.Errorf("%d ingests, want one for each input", n)
	}
	onAir := func(name string) func() bool {
		return func() bool { return f.Job(c, "pair").GetOnAir().GetName() == name }
	}
	stop()
	farm.Until(t, 60*time.Second, "the backup is on air", onAir("backup-1"))
	job := keepsPace(t, f, c, "pair", 4)
	if !happened(job, "input_switched") {
		t.Errorf("events %v", job.GetEvents())
	}

	signal(t, theWorker(t, f), syscall.SIGKILL)
	goesOn(t, f, c, "pair", newest(f.Job(c, "pair")), 4)
	if !onAir("backup-1")() {
		t.Error("the successor did not stay with the backup")
	}

	sendClip(t, first, to(one)...)
	f.Must("live", "switch", "pair", "primary")
	farm.Until(t, 60*time.Second, "the primary is on air again", onAir("primary"))
	job = keepsPace(t, f, c, "pair", 3)
	if n := gaps(t, f, "pair"); n > 0 {
		t.Errorf("%d segments are missing", n)
	}
	for _, e := range job.GetEvents() {
		if e.GetKind() == "input_switched" {
			t.Log(fmt.Sprint(e.GetTime().AsTime().Format(time.TimeOnly), " ", e.GetCause(), ": ", e.GetEffect()))
		}
	}
	t.Logf("%d segments were late", late(job))
	verify(t, f, "pair")
	if out, code := f.Run("live", "switch", "pair", "backup-2"); code == 0 || !strings.Contains(out, "has no input backup-2") {
		t.Errorf("a switch to nowhere: exit %d: %s", code, out)
	}
	stopped(t, f, c, "pair")
}

// The first encoder is late: the job begins with the backup, and goes to the first
// input when that has been on air for as long as the policy asks.
func TestJobBeginsWithItsBackup(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	one, two := freePort(t), freePort(t)
	clip := filepath.Join(farm.Media(t), "train_360p30.ts")
	to := func(port string) []string {
		return []string{"-f", "mpegts", "udp://127.0.0.1:" + port + "?pkt_size=1316"}
	}
	sendClip(t, clip, to(two)...)
	f.Must("live", "submit", "--id", "late", "--ladder", "mini", "--input", "udp://127.0.0.1:"+one, "--backup", "udp://127.0.0.1:"+two, "--return", "3s")
	segments(t, f, c, "late", 3)
	if name := f.Job(c, "late").GetOnAir().GetName(); name != "backup-1" {
		t.Errorf("%q is on air, want the backup", name)
	}
	signal(t, theWorker(t, f), syscall.SIGKILL)
	goesOn(t, f, c, "late", newest(f.Job(c, "late")), 3)
	sendClip(t, clip, to(one)...)
	farm.Until(t, 60*time.Second, "the first input is on air", func() bool { return f.Job(c, "late").GetOnAir().GetName() == "primary" })
	goesOn(t, f, c, "late", newest(f.Job(c, "late")), 3)
	if n := gaps(t, f, "late"); n > 0 {
		t.Errorf("%d segments are missing", n)
	}
	verify(t, f, "late")
	stopped(t, f, c, "late")
}
