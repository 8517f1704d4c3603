//go:build cgo && linux

package gpu

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// twin builds the stand-in library; where cgo works, so does a C compiler.
func twin(t *testing.T, flags ...string) string {
	t.Helper()
	so := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	args := append([]string{"-shared", "-fPIC", "-o", so, "testdata/nvml.c"}, flags...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("build stand-in library: %v\n%s", err, out)
	}
	return so
}

func TestInventory(t *testing.T) {
	got := queryAt(twin(t))
	if got.Driver != "570.1-twin" || len(got.GPUs) != 1 {
		t.Fatalf("%+v", got)
	}
	if want := (GPU{UUID: "GPU-twin-0", Model: "NVIDIA Twin", Memory: 24 << 30}); got.GPUs[0] != want {
		t.Errorf("GPU %+v", got.GPUs[0])
	}
	if !strings.Contains(got.Reason, "GPU 1") || !strings.Contains(got.Reason, "GPU is lost") {
		t.Errorf("the lost GPU is passed over: %q", got.Reason)
	}
}

func TestDriversThatDoNotServe(t *testing.T) {
	tests := []struct{ library, reason string }{
		{filepath.Join(t.TempDir(), "libnvidia-ml.so.1"), "was not found"},
		{twin(t, "-DOLD"), "lacks nvmlDeviceGetMemoryInfo"},
	}
	for _, tt := range tests {
		if got := queryAt(tt.library); len(got.GPUs) != 0 || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%+v, want %q", got, tt.reason)
		}
	}
}

// Codes that need another first call of the library: a process binds it once.
func TestReasons(t *testing.T) {
	for ret, want := range map[nvml.Return]string{
		nvml.ERROR_DRIVER_NOT_LOADED:       "not loaded",
		nvml.ERROR_LIB_RM_VERSION_MISMATCH: "reboot",
		nvml.ERROR_UNKNOWN:                 "NVML 999",
	} {
		if got := unavailable(ret); !strings.Contains(got, want) {
			t.Errorf("%d: %q, want %q", ret, got, want)
		}
	}
}
