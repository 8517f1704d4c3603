package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// remoteOrigin is a `gala origin` of its own, which can die and come back at
// the same address with the same objects.
type remoteOrigin struct {
	t       *testing.T
	address string
	root    string
	cmd     *exec.Cmd
}

func startOrigin(t *testing.T) *remoteOrigin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &remoteOrigin{t: t, address: l.Addr().String(), root: t.TempDir()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.start()
	t.Cleanup(o.kill)
	return o
}

func (o *remoteOrigin) start() {
	o.t.Helper()
	o.cmd = exec.Command(farm.Binary(o.t, "gala"), "origin", "--listen", o.address, "--root", o.root)
	o.cmd.Stderr = os.Stderr
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	farm.Until(o.t, 60*time.Second, "the origin answers", func() bool {
		answer, err := http.Get(o.url("nothing"))
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	})
}

func (o *remoteOrigin) kill() { _ = o.cmd.Process.Kill(); _ = o.cmd.Wait() }

func (o *remoteOrigin) url(path string) string { return "http://" + o.address + "/origin/" + path }

func verifyAt(t *testing.T, f *farm.Farm, url string) {
	t.Helper()
	if out, code := f.Run("verify", url); code != 0 {
		t.Errorf("gala verify %s: exit %d\n%s", url, code, out)
	}
}

// The origin of a live job dies for some seconds: what it missed meanwhile
// waits, and the programme goes on there with no hole.
func TestLiveWhileItsOriginIsAway(t *testing.T) {
	t.Parallel()
	o := startOrigin(t)
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "clock", "--input", card, "--ladder", "mini") // tells how time passes
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--to", o.url(""))
	before := segments(t, f, c, "gala", 2)
	o.kill()
	goesOn(t, f, c, "clock", newest(segments(t, f, c, "clock", 1)), 3) // six seconds
	o.start()
	job := goesOn(t, f, c, "gala", newest(before), 7)
	if job.GetAttempts() != before.GetAttempts() {
		t.Errorf("%d attempts: the worker did not outlive its origin", job.GetAttempts())
	}
	verifyAt(t, f, o.url("gala"))
	stopped(t, f, c, "gala")
	verifyAt(t, f, o.url("gala"))
	stopped(t, f, c, "clock")
}

// A file waits for its origin and loses nothing.
func TestFileWhileItsOriginIsAway(t *testing.T) {
	t.Parallel()
	o := startOrigin(t)
	f := farm.Start(t)
	c := f.Client()
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "--to", o.url(""), clip)
	segments(t, f, c, "clip", 2)
	o.kill()
	f.Must("live", "submit", "--id", "clock", "--input", card, "--ladder", "mini")
	segments(t, f, c, "clock", 2)
	if job := f.Job(c, "clip"); job.GetEndedAt() != nil {
		t.Fatalf("the clip ended without its origin: %v %s", job.GetState(), job.GetReason())
	}
	o.start()
	done(t, f, c, "clip")
	for name, n := range countSegments(t, filepath.Join(o.root, "clip")) {
		if n != clipSegments {
			t.Errorf("%s has %d segments, want %d", name, n, clipSegments)
		}
	}
	verifyAt(t, f, o.url("clip"))
	stopped(t, f, c, "clock")
}

// A directory that cannot be written to fails the job in words.
func TestDestinationThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := farm.Start(t)
	c := f.Client()
	for id, dest := range map[string]string{"file": filepath.Join(file, "below"), "proc": "/proc/gala"} {
		f.Must("vod", "queue", "--id", id, "--ladder", "mini", "--to", dest, "testcard:?size=320x240&duration=2s")
		job := ended(t, f, c, id)
		e := job.GetError()
		if job.GetState() != galav1.JobState_JOB_STATE_FAILED || e.GetCode() != "sink_error" || !strings.Contains(e.GetMessage(), dest) || e.GetAdvice() == "" {
			t.Errorf("%s: %v with %v, want a sink_error that names the directory, with advice", dest, job.GetState(), e)
		}
		if job.GetAttempts() != 1 {
			t.Errorf("%s: %d attempts at what cannot work", dest, job.GetAttempts())
		}
	}
}

// What is readable in a destination is readable by whoever serves it.
func TestDirectoryDestination(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "www")
	f := farm.Start(t)
	c := f.Client()
	f.Must("vod", "queue", "--id", "card", "--ladder", "mini", "--to", dir, "testcard:?size=320x240&duration=8s", "--wait")
	done(t, f, c, "card")
	verifyAt(t, f, filepath.Join(dir, "card"))
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err == nil && st.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s has mode %v: a web server could not read it", path, st.Mode())
		}
		if strings.Contains(e.Name(), "tmp") {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
