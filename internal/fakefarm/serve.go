package fakefarm

import (
	"context"
	"slices"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func (f *Farm) SubmitLive(_ context.Context, r *galav1.SubmitLiveRequest) (*galav1.SubmitLiveResponse, error) {
	job, existed, err := f.submit(r.GetSpec())
	return &galav1.SubmitLiveResponse{Job: job, Existed: existed}, err
}

func (f *Farm) QueueVod(_ context.Context, r *galav1.QueueVodRequest) (*galav1.QueueVodResponse, error) {
	job, existed, err := f.submit(r.GetSpec())
	return &galav1.QueueVodResponse{Job: job, Existed: existed}, err
}

func (f *Farm) submit(spec *galav1.JobSpec) (*galav1.Job, bool, error) {
	if before, err := f.find(spec.GetId()); err == nil {
		if !proto.Equal(before.GetSpec(), spec) {
			return nil, false, status.Errorf(codes.AlreadyExists, "job %q exists with another spec", spec.GetId())
		}
		return before, true, nil
	}
	job := &galav1.Job{Spec: spec, State: galav1.JobState_JOB_STATE_ACCEPTED, Revision: 1}
	f.Put(job)
	if f.OnSubmit != nil {
		f.OnSubmit(job)
	}
	return job, false, nil
}

func (f *Farm) GetJob(_ context.Context, r *galav1.GetJobRequest) (*galav1.GetJobResponse, error) {
	job, err := f.find(r.GetId())
	return &galav1.GetJobResponse{Job: job}, err
}

func (f *Farm) ListJobs(_ context.Context, r *galav1.ListJobsRequest) (*galav1.ListJobsResponse, error) {
	return f.page(r), nil
}

func (f *Farm) CancelJob(_ context.Context, r *galav1.CancelJobRequest) (*galav1.CancelJobResponse, error) {
	job, err := f.move(r.GetId(), galav1.JobState_JOB_STATE_CANCELLED, r.GetReason())
	return &galav1.CancelJobResponse{Job: job}, err
}

func (f *Farm) RetryJob(_ context.Context, r *galav1.RetryJobRequest) (*galav1.RetryJobResponse, error) {
	job, err := f.move(r.GetId(), galav1.JobState_JOB_STATE_ACCEPTED, "retried")
	return &galav1.RetryJobResponse{Job: job}, err
}

func (f *Farm) move(id string, to galav1.JobState, reason string) (*galav1.Job, error) {
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	f.Change(id, func(j *galav1.Job) { j.State, j.Reason = to, reason })
	return f.find(id)
}

// ListJobEvents answers with the events of the job, numbered as they stand.
func (f *Farm) ListJobEvents(_ context.Context, r *galav1.ListJobEventsRequest) (*galav1.ListJobEventsResponse, error) {
	job, err := f.find(r.GetId())
	if err != nil {
		return nil, err
	}
	all := &galav1.ListJobEventsResponse{}
	for i, e := range job.GetEvents() {
		if e.Seq = uint64(i + 1); e.Seq > r.GetAfter() && len(all.Events) < 2 { // small pages: clients page
			all.Events = append(all.Events, e)
		}
	}
	return all, nil
}

func (f *Farm) ListAgents(context.Context, *galav1.ListAgentsRequest) (*galav1.ListAgentsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &galav1.ListAgentsResponse{Agents: slices.Clone(f.Agents)}, nil
}

func (f *Farm) Cordon(_ context.Context, r *galav1.CordonRequest) (*galav1.CordonResponse, error) {
	a, err := f.closed(r.GetAgent(), r.GetDevice(), &galav1.CordonView{Drain: r.GetDrain(), Reason: r.GetReason()})
	return &galav1.CordonResponse{Agent: a}, err
}

func (f *Farm) Uncordon(_ context.Context, r *galav1.UncordonRequest) (*galav1.UncordonResponse, error) {
	a, err := f.closed(r.GetAgent(), r.GetDevice(), nil)
	return &galav1.UncordonResponse{Agent: a}, err
}

// closed changes the cordon of an agent or a device.
func (f *Farm) closed(agent, device string, c *galav1.CordonView) (*galav1.AgentView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.Agents {
		if a.GetName() != agent {
			continue
		}
		a = proto.CloneOf(a)
		if device == "" {
			a.Cordon = c
		}
		for _, d := range a.GetDevices() {
			if d.GetId() == device {
				d.Cordon = c
			}
		}
		f.Agents[i] = a
		return a, nil
	}
	return nil, status.Errorf(codes.NotFound, "no agent %q", agent)
}

func (f *Farm) WatchJobs(r *galav1.WatchJobsRequest, stream grpc.ServerStreamingServer[galav1.WatchJobsResponse]) error {
	for _, id := range r.GetIds() {
		if _, err := f.find(id); err != nil {
			return err
		}
	}
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	f.count(1)
	defer f.count(-1)
	sent := map[string]uint64{}
	for {
		jobs, changed := f.snapshot(r.GetIds())
		running := 0
		for _, j := range jobs {
			if !ended(j) {
				running++
			}
			if sent[j.GetSpec().GetId()] == j.GetRevision() {
				continue
			}
			sent[j.GetSpec().GetId()] = j.GetRevision()
			if err := stream.Send(&galav1.WatchJobsResponse{Job: j}); err != nil {
				return err
			}
		}
		if r.GetUntilEnded() && running == 0 {
			return nil
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-changed:
		}
	}
}

func (f *Farm) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers += n
}

// snapshot is the matching jobs, and a channel that closes at the next change.
func (f *Farm) snapshot(ids []string) ([]*galav1.Job, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	var jobs []*galav1.Job
	for _, j := range f.jobs {
		if len(ids) == 0 || slices.Contains(ids, j.GetSpec().GetId()) {
			jobs = append(jobs, proto.CloneOf(j))
		}
	}
	return jobs, f.changed
}

func ended(j *galav1.Job) bool {
	switch j.GetState() {
	case galav1.JobState_JOB_STATE_DONE, galav1.JobState_JOB_STATE_FAILED, galav1.JobState_JOB_STATE_CANCELLED:
		return true
	}
	return false
}
