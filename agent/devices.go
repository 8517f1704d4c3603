package agent

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/host"
	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Roles of a device.
const (
	roleEncode   = "encode"
	roleUnusable = "unusable"
)

// priorPerCore is what one core is taken to encode, in pixels per second of
// the reference preset (x264 "veryfast", one decode and scale included), until
// this host is calibrated. A modest server core of the last ten years does
// more; `mini` at 25 frames per second (18.6 million pixels per second) fits
// three times on two cores by it, so twice with a browser beside it.
const priorPerCore = 30_000_000

// driverPatience bounds what a hanging driver may add to the start.
const driverPatience = 3 * time.Second

// Found is what a look at this host's devices found.
type Found struct {
	Devices   []*galav1.DeviceOffer
	Driver    string // of NVIDIA, "" for none
	GPUReason string // why there are no GPUs, or fewer than there could be
}

// Look finds what this host offers: the processor always, and its GPUs.
func Look(ctx context.Context, worker string, l supervisor.Limits) Found {
	slow, cancel := context.WithTimeout(ctx, driverPatience)
	defer cancel()
	gpus := gpu.List(slow)
	found := Found{Devices: []*galav1.DeviceOffer{cpu(ctx, worker, l)}, Driver: gpus.Driver, GPUReason: gpus.Reason}
	for _, g := range gpus.GPUs {
		found.Devices = append(found.Devices, gpuOffer(g))
	}
	return found
}

// cpu counts the cores that this process may use: affinity and a container's
// quota are in GOMAXPROCS.
func cpu(ctx context.Context, worker string, l supervisor.Limits) *galav1.DeviceOffer {
	cores := runtime.GOMAXPROCS(0)
	memory, _ := host.ReadMemory()
	offer := &galav1.DeviceOffer{
		Id: "cpu", Model: fmt.Sprintf("%s, %d cores", host.CPUModel(), cores), Role: roleEncode,
		EncodePixelsPerSecond: int64(cores) * priorPerCore,
		CapacitySource:        fmt.Sprintf("prior: %d cores × %d million pixels/s of preset veryfast; not calibrated", cores, priorPerCore/1_000_000),
		MemoryBytes:           memory.Total,
	}
	can, err := supervisor.Describe(ctx, worker, l)
	offer.Encoders = slices.DeleteFunc(can.Encoders, needsGPU)
	switch {
	case err != nil:
		return unusable(offer, err.Error())
	case len(offer.Encoders) == 0:
		return unusable(offer, "the worker program has no software encoder")
	}
	offer.RoleReason = "software encoders of FFmpeg " + can.FFmpeg
	return offer
}

func unusable(offer *galav1.DeviceOffer, reason string) *galav1.DeviceOffer {
	offer.Role, offer.RoleReason, offer.EncodePixelsPerSecond = roleUnusable, reason, 0
	return offer
}

// needsGPU tells the rows of the encoder table that the processor cannot run.
func needsGPU(encoder string) bool {
	return len(encoder) > 6 && encoder[len(encoder)-6:] == "_nvenc"
}

// gpuOffer claims nothing that was not tried.
func gpuOffer(g gpu.GPU) *galav1.DeviceOffer {
	return unusable(&galav1.DeviceOffer{Id: g.UUID, Model: g.Model, MemoryBytes: g.Memory},
		"not probed yet: no encode session was opened on it")
}
