package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// The trial of a GPU is a process that sees that GPU alone, and whatever becomes of
// it is an answer in time.
func TestTryGPU(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "GPU-of-somebody-else")
	limits := Limits{GPU: 20 * time.Second}
	r, err := NewTrials(program, "", limits).Try(t.Context(), "GPU-1")
	if err != nil || r.Device != "GPU-1" || len(r.Sessions) != 1 || r.Sessions[0].Encoder != "h264_nvenc" {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = NewTrials(program, "/compute-cache", limits).Try(t.Context(), "GPU-cache")
	if err != nil || len(r.Sessions) != 1 || r.Sessions[0].Encoder != "/compute-cache" {
		t.Errorf("the driver's cache: %+v, %v", r, err)
	}
	for device, want := range map[string]string{
		"GPU-crash": "SIGSEGV", "GPU-mute": "read what the trial found", "GPU-other": `the trial was of "GPU-1"`,
	} {
		if _, err := NewTrials(program, "", limits).Try(t.Context(), device); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", device, err)
		}
	}
	limits.GPU = 500 * time.Millisecond
	if _, err := NewTrials(program, "", limits).Try(t.Context(), "GPU-hang"); !errors.Is(err, ErrGPUHangs) {
		t.Errorf("hangs: %v", err)
	}
	if _, err := NewTrials("/nonexistent", "", limits).Try(t.Context(), "GPU-1"); err == nil {
		t.Error("a program that is not there")
	}
}

// A trial that cannot be ended is the last one of its GPU until it ends.
func TestOneTrialOfAGPUThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processes, dies := atomic.Int32{}, make(chan struct{})
		all := NewTrials("", "", Limits{})
		all.run = func(context.Context, tool) (answer, error) {
			processes.Add(1)
			<-dies
			return answer{stdout: []byte(`{"device":"GPU-1"}`)}, nil
		}
		for n, want := range []string{"its process cannot even be killed", "an earlier trial", "an earlier trial"} {
			if _, err := all.Try(t.Context(), "GPU-1"); !errors.Is(err, ErrGPUHangs) || !strings.Contains(err.Error(), want) {
				t.Errorf("trial %d: %v", n, err)
			}
		}
		if n := processes.Load(); n != 1 {
			t.Errorf("%d processes", n)
		}
		close(dies)
		synctest.Wait()
		if r, err := all.Try(t.Context(), "GPU-1"); err != nil || r.Device != "GPU-1" || processes.Load() != 2 {
			t.Errorf("when it has died: %+v, %v, %d processes", r, err, processes.Load())
		}
	})
}

// CUDA reserves addresses by the hundred gigabyte; other tools are bounded.
func TestLimitsOfTools(t *testing.T) {
	for device, want := range map[string]int{"": 3, "GPU-1": 2} {
		if got := (tool{device: device, deadline: time.Second}).limits(); len(got) != want {
			t.Errorf("device %q: %v", device, got)
		}
	}
}

// users-ask 1: the device that placement chose is the one that a worker sees.
func TestAWorkerSeesItsGPU(t *testing.T) {
	b := newBench(t, t.TempDir(), quick())
	a := live("a", fakeworker.Script{})
	a.Device = "GPU-3"
	b.Start(a)
	b.awaitFrames(t, "a", 1)
	running := b.Running()
	if len(running) != 1 {
		t.Fatalf("running %v", running)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", running[0].PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CUDA_VISIBLE_DEVICES=GPU-3\x00", "CUDA_DEVICE_ORDER=PCI_BUS_ID\x00", "CUDA_CACHE_PATH=/compute-cache\x00"} {
		if !strings.Contains(string(environ), want) {
			t.Errorf("%q lacks %q", environ, want)
		}
	}
	b.Stop(&galav1.StopAssignment{Assignment: "a", Epoch: 1, Mode: galav1.StopMode_STOP_MODE_NOW})
	b.awaitOutcome(t, "a", 1)
}

// Kernels are kept for the agent's user alone, also where the directory was open before.
func TestComputeCache(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("open", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data/compute-cache", "open"} {
		cache, err := MakeComputeCache(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 || !filepath.IsAbs(string(cache)) {
			t.Errorf("%s is %s: %v, %v", dir, cache, info, err)
		}
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeComputeCache("file"); err == nil {
		t.Error("a file is no cache")
	}
}
