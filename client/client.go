package client

import (
	"context"
	"fmt"
	"iter"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Client talks to one farm. It is safe for concurrent use.
type Client struct {
	conn *grpc.ClientConn
	farm galav1.FarmClient
}

// New is a client on a connection that the caller made; Close closes it.
func New(conn *grpc.ClientConn) *Client {
	return &Client{conn: conn, farm: galav1.NewFarmClient(conn)}
}

// Close ends every call and watch of the client.
func (c *Client) Close() error { return c.conn.Close() }

// Submitted is the farm's answer to a new job.
type Submitted struct {
	Job *galav1.Job
	// Existed: the same job had been submitted before; nothing was changed.
	Existed bool
}

// SubmitLive puts a live job on air. The kind is filled in, paths are made
// absolute; spec is not changed.
func (c *Client) SubmitLive(ctx context.Context, spec *galav1.JobSpec) (Submitted, error) {
	spec, err := prepare(spec, galav1.JobKind_JOB_KIND_LIVE)
	if err != nil {
		return Submitted{}, err
	}
	r, err := c.farm.SubmitLive(ctx, &galav1.SubmitLiveRequest{Spec: spec})
	if err != nil {
		return Submitted{}, fmt.Errorf("submit live job %q: %w", spec.GetId(), err)
	}
	return Submitted{Job: r.GetJob(), Existed: r.GetExisted()}, nil
}

// QueueVod queues one file, as SubmitLive does a live job.
func (c *Client) QueueVod(ctx context.Context, spec *galav1.JobSpec) (Submitted, error) {
	spec, err := prepare(spec, galav1.JobKind_JOB_KIND_VOD)
	if err != nil {
		return Submitted{}, err
	}
	r, err := c.farm.QueueVod(ctx, &galav1.QueueVodRequest{Spec: spec})
	if err != nil {
		return Submitted{}, fmt.Errorf("queue VOD job %q: %w", spec.GetId(), err)
	}
	return Submitted{Job: r.GetJob(), Existed: r.GetExisted()}, nil
}

// prepare is the spec as the farm wants it.
func prepare(spec *galav1.JobSpec, kind galav1.JobKind) (*galav1.JobSpec, error) {
	spec = proto.CloneOf(spec)
	spec.Kind = kind
	var err error
	if spec.Input, err = Absolute(spec.Input); err != nil {
		return nil, err
	}
	if p := spec.GetProtection(); p.GetKeys() != "" {
		if p.Keys, err = Absolute(p.Keys); err != nil {
			return nil, err
		}
	}
	for _, list := range [][]string{spec.Backups, spec.Destinations} {
		for i := range list {
			if list[i], err = Absolute(list[i]); err != nil {
				return nil, err
			}
		}
	}
	return spec, nil
}

// Get is a job as it is now.
func (c *Client) Get(ctx context.Context, id string) (*galav1.Job, error) {
	r, err := c.farm.GetJob(ctx, &galav1.GetJobRequest{Id: id})
	if err != nil {
		return nil, fmt.Errorf("get job %q: %w", id, err)
	}
	return r.GetJob(), nil
}

// Filter says which jobs to list; the zero Filter lists all.
type Filter struct {
	Kind   galav1.JobKind
	States []galav1.JobState
	// PageSize is how many are fetched at once; 0 lets the farm choose.
	PageSize int32
}

// List yields jobs, newest first, fetching page by page. It ends after an error.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[*galav1.Job, error] {
	return func(yield func(*galav1.Job, error) bool) {
		req := &galav1.ListJobsRequest{Kind: f.Kind, States: f.States, PageSize: f.PageSize}
		for {
			r, err := c.farm.ListJobs(ctx, req)
			if err != nil {
				yield(nil, fmt.Errorf("list jobs: %w", err))
				return
			}
			for _, job := range r.GetJobs() {
				if !yield(job, nil) {
					return
				}
			}
			if req.PageToken = r.GetNextPageToken(); req.PageToken == "" {
				return
			}
		}
	}
}

// Cancel stops a live job after its open segment, a VOD job at once. An ended
// job is answered as it is.
func (c *Client) Cancel(ctx context.Context, id, reason string) (*galav1.Job, error) {
	r, err := c.farm.CancelJob(ctx, &galav1.CancelJobRequest{Id: id, Reason: reason})
	if err != nil {
		return nil, fmt.Errorf("cancel job %q: %w", id, err)
	}
	return r.GetJob(), nil
}

// Switch puts an input of a live job on air: 0 is its input, 1 its first backup.
func (c *Client) Switch(ctx context.Context, id string, input int) (*galav1.Job, error) {
	r, err := c.farm.SwitchInput(ctx, &galav1.SwitchInputRequest{Id: id, Input: uint32(input)})
	if err != nil {
		return nil, fmt.Errorf("switch job %q: %w", id, err)
	}
	return r.GetJob(), nil
}

// Retry puts a failed or cancelled VOD job back in the queue.
func (c *Client) Retry(ctx context.Context, id string) (*galav1.Job, error) {
	r, err := c.farm.RetryJob(ctx, &galav1.RetryJobRequest{Id: id})
	if err != nil {
		return nil, fmt.Errorf("retry job %q: %w", id, err)
	}
	return r.GetJob(), nil
}

// Events yields what happened to a job after the event with this number (0:
// from the first that the farm keeps), oldest first, fetching page by page. It
// ends when there are no later ones yet, and after an error.
func (c *Client) Events(ctx context.Context, id string, after uint64) iter.Seq2[*galav1.JobEvent, error] {
	return func(yield func(*galav1.JobEvent, error) bool) {
		for {
			r, err := c.farm.ListJobEvents(ctx, &galav1.ListJobEventsRequest{Id: id, After: after})
			if err != nil {
				yield(nil, fmt.Errorf("events of job %q: %w", id, err))
				return
			}
			if len(r.GetEvents()) == 0 {
				return
			}
			for _, e := range r.GetEvents() {
				if !yield(e, nil) {
					return
				}
				after = e.GetSeq()
			}
		}
	}
}

// Agents is the fleet as the scheduler sees it now.
func (c *Client) Agents(ctx context.Context) ([]*galav1.AgentView, error) {
	r, err := c.farm.ListAgents(ctx, &galav1.ListAgentsRequest{})
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return r.GetAgents(), nil
}

// Cordon closes an agent, or one of its devices, to new work; with drain, what
// runs there is moved away too.
func (c *Client) Cordon(ctx context.Context, agent, device string, drain bool, reason string) (*galav1.AgentView, error) {
	r, err := c.farm.Cordon(ctx, &galav1.CordonRequest{Agent: agent, Device: device, Drain: drain, Reason: reason})
	if err != nil {
		return nil, fmt.Errorf("cordon %s: %w", agent, err)
	}
	return r.GetAgent(), nil
}

// Uncordon opens an agent with all its devices, or one of them.
func (c *Client) Uncordon(ctx context.Context, agent, device string) (*galav1.AgentView, error) {
	r, err := c.farm.Uncordon(ctx, &galav1.UncordonRequest{Agent: agent, Device: device})
	if err != nil {
		return nil, fmt.Errorf("uncordon %s: %w", agent, err)
	}
	return r.GetAgent(), nil
}
