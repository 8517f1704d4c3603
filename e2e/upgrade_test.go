package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
)

// The procedure of docs/upgrade.md, under a job on air: the programs are replaced,
// each host is drained, restarted and opened again, then the farm itself is
// restarted. Nothing is missing, and at the end everything runs from the new files.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	farm.Install(t, dir)
	f := farm.StartFrom(t, dir, data)
	c := f.Client()
	f.Must("fleet", "cordon", own(t, c), "--reason", "it only keeps the farm")
	a := f.Host("a1")
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--wait")
	on(t, f, c, "gala", a)
	b := f.Host("b1")

	farm.Install(t, dir)
	for _, h := range []*farm.Host{b, a} {
		if out := f.Must("fleet", "drain", h.Name, "--reason", "upgrade"); !strings.Contains(out, h.Name+" is empty") {
			t.Errorf("gala fleet drain %s: %s", h.Name, out)
		}
		h.Stop()
		h.Start(f)
		f.Must("fleet", "uncordon", h.Name)
	}
	job := on(t, f, c, "gala", b)
	if job.GetAttempts() != 2 || !happened(job, "handed_over") {
		t.Errorf("%d attempts; events %v", job.GetAttempts(), job.GetEvents())
	}

	f.Stop()
	f = farm.StartFrom(t, dir, data, "--listen", strings.TrimSuffix(strings.TrimPrefix(f.Page, "http://"), "/"), "--grpc", f.GRPC)
	c = f.Client()
	farm.Until(t, 30*time.Second, "both hosts are attached again", func() bool {
		out, code := f.Run("fleet", "ls")
		return code == 0 && strings.Count(out, "attached") >= 3
	})
	job = goesOn(t, f, c, "gala", newest(f.Job(c, "gala")), 4)
	if hostOf(job) != "b1" || job.GetAttempts() != 2 {
		t.Errorf("on %s after %d attempts: the farm's restart moved it", hostOf(job), job.GetAttempts())
	}
	for _, pid := range append(append(a.Processes(), b.Processes()...), f.PID()) {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || filepath.Dir(exe) != dir || strings.Contains(exe, "deleted") {
			t.Errorf("process %d runs %s, %v", pid, exe, err)
		}
	}
	whole(t, f, "gala")
	verify(t, f, "gala")
	stopped(t, f, c, "gala")
}
