package api

import (
	"context"
	"errors"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
)

const (
	eventsPage     = 200
	eventsPageMost = 1000
)

// ListJobEvents implements gala.v1.Farm.
func (f *Farm) ListJobEvents(ctx context.Context, req *galav1.ListJobEventsRequest) (*galav1.ListJobEventsResponse, error) {
	limit := int(req.GetPageSize())
	if limit <= 0 {
		limit = eventsPage
	}
	events, err := f.history(ctx, req.GetId(), req.GetAfter(), min(limit, eventsPageMost))
	if err != nil {
		return nil, rpcError(err)
	}
	return &galav1.ListJobEventsResponse{Events: eventsProto(events)}, nil
}

// history of a job. A record from before there was one has its own events only.
func (f *Farm) history(ctx context.Context, id string, after uint64, limit int) ([]job.Event, error) {
	events, err := f.Store.History(ctx, id, after, limit)
	if err != nil || len(events) > 0 {
		return events, err
	}
	j, err := f.Store.Get(ctx, id)
	if err != nil || j.Recorded > 0 {
		return nil, err
	}
	for i, e := range j.Events {
		if e.Seq = uint64(i + 1); e.Seq > after && len(events) < limit {
			events = append(events, e)
		}
	}
	return events, nil
}

func eventsProto(events []job.Event) (all []*galav1.JobEvent) {
	for _, e := range events {
		all = append(all, &galav1.JobEvent{Seq: e.Seq, Time: timeProto(e.Time), Kind: e.Kind, Cause: e.Cause, Effect: e.Effect})
	}
	return all
}

// news are the events of p after those that a client was told of, the whole of
// them: what p itself no longer has is read from the store.
func (f *Farm) news(ctx context.Context, p *galav1.Job, told uint64) ([]*galav1.JobEvent, error) {
	var fresh []*galav1.JobEvent
	for _, e := range p.GetEvents() {
		if e.GetSeq() > told {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 || fresh[0].GetSeq() == told+1 {
		return fresh, nil
	}
	last, before := fresh[len(fresh)-1].GetSeq(), []*galav1.JobEvent(nil)
	for told < last {
		events, err := f.history(ctx, p.GetSpec().GetId(), told, eventsPageMost)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return nil, errors.New("events of the job are missing in the store")
		}
		for _, e := range eventsProto(events) {
			if e.GetSeq() <= last {
				before = append(before, e)
			}
		}
		told = events[len(events)-1].Seq
	}
	return before, nil
}
