package api

import (
	"slices"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
)

// WatchJobs implements gala.v1.Farm. The subscription is older than the first
// reading, so nothing falls between the two.
func (f *Farm) WatchJobs(req *galav1.WatchJobsRequest, out grpc.ServerStreamingServer[galav1.WatchJobsResponse]) error {
	ctx := out.Context()
	sub := f.Board.Subscribe()
	defer sub.Close()
	w := &watcher{farm: f, out: out, ids: req.GetIds(), sent: map[string]*galav1.Job{}, open: map[string]bool{}}
	for _, id := range req.GetIds() {
		j, err := f.Store.Get(ctx, id)
		if err != nil {
			return rpcError(err)
		}
		if err := w.send(f.Board.Show(j)); err != nil {
			return err
		}
	}
	if len(req.GetIds()) > 0 && req.GetUntilEnded() && len(w.open) == 0 {
		return nil
	}
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			return rpcError(err)
		}
		for _, p := range u.Jobs {
			if err := w.send(p); err != nil {
				return err
			}
		}
		if req.GetUntilEnded() && len(w.open) == 0 {
			return nil
		}
	}
}

// watcher is one client's view.
type watcher struct {
	farm *Farm
	out  grpc.ServerStreamingServer[galav1.WatchJobsResponse]
	ids  []string // none: all
	sent map[string]*galav1.Job
	open map[string]bool // not ended yet
}

// send what is new to this client.
func (w *watcher) send(p *galav1.Job) error {
	id := p.GetSpec().GetId()
	if len(w.ids) > 0 && !slices.Contains(w.ids, id) {
		return nil
	}
	was := w.sent[id]
	if was == p || was.GetRevision() > p.GetRevision() {
		return nil
	}
	m := &galav1.WatchJobsResponse{Job: p}
	if was != nil {
		m.Events = w.news(was, p)
	}
	w.sent[id] = p
	delete(w.open, id)
	if !stateOf(p.GetState()).Ended() {
		w.open[id] = true
	}
	return w.out.Send(m)
}

// news between two forms of a job. A store that does not answer now costs those
// that the job itself has no longer: the client sees the hole in their numbers
// and asks for them.
func (w *watcher) news(was, p *galav1.Job) []*galav1.JobEvent {
	told := lastSeq(was)
	events, err := w.farm.news(w.out.Context(), p, told)
	if err == nil {
		return events
	}
	w.farm.Log.Warn("events for a watcher", "job", p.GetSpec().GetId(), "error", err)
	return slices.DeleteFunc(slices.Clone(p.GetEvents()), func(e *galav1.JobEvent) bool { return e.GetSeq() <= told })
}

func lastSeq(j *galav1.Job) uint64 {
	events := j.GetEvents()
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].GetSeq()
}
