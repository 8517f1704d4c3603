//go:build cgo && linux

package gpu

import (
	"fmt"
	"path/filepath"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

const library = "libnvidia-ml.so.1"

// needed are the symbols used below. NVML is bound lazily: calling one that an
// old library lacks would end the process.
var needed = []string{
	"nvmlInit_v2", "nvmlShutdown", "nvmlErrorString", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2",
	"nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo", "nvmlSystemGetDriverVersion",
}

// query is one whole conversation with the driver; it may hang with it.
func query() Inventory { return queryAt(library) }

func queryAt(path string) Inventory {
	if reason := lacks(path, needed); reason != "" {
		return Inventory{Reason: reason}
	}
	lib := nvml.New(nvml.WithLibraryPath(path))
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return Inventory{Reason: unavailable(ret)}
	}
	defer lib.Shutdown()
	return inventory(lib)
}

// lacks says what a library is short of, "" for nothing.
func lacks(path string, symbols []string) string {
	name := filepath.Base(path)
	handle := dl.New(path, dl.RTLD_LAZY|dl.RTLD_LOCAL)
	if err := handle.Open(); err != nil {
		return "no NVIDIA driver: " + name + " was not found"
	}
	defer handle.Close()
	for _, symbol := range symbols {
		if err := handle.Lookup(symbol); err != nil {
			return "the NVIDIA driver is too old: its " + name + " lacks " + symbol
		}
	}
	return ""
}

func unavailable(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "no NVIDIA driver: " + library + " was not found"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "the NVIDIA driver is installed but not loaded"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "the NVIDIA driver in the kernel and its library are of different versions; after an update restart gala-agent, or reboot this host"
	default:
		return "the NVIDIA driver does not start: " + describe(ret)
	}
}

func describe(ret nvml.Return) string { return fmt.Sprintf("%s (NVML %d)", ret.Error(), int(ret)) }

func inventory(lib nvml.Interface) Inventory {
	var found Inventory
	found.Driver, _ = lib.SystemGetDriverVersion()
	n, ret := lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		found.Reason = "cannot count GPUs: " + describe(ret)
		return found
	}
	if n == 0 {
		found.Reason = "the NVIDIA driver sees no GPU"
	}
	for i := range n {
		g, _, err := device(lib, i)
		if err != nil {
			found.Reason = err.Error()
			continue
		}
		found.GPUs = append(found.GPUs, g)
	}
	return found
}

// device is known by its UUID or not at all: an index means another GPU after
// the next boot.
func device(lib nvml.Interface, index int) (GPU, nvml.Device, error) {
	d, ret := lib.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		return GPU{}, nil, fmt.Errorf("GPU %d: %s", index, describe(ret))
	}
	uuid, ret := d.GetUUID()
	if ret != nvml.SUCCESS {
		return GPU{}, nil, fmt.Errorf("GPU %d has no UUID: %s", index, describe(ret))
	}
	g := GPU{UUID: uuid, Model: "unknown NVIDIA GPU"}
	if name, ret := d.GetName(); ret == nvml.SUCCESS {
		g.Model = name
	}
	if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
		g.Memory = int64(m.Total)
	}
	return g, d, nil
}
