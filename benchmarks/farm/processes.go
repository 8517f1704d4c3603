package farm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
	"golang.org/x/sys/unix"
)

// Process is one of the farm's. Role says what it is there for: "gala", "agent",
// "redis", "worker JOB" or "ingest JOB".
type Process struct {
	PID  int
	Role string
}

// Processes of the farm that run now, those among them that its agent has taken
// over from an agent before.
func (f *Farm) Processes() []Process {
	gala := f.cmd.Process.Pid
	all := []Process{{gala, "gala"}}
	for _, p := range harness.Children(gala) {
		switch p.Name {
		case "gala-agent":
			all = append(all, Process{p.PID, "agent"})
		case "redis-server":
			all = append(all, Process{p.PID, "redis"})
		}
	}
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline") // errs on a bad pattern only
	for _, name := range names {
		text, _ := os.ReadFile(name) // of a process that has ended: nothing
		args := strings.Split(string(text), "\x00")
		if i := slices.Index(args, "--dir"); len(args) > 2 && i > 0 && i+1 < len(args) && strings.HasPrefix(args[i+1], f.Data+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			all = append(all, Process{pid, mediaRole(args[1], args[i+1])})
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.PID, b.PID)) })
	return all
}

// mediaRole reads in a media process's directory which job it is there for.
func mediaRole(verb, dir string) string {
	role, file := verb, verb+".json"
	if verb == "run" {
		role, file = "worker", "assignment.json"
	}
	text, _ := os.ReadFile(filepath.Join(dir, file))
	var task struct {
		Job string `json:"job"`
	}
	_ = json.Unmarshal(text, &task) // of a process that is being started: no job
	return strings.TrimSpace(role + " " + task.Job)
}

// What a process may take to print its stacks, and how much of it is read.
const quitWithin, quitBytes = 10 * time.Second, 8 << 20

// Quit ends a process so that it prints the stacks of its goroutines, and
// returns what it printed.
func Quit(pid int) (string, error) {
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", pid))
	if err != nil {
		return "", fmt.Errorf("where process %d prints: %w", pid, err)
	}
	file, err := os.Open(to)
	if err != nil {
		return "", err
	}
	defer file.Close()
	before, err := file.Seek(0, 2)
	if err != nil {
		return "", err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, syscall.SIGQUIT, nil, 0); err != nil {
		return "", fmt.Errorf("signal process %d: %w", pid, err)
	}
	n, err := 0, error(unix.EINTR)
	for end := time.Now().Add(quitWithin); errors.Is(err, unix.EINTR); {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(end).Milliseconds()))
	}
	if n != 1 {
		return "", errors.Join(fmt.Errorf("process %d did not end within %v of SIGQUIT", pid, quitWithin), err)
	}
	text := make([]byte, quitBytes)
	n, _ = file.ReadAt(text, before) // what there is, up to so much
	return string(text[:n]), nil
}
