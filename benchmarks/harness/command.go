package harness

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Usage is what one program cost, with every descendant that it waited for.
type Usage struct {
	Wall   float64 `json:"wall_s"`
	User   float64 `json:"user_s"`
	System float64 `json:"system_s"`
	// Peak is the largest resident set of any one process of the tree.
	Peak int64 `json:"peak_rss_bytes"`
	// Private is the largest anonymous resident set of the program itself,
	// sampled: what it adds to a machine that runs another one like it.
	Private int64 `json:"peak_anonymous_bytes"`
	// Switches are voluntary context switches: how often a thread waited.
	Switches int64 `json:"voluntary_switches"`
}

// CPU is user and system time together.
func (u Usage) CPU() float64 { return u.User + u.System }

// Command is a program to measure.
type Command struct {
	Path string
	Args []string
	Dir  string
	Env  []string // beside this process's own
}

// tail is how much of what a program printed is shown when it fails.
const tail = 2000

// Measure runs a program to its end. The kernel's accounting at wait4 is read,
// so nothing is sampled and nothing is missed.
func Measure(ctx context.Context, c Command) (Usage, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(cmd.Environ(), c.Env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, err
	}
	private := sample(cmd.Process.Pid)
	err := cmd.Wait()
	wall, own := time.Since(began), private()
	if err != nil {
		return Usage{}, fmt.Errorf("%s: %w: %s", c.Path, err, last(out.Bytes()))
	}
	r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return Usage{}, fmt.Errorf("%s: no resource usage on this system", c.Path)
	}
	return Usage{
		Wall: wall.Seconds(), User: seconds(r.Utime), System: seconds(r.Stime),
		Peak: r.Maxrss << 10, Private: own, Switches: r.Nvcsw,
	}, nil
}

// sampleEvery is how often a program's memory is looked at.
const sampleEvery = 20 * time.Millisecond

// sample follows a process's anonymous memory until the returned function is
// called, which gives the most that was seen.
func sample(pid int) func() int64 {
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for seen := int64(0); ; {
			select {
			case <-tick.C:
				seen = max(seen, anonymous(pid))
			case <-done:
				most <- seen
				return
			}
		}
	}()
	return func() int64 { close(done); return <-most }
}

func last(b []byte) []byte {
	return b[max(0, len(b)-tail):]
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
