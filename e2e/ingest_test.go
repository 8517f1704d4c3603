package e2e

import (
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// ourFFmpeg is the program of our own build.
func ourFFmpeg(t *testing.T) string {
	t.Helper()
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO FFMPEG PROGRAM at %s: source tools/setup/env.sh to run this test", program)
	}
	return program
}

// sender sends a real clip to an address in real time, for ever.
func sender(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	return sendClip(t, filepath.Join(farm.Media(t), "svt_720p50_h264_aac.mkv"), args...)
}

// sendClip sends a file likewise. While nobody listens yet it tries again.
func sendClip(t *testing.T, clip string, args ...string) (stop func()) {
	t.Helper()
	program := ourFFmpeg(t)
	ctx, cancel := context.WithCancel(context.Background())
	args = append([]string{"-hide_banner", "-nostdin", "-loglevel", "quiet", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy"}, args...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = exec.CommandContext(ctx, program, args...).Run()
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// gaps counts the segments that the playlists of a live job list as missing.
func gaps(t *testing.T, f *farm.Farm, id string) int {
	t.Helper()
	lists, _ := filepath.Glob(filepath.Join(f.Data, "origin", id, "*", "media.m3u8"))
	if len(lists) == 0 {
		t.Fatalf("no playlists of %s", id)
	}
	n := 0
	for _, name := range lists {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(text), "#EXT-X-GAP")
	}
	return n
}

// An encoder pushes by SRT to a job that waits for it. The worker, then the
// agent, then the encoder itself is killed: the playlist never shows a gap.
func TestPushedSourceSurvives(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	port := freePort(t)
	f.Must("live", "submit", "--id", "push", "--ladder", "mini", "--input", "srt://127.0.0.1:"+port+"?mode=listener")
	farm.Until(t, 30*time.Second, "the job waits for its source", func() bool {
		job := f.Job(c, "push")
		return job.GetState() == galav1.JobState_JOB_STATE_WAITING && strings.Contains(job.GetReason(), "waits for its source")
	})
	stop := sender(t, "-f", "mpegts", "srt://127.0.0.1:"+port)
	before := segments(t, f, c, "push", 3)

	ingest := theIngest(t, f)
	signal(t, theWorker(t, f), syscall.SIGKILL)
	job := goesOn(t, f, c, "push", newest(before), 6)
	if !happened(job, "worker_crashed") || job.GetAttempts() != 2 {
		t.Errorf("%d attempts, events %v", job.GetAttempts(), job.GetEvents())
	}
	if theIngest(t, f) != ingest {
		t.Error("the ingest did not outlive the worker")
	}

	worker := theWorker(t, f)
	signal(t, f.Child("gala-agent"), syscall.SIGKILL)
	goesOn(t, f, c, "push", newest(job), 4)
	if theIngest(t, f) != ingest || theWorker(t, f) != worker {
		t.Error("the next agent did not adopt the ingest and its worker")
	}
	if n := gaps(t, f, "push"); n > 0 {
		t.Errorf("%d segments are missing after the worker and the agent were killed", n)
	}
	verify(t, f, "push")

	stop()
	last := newest(f.Job(c, "push"))
	sender(t, "-f", "mpegts", "srt://127.0.0.1:"+port)
	goesOn(t, f, c, "push", last, 6)
	if n := gaps(t, f, "push"); n > 0 {
		t.Errorf("%d segments are missing after the encoder came back", n)
	}
	verify(t, f, "push")
	stopped(t, f, c, "push")
	farm.Until(t, 60*time.Second, "the ingest of an ended job ends", func() bool { return len(f.Ingests()) == 0 })
}

func theIngest(t *testing.T, f *farm.Farm) int {
	t.Helper()
	ingests := slices.Collect(maps.Values(f.Ingests()))
	if len(ingests) != 1 {
		t.Fatalf("ingests %v, want one", f.Ingests())
	}
	return ingests[0]
}

// What one farm makes another follows: jobs pull the playlist and the manifest of
// a job, with its sound in a rendition of its own, and stand on that one's clock.
func TestListsAsSources(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "first", "--ladder", "mini", "--input", card)
	segments(t, f, c, "first", 4)
	pulled := map[string]string{"playlist": "master.m3u8", "manifest": "manifest.mpd"}
	for id, list := range pulled {
		f.Must("live", "submit", "--id", id, "--ladder", "mini", "--input", f.Origin("first")+"/"+list)
	}
	for id := range pulled {
		job := segments(t, f, c, id, 7) // a verifier wants six
		if source := job.GetSource(); len(source.GetVideo()) != 1 || len(source.GetAudio()) != 1 {
			t.Errorf("%s: the source is %v", id, source)
		}
		verify(t, f, id)
		if n := gaps(t, f, id); n > 0 {
			t.Errorf("%s: %d gaps", id, n)
		}
		// The pulled job's segments carry the numbers of the same moments.
		if ahead := newest(job) - newest(f.Job(c, "first")); ahead > 0 {
			t.Errorf("%s is %d segments ahead of what it follows", id, ahead)
		}
		stopped(t, f, c, id)
	}
	stopped(t, f, c, "first")
}
