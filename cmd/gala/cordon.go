package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// placeArg is an agent, or one of its devices.
type placeArg struct {
	Place string `arg:"" name:"agent" help:"Name of the host, or of one of its devices: AGENT/DEVICE." placeholder:"AGENT[/DEVICE]"`
}

func (p placeArg) split() (agent, device string) {
	agent, device, _ = strings.Cut(p.Place, "/")
	return agent, device
}

type cordonCmd struct {
	placeArg
	Reason string `help:"Why, for whoever asks later." placeholder:"TEXT"`
}

func (c *cordonCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	name, device := c.split()
	a, err := farm.Cordon(sh.ctx, name, device, false, c.Reason)
	if err != nil {
		return err
	}
	return sh.print(a, func() error {
		_, err := fmt.Fprintf(sh.out, "%s is cordoned: nothing new is placed there; `gala fleet uncordon %s` opens it again\n", c.Place, c.Place)
		return err
	})
}

type uncordonCmd struct {
	placeArg
}

func (c *uncordonCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	name, device := c.split()
	a, err := farm.Uncordon(sh.ctx, name, device)
	if err != nil {
		return err
	}
	return sh.print(a, func() error {
		_, err := fmt.Fprintf(sh.out, "%s takes work again\n", c.Place)
		return err
	})
}

type drainCmd struct {
	placeArg
	Reason string `help:"Why, for whoever asks later." placeholder:"TEXT"`
	Wait   bool   `help:"Return when it is empty; --no-wait returns at once." default:"true" negatable:""`
}

// Run drains, and waits until the place is empty, saying what is left and why.
// Interrupted, the drain goes on.
func (c *drainCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	name, device := c.split()
	a, err := farm.Cordon(sh.ctx, name, device, true, c.Reason)
	if err != nil {
		return err
	}
	says := fmt.Sprintf("%s is being drained; `gala fleet show %s` tells what is left", c.Place, name)
	if c.Wait {
		if a, err = c.await(sh, farm); err != nil {
			return err
		}
		says = c.emptied(a)
	}
	return sh.print(a, func() error {
		_, err := fmt.Fprintln(sh.out, says)
		return err
	})
}

// emptied says what is known of a place on which nothing is placed. An agent that
// is away cannot tell what its workers do; they are refused where jobs moved on.
func (c *drainCmd) emptied(a *galav1.AgentView) string {
	if a.GetConnected() {
		return c.Place + " is empty"
	}
	return fmt.Sprintf("nothing is placed on %s, but its agent is away: what may still run there cannot be told; look on the host, or drain again when `gala fleet ls` shows it attached", c.Place)
}

// drainEvery is how often the farm is asked what is left.
const drainEvery = 500 * time.Millisecond

// await is the agent once the place is empty; meanwhile it says what is left.
func (c *drainCmd) await(sh *shell, farm *client.Client) (*galav1.AgentView, error) {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for said := ""; ; {
		a, left, err := c.left(sh, farm)
		if err != nil || len(left) == 0 {
			return a, err
		}
		if now := strings.Join(left, "\n"); now != said {
			fmt.Fprintln(sh.err, now)
			said = now
		}
		select {
		case <-tick.C:
		case <-sh.ctx.Done():
			return nil, sh.ctx.Err()
		}
	}
}

// left are the jobs that are still there, each with what it says of itself; none
// when the place is empty.
func (c *drainCmd) left(sh *shell, farm *client.Client) (a *galav1.AgentView, left []string, err error) {
	name, device := c.split()
	agents, err := farm.Agents(sh.ctx)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(agents, func(a *galav1.AgentView) bool { return a.GetName() == name })
	if i < 0 {
		return nil, nil, &failure{exitFailed, fmt.Sprintf("agent %q is no longer known", name), "`gala fleet ls` lists the agents"}
	}
	// The view of an agent that is away is empty, whatever jobs are placed there.
	if a = agents[i]; a.GetConnected() && !occupied(a, device) {
		return a, nil, nil
	}
	for job, err := range farm.List(sh.ctx, client.Filter{}) {
		if err != nil {
			return nil, nil, err
		}
		if !client.Ended(job.GetState()) {
			left = append(left, stays(job, name, device)...)
		}
	}
	if len(left) == 0 && a.GetConnected() {
		left = []string{c.Place + ": its last workers end"}
	}
	return a, left, nil
}

// occupied tells whether something is placed on a device, or runs on an agent.
func occupied(a *galav1.AgentView, device string) bool {
	for _, d := range a.GetDevices() {
		if (device == "" || d.GetId() == device) && d.GetPlaced() > 0 {
			return true
		}
	}
	return device == "" && len(a.GetAssignments()) > 0
}

// stays is what a job says of each run that it has on an agent, or on its device.
func stays(job *galav1.Job, agent, device string) (lines []string) {
	there := func(p *galav1.PlacementView) bool {
		return p.GetAgent() == agent && (device == "" || p.GetDevice() == device)
	}
	id := job.GetSpec().GetId()
	for _, r := range job.GetReplicas() {
		if there(r.GetPlacement()) {
			lines = append(lines, fmt.Sprintf("%s, replica %d: %s", id, r.GetNumber(), r.GetReason()))
		}
	}
	if len(lines) == 0 && slices.ContainsFunc(job.GetPlacements(), there) {
		lines = []string{id + ": " + job.GetReason()}
	}
	return lines
}
