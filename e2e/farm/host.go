package farm

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Host is a further agent of a farm, as another machine would run it: with a data
// directory, workers and ingests of its own.
type Host struct {
	Name string
	Data string

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{}
}

// Host starts gala-agent with extra flags and waits until it is attached. What it
// started is killed with the test.
func (f *Farm) Host(name string, flags ...string) *Host {
	f.t.Helper()
	h := &Host{Name: name, Data: f.t.TempDir(), t: f.t}
	f.t.Cleanup(h.Kill)
	h.Start(f, flags...)
	return h
}

// Start the agent, again where it was killed.
func (h *Host) Start(f *Farm, flags ...string) {
	h.t.Helper()
	out, err := os.OpenFile(filepath.Join(h.Data, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	h.cmd = exec.Command(filepath.Join(f.dir, "gala-agent"), append([]string{"--scheduler", f.GRPC, "--name", h.Name, "--data", h.Data}, flags...)...)
	h.cmd.Stdout, h.cmd.Stderr = out, out
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	h.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() { // its thread lasts as long as it does
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := h.cmd.Start()
		started <- err
		if err == nil {
			_ = h.cmd.Wait()
		}
		_ = out.Close()
		close(h.ended)
	}()
	if err := <-started; err != nil {
		h.t.Fatal(err)
	}
	Until(h.t, 30*time.Second, h.Name+" is attached", func() bool {
		out, code := f.Run("fleet", "show", h.Name)
		return code == 0 && strings.Contains(out, "attached")
	})
}

// Processes are the agent, its workers and its ingests.
func (h *Host) Processes() []int {
	pids := []int{h.cmd.Process.Pid}
	for _, verb := range []string{"run", "ingest"} {
		for _, pid := range processes(verb, h.Data) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Workers are its media processes by assignment and epoch.
func (h *Host) Workers() map[string]int { return processes("run", h.Data) }

// Ingests are those that hold live sources here.
func (h *Host) Ingests() map[string]int { return processes("ingest", h.Data) }

// Freeze stops everything on the host in the middle of what it does; to the
// farm it is cut off.
func (h *Host) Freeze() { h.signal(syscall.SIGSTOP) }

// Thaw lets it go on, as if nothing had happened.
func (h *Host) Thaw() { h.signal(syscall.SIGCONT) }

// Stop asks the agent to end, as its service manager would, and waits.
func (h *Host) Stop() {
	h.t.Helper()
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended:
	case <-time.After(30 * time.Second):
		h.t.Errorf("the agent %s did not end within 30 s of TERM:\n%s", h.Name, h.Log())
		h.Kill()
	}
}

// Kill ends everything on the host as a power cut would.
func (h *Host) Kill() {
	h.signal(syscall.SIGKILL)
	<-h.ended
	h.signal(syscall.SIGKILL) // what the agent started meanwhile
}

func (h *Host) signal(s syscall.Signal) {
	for _, pid := range h.Processes() {
		_ = syscall.Kill(pid, s) // it may have ended by itself
	}
}

// Log is what the agent printed.
func (h *Host) Log() string {
	text, _ := os.ReadFile(filepath.Join(h.Data, "agent.log"))
	return string(text)
}
