package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Meter measures load between its readings.
type Meter struct {
	busy, total int64
}

// Reading is one look at the machine.
type Reading struct {
	Load   float64 // 0..1 of all cores since the last reading
	Memory Memory
	OwnCPU int64 // microseconds since this process started
}

// Read fails only where /proc is missing.
func (m *Meter) Read() (Reading, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Reading{}, fmt.Errorf("read processor load: %w", err)
	}
	memory, err := ReadMemory()
	return Reading{Load: m.load(text), Memory: memory, OwnCPU: ownCPU()}, err
}

// load is the share of ticks since the last call that were not idle.
func (m *Meter) load(stat []byte) float64 {
	busy, total := ticks(stat)
	b, t := busy-m.busy, total-m.total
	first := m.total == 0
	m.busy, m.total = busy, total
	if first || t <= 0 {
		return 0
	}
	return min(1, max(0, float64(b)/float64(t)))
}

// ticks of the first line: user nice system idle iowait irq softirq steal.
// Guest time is already in user time.
func ticks(stat []byte) (busy, total int64) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	for i, f := range fields[min(1, len(fields)):min(9, len(fields))] {
		n, _ := strconv.ParseInt(string(f), 10, 64)
		total += n
		if i != 3 && i != 4 {
			busy += n
		}
	}
	return busy, total
}

// Usage of one process.
type Usage struct {
	CPU int64 // microseconds since it started
	RSS int64 // bytes
}

// ReadUsage of a process that is alive.
func ReadUsage(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	return usageIn(text)
}

// usageIn counts fields from the end of the name, which may hold anything.
// The kernel reports ticks of 1/100 s to user space on every architecture.
func usageIn(stat []byte) (Usage, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("process status of %d fields", len(fields))
	}
	var v [3]int64
	for i, field := range []int{11, 12, 21} {
		n, err := strconv.ParseInt(string(fields[field]), 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("process status: %w", err)
		}
		v[i] = n
	}
	return Usage{CPU: (v[0] + v[1]) * 10_000, RSS: v[2] * int64(os.Getpagesize())}, nil
}
