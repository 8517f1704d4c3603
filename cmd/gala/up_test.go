package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// farm is a `gala up` of the test's, with this test program as its agent.
type farm struct {
	Page, GRPC string
	stop       context.CancelFunc
	done       chan int
	out        *safeBuffer
	ready      string
}

// safeBuffer is written by the farm and read by the test.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// up starts a farm in dir and waits for its ready file.
func up(t *testing.T, dir string, args ...string) *farm {
	t.Helper()
	t.Setenv(envFakeAgent, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	f := &farm{stop: stop, done: make(chan int, 1), out: &safeBuffer{}, ready: filepath.Join(dir, "ready.json")}
	sh := &shell{ctx: ctx, out: f.out, err: f.out, now: time.Now}
	go func() {
		f.done <- run(sh, append([]string{"up", "--data", dir, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--ready-file", f.ready, "--agent", self}, args...))
	}()
	t.Cleanup(func() { f.end(t) })
	f.await(t)
	return f
}

func (f *farm) await(t *testing.T) {
	t.Helper()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case code := <-f.done:
			t.Fatalf("the farm ended with %d:\n%s", code, f.out)
		case <-tick.C:
		}
		if text, err := os.ReadFile(f.ready); err == nil {
			if err := json.Unmarshal(text, f); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// end stops the farm once, and is content with exit code 0 only.
func (f *farm) end(t *testing.T) {
	t.Helper()
	if f.stop == nil {
		return
	}
	f.stop()
	f.stop = nil
	if code := <-f.done; code != 0 {
		t.Errorf("the farm ended with %d:\n%s", code, f.out)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestUpServesAndStops(t *testing.T) {
	t.Setenv("PATH", "") // no redis-server
	f := up(t, t.TempDir())
	for path, want := range map[string]string{"": "<title>", "healthz": "ok", "readyz": "ok"} {
		if code, body := get(t, f.Page+path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("GET /%s: %d %.80q", path, code, body)
		}
	}
	if code, _ := get(t, f.Page+"origin/nobody/master.m3u8"); code != 404 {
		t.Errorf("an object that is not there: %d", code)
	}
	if got := gala(t, f.GRPC, "fleet", "ls"); !strings.Contains(got.out, "attached") {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"The farm is up: " + f.Page, "WITHOUT REDIS"} {
		if !strings.Contains(f.out.String(), want) {
			t.Errorf("no %q in\n%s", want, f.out)
		}
	}
	f.end(t)
	if _, err := os.Stat(f.ready); err == nil {
		t.Error("the ready file outlived the farm")
	}
	if !strings.Contains(f.out.String(), "fake agent was asked to stop") {
		t.Errorf("the agent was not asked to stop:\n%s", f.out)
	}
}

// Jobs are in our own redis-server's append-only file, also after it was killed.
func TestUpKeepsJobsOverARestart(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatalf("this test needs redis-server: %v: apt install redis-server", err)
	}
	dir := filepath.Join(t.TempDir(), "my data? 100%")
	f := up(t, dir)
	if got := gala(t, f.GRPC, "live", "submit", "--id", "kept", "--input", "testcard:", "--ladder", "mini"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	f.end(t)
	f = up(t, dir)
	c, err := client.Dial(f.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if job, err := c.Get(t.Context(), "kept"); err != nil || job.GetSpec().GetKind() != galav1.JobKind_JOB_KIND_LIVE {
		t.Errorf("job %v, error %v", job, err)
	}
}

func TestUpSaysWhatIsInItsWay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	t.Setenv("PATH", "")
	f := up(t, dir)
	tests := map[string][]string{
		"choose another --listen":      {"up", "--agent", "/bin/sh", "--data", t.TempDir(), "--listen", l.Addr().String(), "--grpc", "127.0.0.1:0"},
		"choose another --grpc":        {"up", "--agent", "/bin/sh", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--grpc", l.Addr().String()},
		"another `gala up` uses":       {"up", "--agent", "/bin/sh", "--data", dir, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"},
		"gala-agent is missing":        {"up", "--agent", "/no/such/agent"},
		"is redis-server running":      {"scheduler", "--redis", "redis://127.0.0.1:1", "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"},
		"missing flags: --redis=URL":   {"scheduler"},
		"missing flags: --root=DIR":    {"origin"},
		"stop what listens there":      {"origin", "--root", t.TempDir(), "--listen", l.Addr().String()},
		"no such ladder; built in are": {"ladder", "check", "nobody"},
	}
	// All that are named are checked, whatever is wrong with one.
	if got := gala(t, f.GRPC, "ladder", "check", "nobody", "hd", "nothing", "mini"); got.code == 0 || strings.Count(got.out, "is valid") != 2 ||
		!strings.Contains(got.err, "nobody") || !strings.Contains(got.err, "nothing") {
		t.Errorf("four ladders, two of them wrong: %+v", got)
	}
	for want, args := range tests {
		if got := gala(t, f.GRPC, args...); got.code == 0 || !strings.Contains(got.err, want) {
			t.Errorf("gala %s: %+v, want %q", strings.Join(args, " "), got, want)
		}
	}
}
