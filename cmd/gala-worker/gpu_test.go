package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/media"
)

// cards are a driver twin with the devices of a list.
func cards(t *testing.T, list string) (*twin.Twin, []twin.Device) {
	t.Helper()
	spec, err := twin.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return cardsOf(t, spec), spec.Devices
}

func cardsOf(t *testing.T, spec twin.Spec) *twin.Twin {
	t.Helper()
	libraries, err := filepath.Abs("../../build/twin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(libraries, "libcuda.so.1")); err != nil {
		t.Skipf("NO GPU IS TRIED HERE, not even one of the driver twin: %v; `make twin` builds it", err)
	}
	tw, err := twin.New(filepath.Join(t.TempDir(), "twin"), libraries, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tw.Close() })
	return tw
}

// try a device by the built program, for as long as ctx lasts.
func try(t *testing.T, ctx context.Context, tw *twin.Twin, uuid string) (media.GPUReport, error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary, "gpu", "--device", uuid, "--json")
	cmd.Env, cmd.Stderr = tw.Environment(os.Environ()), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return media.GPUReport{}, err
	}
	var r media.GPUReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Device != uuid {
		t.Errorf("the trial was of %q", r.Device)
	}
	return r, nil
}

func report(t *testing.T, tw *twin.Twin, uuid string) media.GPUReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := try(t, ctx, tw, uuid)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// found is a report in short: h264_nvenc/8, av1_nvenc/8:lacks.
func found(r media.GPUReport) string {
	var parts []string
	if r.Trouble != "" {
		parts = append(parts, string(r.Trouble))
	}
	for _, s := range r.Sessions {
		part := s.Encoder + "/8"
		if s.Depth == 10 {
			part = s.Encoder + "/10"
		}
		if s.Trouble != "" {
			part += ":" + string(s.Trouble)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// users-ask 3, 5 and 6: a real session of every encoder says what a card has, and
// each way in which one is refused has a name of its own. (The twin has no AV1.)
func TestGPUsAreTried(t *testing.T) {
	const first = "h264_nvenc/8:"
	for _, c := range []struct {
		name, list, want, says string
		fault                  twin.Fault
	}{
		{name: "a card that encodes", list: "l4", want: "h264_nvenc/8 hevc_nvenc/8 hevc_nvenc/10 av1_nvenc/8:lacks av1_nvenc/10:lacks", says: "not supported"},
		{name: "no NVENC", list: "h200", want: first + "no_nvenc", says: "unsupported device (2)"},
		{name: "NVENC withheld", list: "l4", want: first + "no_nvenc", fault: twin.Fault{Kind: twin.NoNVENC}},
		{name: "a limit of old drivers", list: "l4", want: first + "refused", says: "out of memory (10)", fault: twin.Fault{Kind: twin.SessionsMax, Code: twin.OutOfMemory}},
		{name: "a limit of new drivers", list: "l4", want: first + "refused", says: "(21)", fault: twin.Fault{Kind: twin.SessionsMax, Code: twin.IncompatibleClientKey}},
		{name: "no memory for a context", list: "l4", want: "no_memory", says: "CUDA_ERROR_OUT_OF_MEMORY", fault: twin.Fault{Kind: twin.MemoryMax, Limit: 1 << 20}},
		{name: "no memory for pictures", list: "l4", want: first + "no_memory", fault: twin.Fault{Kind: twin.MemoryMax, Limit: 201 << 20}},
		{name: "lost", list: "l4", want: "broken", says: "CUDA_ERROR_UNKNOWN", fault: twin.Fault{Kind: twin.Lost}},
		{name: "no device", list: "l4", want: "no_device", says: "CUDA_ERROR_NO_DEVICE", fault: twin.Fault{Kind: twin.NoDevice, Device: twin.AnyDevice}},
		{name: "an old driver", list: "l4", want: first + "old_driver", says: "Required: 12.1 Found: 12.0", fault: twin.Fault{Kind: twin.APIMax, Device: twin.AnyDevice, Version: twin.Version{Major: 12}}},
		{name: "an encoder that does not start", list: "l4", want: first + "broken", says: "(8)", fault: twin.Fault{Kind: twin.Init, Device: twin.AnyDevice, Part: twin.NVENC, Code: 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw, devices := cards(t, c.list)
			if c.fault.Kind != "" {
				if err := tw.SetFaults(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			r := report(t, tw, devices[0].UUID)
			if got := found(r); !strings.HasPrefix(got, c.want) {
				t.Errorf("found %q, want %q; %+v", got, c.want, r)
			}
			said := r.Said
			if n := len(r.Sessions); n > 0 {
				said = r.Sessions[n-1].Said
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("said %q, want %q in it", said, c.says)
			}
		})
	}
}

// The card that was named is tried, whatever its number is and whatever ails the others.
func TestTheGPUThatWasNamed(t *testing.T) {
	tw, devices := cards(t, "h200,l4:2")
	if err := tw.SetFaults(twin.Fault{Kind: twin.Lost, Device: 1}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"h264_nvenc/8:no_nvenc", "broken", "h264_nvenc/8 hevc_nvenc/8"} {
		if got := found(report(t, tw, devices[i].UUID)); !strings.HasPrefix(got, want) {
			t.Errorf("GPU %d: %s, want %s", i, got, want)
		}
	}
}

// users-ask 7: a driver that hangs holds its process up and nobody else; the process
// can be killed, and all is well when the driver is.
func TestAHungGPU(t *testing.T) {
	tw, devices := cards(t, "l4")
	for _, part := range []twin.Part{twin.CUDA, twin.NVENC} {
		if err := tw.SetFaults(twin.Fault{Kind: twin.Hang, Part: part}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := try(t, ctx, tw, devices[0].UUID)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) || err == nil {
			t.Errorf("%s hangs: the trial ended with %v", part, err)
		}
		cancel()
	}
	if err := tw.SetFaults(); err != nil {
		t.Fatal(err)
	}
	if got := found(report(t, tw, devices[0].UUID)); !strings.HasPrefix(got, "h264_nvenc/8 hevc_nvenc/8 hevc_nvenc/10") {
		t.Errorf("after it: %s", got)
	}
}
