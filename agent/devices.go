package agent

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/host"
	"github.com/galafarm/gala/agent/supervisor"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Roles of a device.
const (
	roleEncode     = "encode"
	roleDecodeOnly = "decode-only"
	roleUnusable   = "unusable"
)

// priorPerCore is what one core is taken to encode, in pixels per second of
// the reference preset (x264 "veryfast", one decode and scale included), until
// this host is calibrated. A modest server core of the last ten years does
// more; `mini` at 25 frames per second (18.6 million pixels per second) fits
// three times on two cores by it, so twice with a browser beside it.
const priorPerCore = 30_000_000

const (
	// driverPatience bounds what a hanging driver may add to the start.
	driverPatience = 3 * time.Second
	// lookPatience is for somebody who asks what a host offers.
	lookPatience = 35 * time.Second // beyond what a trial may take
)

// Found is what a look at this host's devices found.
type Found struct {
	Devices   []*galav1.DeviceOffer
	Driver    string // of NVIDIA, "" for none
	GPUReason string // why there are no GPUs, or fewer than there could be
}

// Look finds what this host offers: the processor always, and its GPUs, each of
// which is tried.
func Look(ctx context.Context, worker string, l supervisor.Limits) Found {
	inventory := listGPUs(ctx)
	all := newGPUs(cpu(ctx, worker, l), slog.New(slog.DiscardHandler), trialBy(worker, "", l), nil, nil)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.begin(ctx, inventory, lookPatience)
	return Found{Devices: all.offers(), Driver: inventory.Driver, GPUReason: inventory.Reason}
}

func listGPUs(ctx context.Context) gpu.Inventory {
	ctx, cancel := context.WithTimeout(ctx, driverPatience)
	defer cancel()
	return gpu.List(ctx)
}

// trialBy has each GPU tried by a process of the worker program.
func trialBy(worker string, cache supervisor.ComputeCache, l supervisor.Limits) func(context.Context, string) (media.GPUReport, error) {
	return supervisor.NewTrials(worker, cache, l).Try
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
