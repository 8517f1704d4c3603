// Package host reads what this machine is and how busy it is: processor,
// memory, and what single processes use. It reads /proc and changes nothing;
// it must not know workers or the scheduler link.
package host

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CPUModel is the processor's name, or its architecture where the kernel
// tells none.
func CPUModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	return modelIn(text)
}

func modelIn(cpuinfo []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(cpuinfo))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), ":")
		if found && (strings.TrimSpace(name) == "model name" || strings.TrimSpace(name) == "Model") {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return "unknown processor"
}

// Memory in bytes.
type Memory struct {
	Used, Total int64
}

// ReadMemory counts what cannot be had back as used.
func ReadMemory() (Memory, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return Memory{}, fmt.Errorf("read memory: %w", err)
	}
	total, available := kilobytes(text, "MemTotal:"), kilobytes(text, "MemAvailable:")
	return Memory{Used: (total - available) << 10, Total: total << 10}, nil
}

func kilobytes(meminfo []byte, name string) int64 {
	for line := range bytes.Lines(meminfo) {
		fields := bytes.Fields(line)
		if len(fields) >= 2 && string(fields[0]) == name {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return n
		}
	}
	return 0
}

// ownCPU is user and system time of this process, in microseconds.
func ownCPU() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}
