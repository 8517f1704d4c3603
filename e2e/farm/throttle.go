package farm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ErrNoCgroup: this machine lets the test make no control group for processors.
var ErrNoCgroup = errors.New("no control group for processors can be made here")

const (
	cgroupRoot = "/sys/fs/cgroup"
	period     = 100 * time.Millisecond // of the quota
)

// Throttle is a control group that holds one process to a part of a processor.
type Throttle struct {
	dir, parent string
	unified     bool // version 2
	pid         int
}

// NewThrottle puts a process, with all its threads, in a group of its own, without a
// limit as yet. It takes it out again when the test ends. It errs with ErrNoCgroup.
func NewThrottle(t testing.TB, pid int) (*Throttle, error) {
	t.Helper()
	x := &Throttle{parent: filepath.Join(cgroupRoot, "cpu"), pid: pid}
	if controllers, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.subtree_control")); err == nil {
		if !bytes.Contains(controllers, []byte("cpu")) {
			return nil, fmt.Errorf("%w: cgroup.subtree_control has %q", ErrNoCgroup, controllers)
		}
		x.parent, x.unified = cgroupRoot, true
	}
	dir, err := os.MkdirTemp(x.parent, "gala-test-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	x.dir = dir
	t.Cleanup(x.remove)
	if err := x.join(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	if err := x.Limit(0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	return x, nil
}

func (x *Throttle) join(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(x.pid)), 0)
}

func (x *Throttle) remove() {
	_ = x.join(x.parent) // it may have ended
	_ = os.Remove(x.dir)
}

// Limit holds the process to so many processors; 0 lifts the limit.
func (x *Throttle) Limit(processors float64) error {
	quota := strconv.FormatInt(max(1000, int64(processors*float64(period/time.Microsecond))), 10)
	if x.unified {
		if processors == 0 {
			quota = "max"
		}
		return os.WriteFile(filepath.Join(x.dir, "cpu.max"), fmt.Appendf(nil, "%s %d", quota, period/time.Microsecond), 0)
	}
	if processors == 0 {
		quota = "-1"
	}
	return os.WriteFile(filepath.Join(x.dir, "cpu.cfs_quota_us"), []byte(quota), 0)
}

// Used is the processor time of a process so far.
func Used(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold anything; utime and stime are the 14th and 15th.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
}
