package agent

import (
	"github.com/galafarm/gala/agent/supervisor"
	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// voice is what the link speaks for: who this agent is, what it holds, and
// where directives go.
type voice struct {
	cfg      Config
	instance string
	workers  *supervisor.Supervisor
	devices  *gpus
}

func (v *voice) Hello() *galav1.Hello {
	return &galav1.Hello{
		Name: v.cfg.Name, Instance: v.instance, Version: version.String(), Protocol: version.Protocol,
		Labels: v.cfg.Labels, Devices: v.devices.offers(), Held: v.workers.Held(),
		Sources: v.workers.Sources(),
	}
}

func (v *voice) Held() (assignments []string) {
	for _, lease := range v.workers.Held() {
		assignments = append(assignments, lease.GetAssignment())
	}
	return assignments
}

func (v *voice) Start(d *galav1.StartAssignment)       { v.workers.Start(d.GetAssignment()) }
func (v *voice) Stop(d *galav1.StopAssignment)         { v.workers.Stop(d) }
func (v *voice) Probe(d *galav1.ProbeRequest)          { v.workers.Probe(d) }
func (v *voice) Anchor(d *galav1.AnchorDecision)       { v.workers.SetAnchor(d) }
func (v *voice) Hold(d *galav1.HoldSource)             { v.workers.Hold(d) }
func (v *voice) Switch(d *galav1.SwitchInput)          { v.workers.Switch(d) }
func (v *voice) Delivered(assignment string, e uint64) { v.workers.Delivered(assignment, e) }
