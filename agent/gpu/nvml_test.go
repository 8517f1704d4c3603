//go:build cgo && linux

package gpu

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestNoDriver(t *testing.T) {
	got := queryAt(filepath.Join(t.TempDir(), "libnvidia-ml.so.1"))
	if len(got.GPUs) != 0 || !strings.Contains(got.Reason, "was not found") {
		t.Errorf("%+v", got)
	}
}

// A library that lacks what everything stands on is not called at all.
func TestADriverThatIsTooOld(t *testing.T) {
	path := filepath.Join(twinLibrary(t), library)
	if got := lacks(path, append(needed, "nvmlDeviceGetNothing")); !strings.Contains(got, "lacks nvmlDeviceGetNothing") {
		t.Errorf("%q", got)
	}
	if got := lacks(path, needed); got != "" {
		t.Errorf("%q", got)
	}
}

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
