package rehearsal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one look at a running process.
type process struct {
	pid, parent int
	name        string
	args        []string
}

var errStarting = errors.New("it is starting")

// processes of this machine that can be read.
func processes() []process {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // errs on a bad pattern only
	var all []process
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if p, err := look(pid); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func look(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return process{}, err
	}
	// The name stands in parentheses and may hold anything.
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[max(shut, 0)+1:]))
	if open < 0 || len(fields) < 2 || fields[0] == "Z" {
		return process{}, errors.New("it has ended")
	}
	// For a moment in exec, and for a kernel's thread, there is no command line.
	if len(line) == 0 {
		return process{}, errStarting
	}
	p := process{pid: pid, name: string(stat[open+1 : shut]), args: strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")}
	p.parent, err = strconv.Atoi(fields[1])
	return p, err
}

// flag is the value of --name VALUE or --name=VALUE, "" without.
func (p process) flag(name string) string {
	for i, a := range p.args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
		if a == name && i+1 < len(p.args) {
			return p.args[i+1]
		}
	}
	return ""
}

// agentName is what an agent calls itself: as it was told, or as its host is called.
func (p process) agentName() string {
	if name := p.flag("--name"); name != "" {
		return name
	}
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid)) // another user's cannot be read
	for set := range strings.SplitSeq(string(env), "\x00") {
		if name, ok := strings.CutPrefix(set, "GALA_AGENT_NAME="); ok && name != "" {
			return name
		}
	}
	name, _ := os.Hostname()
	return name
}

// signal reaches this very process or none: the number is held while it is
// looked at once more.
func (p process) signal(s syscall.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return fmt.Errorf("%s (process %d): %w", p.name, p.pid, err)
	}
	defer unix.Close(fd)
	now, err := look(p.pid)
	if err != nil || !slices.Equal(now.args, p.args) {
		return fmt.Errorf("%s (process %d) has ended", p.name, p.pid)
	}
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil {
		return fmt.Errorf("signal %s (process %d): %w", p.name, p.pid, err)
	}
	return nil
}

// listener is the process that listens at a TCP port of this network namespace.
func listener(port int) (process, error) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, _ := os.ReadFile(table) // one family may be switched off
		listening(string(text), port, sockets)
	}
	if len(sockets) == 0 {
		return process{}, fmt.Errorf("nothing listens at port %d here", port)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	having := map[int]bool{}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && sockets[to] {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			having[pid] = true
		}
	}
	for pid := range having {
		// One that is just being forked has its parent's sockets for a moment.
		if p, err := look(pid); err == nil && !having[p.parent] {
			return p, nil
		}
	}
	return process{}, fmt.Errorf("the process that listens at port %d is another user's", port)
}

// listening finds the sockets in a table of the kernel's, as /proc/PID/fd names them.
func listening(table string, port int, found map[string]bool) {
	const stateListen = "0A"
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != stateListen {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			found["socket:["+f[9]+"]"] = true
		}
	}
}
