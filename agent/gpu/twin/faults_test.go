package twin

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

func discard(codec string) []string { return encode(codec, "-f", "null", "-") }

// The limit holds over all processes, with the status of older drivers and of
// newer ones, and a killed process gives its session back.
func TestSessionLimit(t *testing.T) {
	for _, code := range []int{OutOfMemory, IncompatibleClientKey} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			tw := devices(t, "l4")
			if err := tw.SetFaults(Fault{Kind: SessionsMax, Device: 0, Limit: 1, Code: code}); err != nil {
				t.Fatal(err)
			}
			first := start(t, tw, endless("h264_nvenc")...)
			first.encoding(t)
			refused(t, tw, fmt.Sprintf("OpenEncodeSessionEx failed: %s (%d)", map[int]string{10: "out of memory", 21: "incompatible client key"}[code], code),
				discard("h264_nvenc")...)
			if err := first.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = first.end(t)
			run(t, tw, discard("h264_nvenc")...)
		})
	}
}

// Consumer cards have one cap for the whole host; others have none.
func TestSessionCap(t *testing.T) {
	spec, err := Parse("rtx4090:2,l4")
	if err != nil {
		t.Fatal(err)
	}
	spec.SessionCap = 1
	tw := started(t, spec)
	first := start(t, tw, endless("h264_nvenc")...)
	first.encoding(t)
	refused(t, tw, "out of memory (10)", encode("h264_nvenc", "-gpu", "1", "-f", "null", "-")...)
	run(t, tw, encode("h264_nvenc", "-gpu", "2", "-f", "null", "-")...)
}

