package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/galafarm/gala/agent/gpu/twin"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type fleetCmd struct {
	Ls   fleetLsCmd   `cmd:"" aliases:"list" help:"List hosts and what they carry."`
	Show fleetShowCmd `cmd:"" help:"One host: its devices and assignments."`

	Cordon   cordonCmd   `cmd:"" help:"Place nothing new on a host or device; what runs there stays."`
	Uncordon uncordonCmd `cmd:"" help:"Let a host or device take work again."`
	Drain    drainCmd    `cmd:"" help:"Cordon, and move what runs there elsewhere: live jobs at a segment boundary, without a gap."`
}

func (sh *shell) agents() ([]*galav1.AgentView, error) {
	farm, err := sh.farm()
	if err != nil {
		return nil, err
	}
	defer farm.Close()
	return farm.Agents(sh.ctx)
}

type fleetLsCmd struct{}

func (fleetLsCmd) Run(sh *shell) error {
	agents, err := sh.agents()
	if err != nil {
		return err
	}
	return printList(sh, "agents", agents, func() error {
		if len(agents) == 0 {
			fmt.Fprintln(sh.err, "No agent is attached. Start one on every host: gala-agent --scheduler HOST:PORT --name NAME")
			return nil
		}
		var rows [][]string
		for _, a := range agents {
			rows = append(rows, []string{
				a.GetName(), agentState(a), devicesLine(a), fmt.Sprint(len(a.GetAssignments())), age(sh.now(), a.GetLastBeat()), a.GetVersion(),
			})
		}
		return sh.columns("AGENT STATE DEVICES ASSIGNMENTS SEEN VERSION", rows)
	})
}

func agentState(a *galav1.AgentView) string {
	state := "away"
	if a.GetConnected() {
		state = "attached"
	}
	if c := a.GetCordon(); c != nil {
		state += ", " + cordonWord(c)
	}
	return state
}

func cordonWord(c *galav1.CordonView) string {
	if c.GetDrain() {
		return "draining"
	}
	return "cordoned"
}

// cordonLine is a cordon with its age and reason.
func (sh *shell) cordonLine(c *galav1.CordonView) string {
	line := fmt.Sprintf("%s for %s", cordonWord(c), age(sh.now(), c.GetSince()))
	if c.GetReason() != "" {
		line += ": " + c.GetReason()
	}
	return line
}

// devicesLine is each device with its load: "cpu 35.0%", "GPU-5c1b twin 2.0%".
func devicesLine(a *galav1.AgentView) string {
	var parts []string
	for _, d := range a.GetDevices() {
		load := percent(d.GetLoadPermille())
		if d.GetRole() != "encode" {
			load = d.GetRole()
		}
		if twin.Is(d.GetModel()) {
			load = "twin " + load
		}
		if s := d.GetFigures().GetState(); s > galav1.DeviceState_DEVICE_STATE_WELL {
			load += " " + deviceWord(s)
		}
		if c := d.GetCordon(); c != nil {
			load += " " + cordonWord(c)
		}
		parts = append(parts, d.GetId()+" "+load)
	}
	return dash(strings.Join(parts, ", "))
}

type fleetShowCmd struct {
	Agent string `arg:"" help:"Name of the host."`
}

func (c *fleetShowCmd) Run(sh *shell) error {
	agents, err := sh.agents()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(agents, func(a *galav1.AgentView) bool { return a.GetName() == c.Agent })
	if i < 0 {
		return &failure{exitFailed, fmt.Sprintf("no agent %q", c.Agent), "`gala fleet ls` lists the agents"}
	}
	return sh.print(agents[i], func() error { return sh.showAgent(agents[i]) })
}

func (sh *shell) showAgent(a *galav1.AgentView) error {
	rows := [][]string{
		{"agent", a.GetName()},
		{"state", fmt.Sprintf("%s, seen %s ago", agentState(a), age(sh.now(), a.GetLastBeat()))},
		{"version", a.GetVersion()},
	}
	for _, key := range slices.Sorted(maps.Keys(a.GetLabels())) {
		rows = append(rows, []string{"label", key + "=" + a.GetLabels()[key]})
	}
	if c := a.GetCordon(); c != nil {
		rows = append(rows, []string{"closed", sh.cordonLine(c)})
	}
	for _, id := range a.GetAssignments() {
		rows = append(rows, []string{"runs", id})
	}
	if why := a.GetGpuTrouble(); why != "" {
		rows = append(rows, []string{"GPUs", why})
	}
	for _, id := range a.GetSources() {
		rows = append(rows, []string{"holds the source of", id})
	}
	if err := sh.columns("", rows); err != nil {
		return err
	}
	fmt.Fprintln(sh.out)
	var devices [][]string
	for _, d := range a.GetDevices() {
		why := d.GetRoleReason()
		if d.GetRole() == "encode" && d.GetCapacitySource() != "" {
			why = strings.TrimPrefix(why+"; capacity: "+d.GetCapacitySource(), "; ")
		}
		if c := d.GetCordon(); c != nil {
			why = strings.TrimPrefix(why+"; "+sh.cordonLine(c), "; ")
		}
		devices = append(devices, []string{d.GetId(), d.GetModel(), d.GetRole(), percent(d.GetLoadPermille()), sessionsWord(d), encodersWord(d), dash(why)})
	}
	if err := sh.columns("DEVICE MODEL ROLE LOAD SESSIONS ENCODERS WHY", devices); err != nil {
		return err
	}
	return sh.showFigures(a)
}

// sessionsWord are the encoder sessions placed on a device, of how many there may be.
func sessionsWord(d *galav1.DeviceView) string {
	switch {
	case d.GetId() == "cpu" || d.GetRole() != "encode":
		return "-"
	case d.GetMaxSessions() == 0:
		return fmt.Sprint(d.GetSessions())
	case d.GetSessionsShared():
		return fmt.Sprintf("%d, host %d of %d", d.GetSessions(), d.GetSessionsOfHost(), d.GetMaxSessions())
	}
	return fmt.Sprintf("%d of %d", d.GetSessions(), d.GetMaxSessions())
}

// encodersWord are the encoders of a GPU, those with 10 bits marked.
func encodersWord(d *galav1.DeviceView) string {
	if d.GetId() == "cpu" {
		return "-"
	}
	all := slices.Clone(d.GetEncoders())
	for i, e := range all {
		if slices.Contains(d.GetTenBitEncoders(), e) {
			all[i] = e + "/10"
		}
	}
	return dash(strings.Join(all, ","))
}
