package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a look at a running process.
type Process struct {
	PID, Parent int
	Name        string
	// CPU is its own time; Waited is that of the children it has waited for.
	CPU, Waited float64
	// Peak is its largest resident set so far.
	Peak int64
}

// Look reads a process from /proc.
func Look(pid int) (Process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("look at process: %w", err)
	}
	// The name stands in parentheses and may hold anything.
	open, shut := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	f := strings.Fields(string(text[shut+1:]))
	if open < 0 || len(f) < 15 {
		return Process{}, fmt.Errorf("look at process %d: unreadable", pid)
	}
	p := Process{PID: pid, Name: string(text[open+1 : shut]), CPU: ticks(f[11]) + ticks(f[12]), Waited: ticks(f[13]) + ticks(f[14])}
	p.Parent, _ = strconv.Atoi(f[1])
	p.Peak = status(pid, "VmHWM")
	return p, nil
}

// status is one amount of memory in a process's status, in bytes.
func status(pid int, key string) int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(table(fmt.Sprintf("/proc/%d/status", pid), ":")[key], " kB"), 10, 64)
	return kib << 10
}

func anonymous(pid int) int64 { return status(pid, "RssAnon") }

// Memory of a process, in bytes.
type Memory struct{ Resident, Proportional, Anonymous int64 }

// MemoryOf reads it from /proc; zero where that is not told.
func MemoryOf(pid int) Memory {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(table(fmt.Sprintf("/proc/%d/smaps_rollup", pid), ":")["Pss"], " kB"), 10, 64)
	return Memory{Resident: status(pid, "VmRSS"), Proportional: kib << 10, Anonymous: anonymous(pid)}
}

// Children are the running processes that pid started.
func Children(pid int) []Process {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	var out []Process
	for _, name := range names {
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if p, err := Look(id); err == nil && p.Parent == pid {
			out = append(out, p)
		}
	}
	return out
}
