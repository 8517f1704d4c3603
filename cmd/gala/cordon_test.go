package main

import (
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func TestCordonAndUncordon(t *testing.T) {
	address := stadium(t)
	for _, step := range []struct{ command, want string }{
		{"fleet cordon gpu-7/cpu", "gpu-7/cpu is cordoned: nothing new is placed there; `gala fleet uncordon gpu-7/cpu` opens it again"},
		{"fleet ls", "cpu 35.0% cordoned"},
		{"fleet cordon gpu-8 --reason disk", "gpu-8 is cordoned"},
		{"fleet show gpu-8", "cordoned for"},
		{"fleet show gpu-8", ": disk"},
		{"fleet ls", "away, cordoned"},
		{"fleet uncordon gpu-7/cpu", "gpu-7/cpu takes work again"},
		{"fleet drain gpu-7 --no-wait", "gpu-7 is being drained; `gala fleet show gpu-7` tells what is left"},
		{"fleet ls", "attached, draining"},
	} {
		if got := gala(t, address, strings.Fields(step.command)...); got.code != 0 || !strings.Contains(got.out, step.want) {
			t.Errorf("gala %s: %+v, want %q", step.command, got, step.want)
		}
	}
	if got := gala(t, address, "fleet", "drain", "nobody"); got.code == 0 || !strings.Contains(got.err, `no agent "nobody"`) {
		t.Errorf("an unknown agent: %+v", got)
	}
}

// The command waits until the device is empty, and says what is left and why.
func TestDrainSaysWhatIsLeft(t *testing.T) {
	cpu := &galav1.DeviceView{Id: "cpu", Role: "encode", Placed: 1}
	farm := &fakefarm.Farm{Agents: []*galav1.AgentView{{Name: "gpu-7", Connected: true, LastBeat: ago(time.Second), Assignments: []string{"derby-0", "other-0"},
		Devices: []*galav1.DeviceView{cpu, {Id: "GPU-1f", Role: "encode", Placed: 1}}}}}
	farm.Put(derby())
	twice := derby()
	twice.Spec.Id, twice.Reason = "cup", "runs on gpu-7/cpu and gpu-8/cpu"
	twice.Replicas = []*galav1.ReplicaView{
		{Number: 1, Reason: "runs on gpu-8/cpu", Placement: &galav1.PlacementView{Agent: "gpu-8", Device: "cpu"}},
		{Number: 2, Reason: "it stays there: gpu-8/cpu is on the host of replica 1", Placement: &galav1.PlacementView{Agent: "gpu-7", Device: "cpu"}},
	}
	farm.Put(twice)
	asked := 0
	farm.Refuse = func(method string) error {
		if strings.HasSuffix(method, "ListAgents") {
			if asked++; asked == 3 {
				farm.Agents[0].Devices[0].Placed = 0
			}
		}
		return nil
	}
	got := gala(t, farm.Serve(t), "fleet", "drain", "gpu-7/cpu")
	if got.code != 0 || got.out != "gpu-7/cpu is empty\n" || got.err != "cup, replica 2: it stays there: gpu-8/cpu is on the host of replica 1\nderby: 1 worker runs\n" || asked != 3 {
		t.Errorf("%+v after %d looks", got, asked)
	}
}

// Of an agent that is away nobody knows what runs there: what is placed there is
// waited for, and then it is not called empty.
func TestDrainOfAnAgentThatIsAway(t *testing.T) {
	farm := &fakefarm.Farm{Agents: []*galav1.AgentView{{Name: "gpu-7", LastBeat: ago(time.Minute)}}}
	job := derby()
	farm.Put(job)
	looks := 0
	farm.Refuse = func(method string) error {
		if strings.HasSuffix(method, "ListAgents") {
			if looks++; looks == 3 {
				moved := derby()
				moved.Placements[0].Agent = "gpu-8"
				farm.Put(moved)
			}
		}
		return nil
	}
	got := gala(t, farm.Serve(t), "fleet", "drain", "gpu-7")
	if got.code != 0 || !strings.HasPrefix(got.out, "nothing is placed on gpu-7, but its agent is away") || got.err != "derby: 1 worker runs\n" || looks != 3 {
		t.Errorf("%+v after %d looks", got, looks)
	}
}
