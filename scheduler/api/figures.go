package api

import (
	"slices"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
)

// addFigures shows beside each device what its driver told last.
func addFigures(a *galav1.AgentView, told fleet.Telemetry) {
	t, _ := told.GPUs.(*galav1.Telemetry)
	if t == nil {
		return
	}
	a.TelemetryAt, a.GpuTrouble = timeProto(told.At), t.GetGpuTrouble()
	for _, f := range t.GetGpus() {
		i := slices.IndexFunc(a.Devices, func(d *galav1.DeviceView) bool { return d.GetId() == f.GetId() })
		if i < 0 {
			a.Devices = append(a.Devices, &galav1.DeviceView{Id: f.GetId(), Model: f.GetModel(), Role: "unusable",
				RoleReason: "the agent does not offer it yet: it tries what it finds well"})
			i = len(a.Devices) - 1
		}
		a.Devices[i].Figures = f
	}
}
