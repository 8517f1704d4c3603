// Package farm runs a whole farm for a test: the built binaries, real
// processes, a data directory of its own and free ports.
//
// It must not know what is being tested; it starts, asks, and ends everything
// it started.
package farm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Farm is a running `gala up`.
type Farm struct {
	Page string // http://127.0.0.1:PORT/
	GRPC string
	Data string

	t     testing.TB
	dir   string // of the programs
	cmd   *exec.Cmd
	ended chan struct{}
	log   string
}

// Binary is the path of a built program; the test fails when it is not built.
func Binary(t testing.TB, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root(t), "build"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run make build", path)
	}
	return path
}

// root is the top of the checkout.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// Media is the folder of real media; the test is skipped, loudly, without it.
func Media(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("GALA_MEDIA"), filepath.Join(root(t), "..", "shared", "media", "open")} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err == nil {
			return dir
		}
	}
	t.Skip("SKIPPED LOUDLY: no real media; set GALA_MEDIA to the folder with MANIFEST.tsv")
	return ""
}

// Start runs `gala up` with extra flags in a fresh data directory and waits
// until it can take jobs. It is stopped with the test.
func Start(t testing.TB, flags ...string) *Farm {
	t.Helper()
	return StartIn(t, t.TempDir(), flags...)
}

// Install puts the built programs into a directory, in the place of those that
// are there, as a package does: what runs goes on in the file that it was started from.
func Install(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"gala", "gala-agent", "gala-worker"} {
		text, err := os.ReadFile(Binary(t, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".new"), text, 0o755)
		}
		if err == nil {
			err = os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// StartIn is Start on a data directory that may have been used before.
func StartIn(t testing.TB, data string, flags ...string) *Farm {
	t.Helper()
	return StartFrom(t, filepath.Dir(Binary(t, "gala")), data, flags...)
}

// StartFrom is StartIn with the programs of a directory.
func StartFrom(t testing.TB, dir, data string, flags ...string) *Farm {
	t.Helper()
	f := &Farm{t: t, dir: dir, Data: data, ended: make(chan struct{}), log: filepath.Join(data, "up.log")}
	ready := filepath.Join(data, "ready.json")
	_ = os.Remove(ready)
	out, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"up", "--data", data, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--ready-file", ready}, flags...)
	f.cmd = exec.Command(filepath.Join(dir, "gala"), args...)
	f.cmd.Stdout, f.cmd.Stderr = out, out
	if err := f.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	f.await(ready)
	return f
}

// start runs the farm on a thread of its own, whose end tells the farm to stop:
// a test that runs out of time leaves nothing behind.
func (f *Farm) start() error {
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := f.cmd.Start()
		started <- err
		if err == nil {
			_ = f.cmd.Wait()
		}
		_ = f.cmd.Stdout.(*os.File).Close()
		close(f.ended)
	}()
	return <-started
}

func (f *Farm) await(ready string) {
	f.t.Helper()
	Until(f.t, 30*time.Second, "the farm is ready", func() bool {
		select {
		case <-f.ended:
			f.t.Fatalf("gala up ended:\n%s", f.Log())
		default:
		}
		text, err := os.ReadFile(ready)
		if err != nil {
			return false
		}
		var r struct{ Page, GRPC string }
		if json.Unmarshal(text, &r) != nil {
			return false
		}
		f.Page, f.GRPC = r.Page, r.GRPC
		return f.Page != ""
	})
}

// Stop asks the farm to end and waits; what does not end is killed and named.
func (f *Farm) Stop() {
	select {
	case <-f.ended:
		return
	default:
	}
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-f.ended:
	case <-time.After(30 * time.Second):
		f.t.Errorf("gala up did not end within 30 s of TERM:\n%s", f.Log())
		_ = f.cmd.Process.Kill()
		<-f.ended
	}
	if f.t.Failed() {
		f.t.Logf("log of the farm:\n%s", f.Log())
	}
}

// Kill ends the farm's own process as a crash would.
func (f *Farm) Kill() { _ = f.cmd.Process.Kill(); <-f.ended }

// PID of `gala up`.
func (f *Farm) PID() int { return f.cmd.Process.Pid }

// Log is the end of what the farm printed.
func (f *Farm) Log() string {
	text, _ := os.ReadFile(f.log)
	const most = 8 << 10
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}

// Run runs a gala command against the farm and returns what it printed and its
// exit code.
func (f *Farm) Run(args ...string) (stdout string, code int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(f.t, "gala"), args...)
	cmd.Env = append(os.Environ(), "GALA_FARM="+f.GRPC)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		f.t.Fatalf("gala %s: %v", strings.Join(args, " "), err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode()
}

// Must is Run for a command that has to succeed.
func (f *Farm) Must(args ...string) string {
	f.t.Helper()
	out, code := f.Run(args...)
	if code != 0 {
		f.t.Fatalf("gala %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// Origin is the URL of something below /origin/.
func (f *Farm) Origin(path string) string { return f.Page + "origin/" + path }

// Client dials the farm.
func (f *Farm) Client() *client.Client {
	f.t.Helper()
	c, err := client.Dial(f.GRPC)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Job is a job as it stands.
func (f *Farm) Job(c *client.Client, id string) *galav1.Job {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	j, err := c.Get(ctx, id)
	if err != nil {
		f.t.Fatalf("get %s: %v", id, err)
	}
	return j
}

// Until polls a condition; the test fails, saying what was waited for.
func Until(t testing.TB, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// Workers are the media processes of the farm by assignment: name and pid.
func (f *Farm) Workers() map[string]int { return processes("run", f.Data) }

// Ingests are those that hold its live sources.
func (f *Farm) Ingests() map[string]int { return processes("ingest", f.Data) }

// processes of a verb below a data directory.
func processes(verb, data string) map[string]int {
	out := map[string]int{}
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		text, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		args := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		if len(args) < 4 || !strings.HasSuffix(args[0], "gala-worker") || args[1] != verb || !strings.HasPrefix(args[3], data+"/") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(p, "/proc/%d/", &pid); err == nil {
			out[filepath.Base(args[3])] = pid
		}
	}
	return out
}

// Child is the pid of the program that `gala up` runs beside itself, 0 when
// none runs.
func (f *Farm) Child(program string) int {
	procs, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, p := range procs {
		text, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		name, pid, parent := "", 0, 0
		for line := range strings.Lines(string(text)) {
			_, _ = fmt.Sscanf(line, "Name: %s", &name)
			_, _ = fmt.Sscanf(line, "Pid: %d", &pid)
			_, _ = fmt.Sscanf(line, "PPid: %d", &parent)
		}
		if name == program && parent == f.PID() {
			return pid
		}
	}
	return 0
}
