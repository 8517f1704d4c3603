package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/grpc/codes"
)

// Farm is the service for clients.
type Farm struct {
	galav1.UnimplementedFarmServer
	Store store.Store
	Board *Board
	Rules Rules
	Now   func() time.Time
	Log   *slog.Logger
	// Cordons has its Tell set.
	Cordons Cordons
}

// SubmitLive implements gala.v1.Farm.
func (f *Farm) SubmitLive(ctx context.Context, req *galav1.SubmitLiveRequest) (*galav1.SubmitLiveResponse, error) {
	p, existed, err := f.submit(ctx, req.GetSpec(), job.Live)
	if err != nil {
		return nil, err
	}
	return &galav1.SubmitLiveResponse{Job: p, Existed: existed}, nil
}

// QueueVod implements gala.v1.Farm.
func (f *Farm) QueueVod(ctx context.Context, req *galav1.QueueVodRequest) (*galav1.QueueVodResponse, error) {
	p, existed, err := f.submit(ctx, req.GetSpec(), job.VOD)
	if err != nil {
		return nil, err
	}
	return &galav1.QueueVodResponse{Job: p, Existed: existed}, nil
}

// submit is idempotent by id: the record that exists answers for the same wish.
func (f *Farm) submit(ctx context.Context, asked *galav1.JobSpec, kind job.Kind) (*galav1.Job, bool, error) {
	spec := specOf(asked)
	spec.Kind = kind
	outputs, notes, err := f.Rules.check(spec)
	if err != nil {
		return nil, false, err
	}
	now := f.Now()
	j := job.Job{Spec: spec, State: job.Accepted, Reason: "its source will be looked at next",
		Created: now, Updated: now, Outputs: outputs, Notes: notes}
	j.Record(now, "accepted", string(kind)+" job submitted", "waiting to be probed")
	created, err := f.Store.Create(ctx, j)
	switch {
	case errors.Is(err, store.ErrExists):
		return f.existing(created, spec)
	case err != nil:
		return nil, false, rpcError(err)
	}
	f.Log.Info("job accepted", "job", spec.ID, "kind", kind, "input", input.Display(spec.Input))
	return Present(created, nil), false, nil
}

func (f *Farm) existing(have job.Job, spec job.Spec) (*galav1.Job, bool, error) {
	fields := have.Spec.Diff(spec)
	if len(fields) == 0 || have.Recovered && have.Spec.Kind == spec.Kind && have.Spec.Input == spec.Input {
		return f.Board.Show(have), true, nil
	}
	named := strings.Join(fields, ", ")
	return nil, false, problem{
		code: codes.AlreadyExists, reason: "JOB_EXISTS",
		message: fmt.Sprintf("job %s exists with another %s", spec.ID, named),
		advice:  "submit it under another id, or with the spec it has",
		meta:    map[string]string{"id": spec.ID, "fields": named, "state": string(have.State)},
	}.err()
}

// GetJob implements gala.v1.Farm.
func (f *Farm) GetJob(ctx context.Context, req *galav1.GetJobRequest) (*galav1.GetJobResponse, error) {
	j, err := f.Store.Get(ctx, req.GetId())
	if err != nil {
		return nil, rpcError(err)
	}
	return &galav1.GetJobResponse{Job: f.Board.Show(j)}, nil
}

// CancelJob implements gala.v1.Farm: it writes the wish, and the reconciler
// carries it out.
func (f *Farm) CancelJob(ctx context.Context, req *galav1.CancelJobRequest) (*galav1.CancelJobResponse, error) {
	j, err := f.change(ctx, req.GetId(), func(j *job.Job) (bool, error) {
		if j.State.Ended() || j.Stop != nil {
			return false, nil
		}
		j.Stop = &job.Stop{At: f.Now(), Reason: req.GetReason()}
		j.Record(f.Now(), "stop_requested", "the client asked", req.GetReason())
		return true, nil
	})
	if err != nil {
		return nil, rpcError(err)
	}
	return &galav1.CancelJobResponse{Job: f.Board.Show(j)}, nil
}

// RetryJob implements gala.v1.Farm.
func (f *Farm) RetryJob(ctx context.Context, req *galav1.RetryJobRequest) (*galav1.RetryJobResponse, error) {
	j, err := f.change(ctx, req.GetId(), func(j *job.Job) (bool, error) {
		switch {
		case j.Live():
			return false, precondition("JOB_IS_LIVE", "submit it again under a new id", "job %s is live and cannot be queued again", j.Spec.ID)
		case j.State != job.Failed && j.State != job.Cancelled:
			return false, precondition("JOB_NOT_ENDED", "only a failed or cancelled job can be tried again", "job %s is %s", j.Spec.ID, j.State)
		}
		j.Requeue(f.Now())
		return true, nil
	})
	if err != nil {
		return nil, rpcError(err)
	}
	return &galav1.RetryJobResponse{Job: f.Board.Show(j)}, nil
}

func precondition(reason, advice, format string, args ...any) error {
	return problem{code: codes.FailedPrecondition, reason: reason, message: fmt.Sprintf(format, args...), advice: advice}.err()
}

// conflictTries bounds how often a client's wish is written against a
// reconciler that writes the same record.
const conflictTries = 20

// change reads, edits and writes until nobody was faster.
func (f *Farm) change(ctx context.Context, id string, edit func(*job.Job) (bool, error)) (job.Job, error) {
	var err error
	for range conflictTries {
		var read, written job.Job
		if read, err = f.Store.Get(ctx, id); err != nil {
			return read, err
		}
		j := read.Clone()
		needed, err2 := edit(&j)
		if err2 != nil || !needed {
			return read, err2
		}
		j.Updated = f.Now()
		if written, err = f.Store.Update(ctx, j); !errors.Is(err, store.ErrConflict) {
			return written, err
		}
	}
	return job.Job{}, err
}

// ListAgents implements gala.v1.Farm.
func (f *Farm) ListAgents(context.Context, *galav1.ListAgentsRequest) (*galav1.ListAgentsResponse, error) {
	return &galav1.ListAgentsResponse{Agents: f.Board.Agents()}, nil
}
