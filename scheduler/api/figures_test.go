package api

import (
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
)

// What an agent tells of its GPUs stands beside the devices that it offered;
// one that came later is shown, and why it has no work.
func TestFiguresOfDevices(t *testing.T) {
	told := telemetryOf(&galav1.Telemetry{
		Gpus: []*galav1.DeviceFigures{
			{Id: "GPU-a", State: galav1.DeviceState_DEVICE_STATE_WELL},
			{Id: "GPU-late", Model: "NVIDIA L4 (driver twin)", State: galav1.DeviceState_DEVICE_STATE_LOST},
		},
		GpuTrouble: "GPU 3: GPU is lost (NVML 15)",
	})
	told.At = time.Unix(1_800_000_000, 0)
	a := &galav1.AgentView{Devices: []*galav1.DeviceView{{Id: "cpu"}, {Id: "GPU-a", Role: "encode"}}}
	addFigures(a, told)
	if len(a.Devices) != 3 || a.Devices[0].GetFigures() != nil || a.Devices[1].GetFigures().GetState() != galav1.DeviceState_DEVICE_STATE_WELL {
		t.Fatalf("%v", a)
	}
	if late := a.Devices[2]; late.GetRole() != "unusable" || late.GetRoleReason() == "" || late.GetModel() != "NVIDIA L4 (driver twin)" || late.GetFigures() == nil {
		t.Errorf("%v", late)
	}
	if a.GetTelemetryAt().GetSeconds() != 1_800_000_000 || a.GetGpuTrouble() != "GPU 3: GPU is lost (NVML 15)" {
		t.Errorf("%v", a)
	}
	none := &galav1.AgentView{Devices: []*galav1.DeviceView{{Id: "cpu"}}}
	addFigures(none, fleet.Telemetry{})
	addFigures(none, telemetryOf(&galav1.Telemetry{CpuLoad: 0.5}))
	if len(none.Devices) != 1 || none.GetTelemetryAt() != nil {
		t.Errorf("of a host that tells nothing of GPUs: %v", none)
	}
}
