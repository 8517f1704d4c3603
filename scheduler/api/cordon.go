package api

import (
	"context"
	"fmt"
	"slices"
	"sync"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/fleet"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Cordons writes what is closed to new work, and tells the fleet view. Of two
// that write at once the later one is told later too.
type Cordons struct {
	mu   sync.Mutex
	Tell func(context.Context, fleet.Event) error
	// Known are those of the fleet view, when it has taken all that it was told.
	Known func(context.Context) ([]fleet.Cordon, error)
}

// RestoreCordons writes back those that the store has lost.
func (f *Farm) RestoreCordons(ctx context.Context) error {
	f.Cordons.mu.Lock()
	defer f.Cordons.mu.Unlock()
	known, err := f.Cordons.Known(ctx)
	if err != nil {
		return err
	}
	kept, err := f.Store.Cordons(ctx)
	if err != nil {
		return fmt.Errorf("read the cordons: %w", err)
	}
	for _, c := range known {
		if slices.ContainsFunc(kept, func(k fleet.Cordon) bool { return k.Agent == c.Agent && k.Device == c.Device }) {
			continue
		}
		f.Log.Warn("the store has lost a cordon; it is written back", "agent", c.Agent, "device", c.Device)
		if err := f.Store.PutCordon(ctx, c); err != nil {
			return fmt.Errorf("write a cordon back: %w", err)
		}
	}
	return nil
}

// Cordon implements gala.v1.Farm.
func (f *Farm) Cordon(ctx context.Context, req *galav1.CordonRequest) (*galav1.CordonResponse, error) {
	a, err := f.agent(req.GetAgent(), req.GetDevice())
	if err != nil {
		return nil, err
	}
	f.Cordons.mu.Lock()
	defer f.Cordons.mu.Unlock()
	c := fleet.Cordon{Agent: req.GetAgent(), Device: req.GetDevice(), Drain: req.GetDrain(), Reason: req.GetReason(), Since: f.Now()}
	if err := f.Store.PutCordon(ctx, c); err != nil {
		return nil, rpcError(err)
	}
	if err := f.Cordons.Tell(ctx, fleet.Cordoned{Cordon: c}); err != nil {
		return nil, rpcError(err)
	}
	f.Log.Info("cordoned", "agent", c.Agent, "device", c.Device, "drain", c.Drain, "reason", c.Reason)
	return &galav1.CordonResponse{Agent: withCordon(a, c.Device, cordonProto(&c))}, nil
}

// Uncordon implements gala.v1.Farm.
func (f *Farm) Uncordon(ctx context.Context, req *galav1.UncordonRequest) (*galav1.UncordonResponse, error) {
	a, err := f.agent(req.GetAgent(), req.GetDevice())
	if err != nil {
		if !f.cordoned(ctx, req.GetAgent(), req.GetDevice()) {
			return nil, err
		}
		a = &galav1.AgentView{Name: req.GetAgent()} // it is away, and may come back open
	}
	if req.GetDevice() != "" && a.GetCordon() != nil {
		return nil, precondition("AGENT_CORDONED", "uncordon the agent", "agent %s is cordoned as a whole", a.GetName())
	}
	f.Cordons.mu.Lock()
	defer f.Cordons.mu.Unlock()
	if err := f.Store.DeleteCordons(ctx, req.GetAgent(), req.GetDevice()); err != nil {
		return nil, rpcError(err)
	}
	if err := f.Cordons.Tell(ctx, fleet.Uncordoned{Agent: req.GetAgent(), Device: req.GetDevice()}); err != nil {
		return nil, rpcError(err)
	}
	f.Log.Info("uncordoned", "agent", req.GetAgent(), "device", req.GetDevice())
	return &galav1.UncordonResponse{Agent: withCordon(a, req.GetDevice(), nil)}, nil
}

// agent is one that the farm knows, with that device if one is named.
func (f *Farm) agent(name, device string) (*galav1.AgentView, error) {
	agents := f.Board.Agents()
	i := slices.IndexFunc(agents, func(a *galav1.AgentView) bool { return a.GetName() == name })
	if i < 0 {
		return nil, problem{code: codes.NotFound, reason: "AGENT_NOT_FOUND", message: fmt.Sprintf("no agent %q is known", name), advice: "list the agents to see which there are"}.err()
	}
	if a := agents[i]; device == "" || slices.ContainsFunc(a.GetDevices(), func(d *galav1.DeviceView) bool { return d.GetId() == device }) {
		return a, nil
	}
	return nil, problem{code: codes.NotFound, reason: "DEVICE_NOT_FOUND", message: fmt.Sprintf("agent %s has no device %q", name, device), advice: "show the agent to see which it has"}.err()
}

// cordoned tells whether the store holds a cordon of an agent or, where one is
// named, of that device.
func (f *Farm) cordoned(ctx context.Context, agent, device string) bool {
	all, err := f.Store.Cordons(ctx)
	return err == nil && slices.ContainsFunc(all, func(c fleet.Cordon) bool { return c.Agent == agent && (device == "" || c.Device == device) })
}

// withCordon is an agent as it will be shown.
func withCordon(a *galav1.AgentView, device string, c *galav1.CordonView) *galav1.AgentView {
	a = proto.CloneOf(a)
	if device == "" {
		a.Cordon = c
	}
	for _, d := range a.GetDevices() {
		if d.GetId() == device || device == "" && c == nil {
			d.Cordon = c
		}
	}
	return a
}