func TestFaultsFromTheStart(t *testing.T) {
	for _, c := range []struct {
		list, want string
		fault      Fault
	}{
		{"h200", "unsupported device (2)", Fault{}},
		{"l4", "unsupported device (2)", Fault{Kind: NoNVENC}},
		{"l4", "cuInit(0) failed -> CUDA_ERROR_NO_DEVICE", Fault{Kind: NoDevice, Device: AnyDevice}},
		{"l4", "Required: 12.1 Found: 12.0", Fault{Kind: APIMax, Device: AnyDevice, Version: Version{12, 0}}},
		{"l4", "CUDA_ERROR_UNKNOWN", Fault{Kind: Lost}},
		{"l4", "cuCtxCreate(&ctx->cu_context_internal, 0, cu_device) failed -> CUDA_ERROR_OUT_OF_MEMORY", Fault{Kind: MemoryMax, Limit: 1 << 20}},
		{"l4", "CreateBitstreamBuffer failed: out of memory (10): the device has no memory left", Fault{Kind: MemoryMax, Limit: 201 << 20}},
		{"l4", "cuInit(0) failed -> CUDA_ERROR_UNKNOWN", Fault{Kind: Init, Device: AnyDevice, Part: CUDA, Code: 999}},
		{"l4", "invalid device (4)", Fault{Kind: Init, Device: AnyDevice, Part: NVENC, Code: 4}},
	} {
		t.Run(c.list+" "+string(c.fault.Kind), func(t *testing.T) {
			tw := devices(t, c.list)
			if c.fault.Kind != "" {
				if err := tw.SetFaults(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			refused(t, tw, c.want, discard("h264_nvenc")...)
		})
	}
}

// Another card takes over when FFmpeg may choose, and the environment says
// which cards a process sees.
func TestChoiceOfDevice(t *testing.T) {
	tw := devices(t, "h200,l4")
	run(t, tw, discard("h264_nvenc")...)
	for device, works := range map[int]bool{0: false, 1: true} {
		t.Setenv("CUDA_VISIBLE_DEVICES", tw.spec.Devices[device].UUID)
		f := start(t, tw, discard("h264_nvenc")...)
		if err := f.end(t); (err == nil) != works {
			t.Errorf("device %d alone: %v, want success: %v\n%s", device, err, works, f.log.String())
		}
	}
}

// A card that falls off the bus takes its programs with it, and no other's.
func TestLostWhileRunning(t *testing.T) {
	tw := devices(t, "l4:2")
	first := start(t, tw, endless("h264_nvenc")...)
	second := start(t, tw, append([]string{}, replace(endless("h264_nvenc"), "-f", "-gpu", "1")...)...)
	first.encoding(t)
	second.encoding(t)
	if err := tw.SetFaults(Fault{Kind: Lost, Device: 0}); err != nil {
		t.Fatal(err)
	}
	if err := first.end(t); err == nil || !strings.Contains(first.log.String(), "generic error (20): EncodeAPI Internal Error.") {
		t.Errorf("%v\n%s", err, first.log.String())
	}
	// A report from before may be waiting; the one after it is new.
	second.encoding(t)
	second.encoding(t)
}

// replace puts more before the last occurrence of word.
func replace(args []string, word string, more ...string) []string {
	for i := len(args) - 1; i >= 0; i-- {
		if args[i] == word {
			return append(append(append([]string{}, args[:i]...), more...), args[i:]...)
		}
	}
	return args
}

// A fault on a schedule comes when it is due.
func TestSchedule(t *testing.T) {
	spec, err := Parse("l4")
	if err != nil {
		t.Fatal(err)
	}
	spec.Faults = []Fault{{Kind: Lost, Device: 0, After: 2 * time.Second}}
	tw := started(t, spec)
	begin := time.Now()
	f := start(t, tw, endless("h264_nvenc")...)
	if err := f.end(t); err == nil {
		t.Errorf("the fault never came:\n%s", f.log.String())
	}
	if took := time.Since(begin); took < 1900*time.Millisecond {
		t.Errorf("lost after %v, want 2s", took)
	}
}

// While a card hangs its programs wait; when it comes back they go on.
func TestHang(t *testing.T) {
	tw := devices(t, "l4")
	if err := tw.SetFaults(Fault{Kind: Hang, Device: 0, Part: NVENC}); err != nil {
		t.Fatal(err)
	}
	f := start(t, tw, discard("h264_nvenc")...)
	select {
	case err := <-f.done:
		t.Fatalf("ffmpeg ended: %v\n%s", err, f.log.String())
	case <-time.After(time.Second):
	}
	if err := tw.SetFaults(); err != nil {
		t.Fatal(err)
	}
	if err := f.end(t); err != nil {
		t.Errorf("%v\n%s", err, f.log.String())
	}
}

// What a killed process held of a card's memory is free again.
func TestMemoryComesBack(t *testing.T) {
	tw := devices(t, "l4")
	// Room for one process's context, and not for two.
	if err := tw.SetFaults(Fault{Kind: MemoryMax, Device: 0, Limit: 300 << 20}); err != nil {
		t.Fatal(err)
	}
	first := start(t, tw, endless("h264_nvenc")...)
	first.encoding(t)
	refused(t, tw, "CUDA_ERROR_OUT_OF_MEMORY", discard("h264_nvenc")...)
	if err := first.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.end(t)
	run(t, tw, discard("h264_nvenc")...)
}

// Fifty sessions at once on two cards. That they are at once is what one less
// proves, which is refused.
func TestFiftySessions(t *testing.T) {
	tw := devices(t, "l4:2")
	args := []string{"-f", "lavfi", "-i", card + ":duration=0.2"}
	for i := range 50 {
		args = append(args, "-map", "0", "-pix_fmt", "yuv420p", "-c:v", "h264_nvenc", "-gpu", fmt.Sprint(i%2), "-f", "null", "-")
	}
	limit := func(n int64) {
		if err := tw.SetFaults(Fault{Kind: SessionsMax, Device: AnyDevice, Limit: n, Code: OutOfMemory}); err != nil {
			t.Fatal(err)
		}
	}
	limit(25)
	run(t, tw, args...)
	limit(24)
	refused(t, tw, "out of memory (10)", args...)
}
