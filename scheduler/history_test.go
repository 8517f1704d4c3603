package scheduler_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// happen writes many events into a job's record at once.
func happen(t *testing.T, s store.Store, id string, n int) {
	t.Helper()
	for {
		j, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			j.Record(time.Now(), "worker_crashed", fmt.Sprint("crash ", i), "")
		}
		if _, err = s.Update(t.Context(), j); err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	}
}

// pagesOf a job's events, in small pages.
func pagesOf(t *testing.T, f *farm, id string) (all []*galav1.JobEvent) {
	t.Helper()
	for after := uint64(0); ; after = all[len(all)-1].GetSeq() {
		r, err := f.client.ListJobEvents(t.Context(), &galav1.ListJobEventsRequest{Id: id, After: after, PageSize: 37})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.GetEvents()) == 0 {
			return all
		}
		all = append(all, r.GetEvents()...)
	}
}

func wantRun(t *testing.T, what string, events []*galav1.JobEvent, from uint64) {
	t.Helper()
	for i, e := range events {
		if want := from + uint64(i); e.GetSeq() != want || e.GetKind() == "" || e.GetTime() == nil {
			t.Fatalf("%s: event %d is %v, want number %d", what, i, e, want)
		}
	}
}

// A watcher is told of every event, also of those that the record has dropped
// by the time that it is sent; so is whoever pages through them later.
func TestEveryEventIsTold(t *testing.T) {
	f := newFarm(t, store.NewMemory())
	f.submit(live("match"))
	first := f.await("match", "its first events", func(j *galav1.Job) bool { return len(j.GetEvents()) > 0 })
	w, err := f.client.WatchJobs(t.Context(), &galav1.WatchJobsRequest{Ids: []string{"match"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.GetEvents()) != 0 || len(m.GetJob().GetEvents()) < len(first.GetEvents()) {
		t.Errorf("the first message has events beside those of the job: %v", m.GetEvents())
	}
	known := m.GetJob().GetEvents()
	next := known[len(known)-1].GetSeq() + 1
	const bursts, each = 5, 3 * job.MaxEvents / 4
	for range bursts {
		happen(t, f.store, "match", each)
	}
	var told []*galav1.JobEvent
	for len(told) < bursts*each {
		if m, err = w.Recv(); err != nil {
			t.Fatal(err)
		}
		told = append(told, m.GetEvents()...)
	}
	wantRun(t, "watched", told, next)
	if n := len(m.GetJob().GetEvents()); n != job.MaxEvents {
		t.Errorf("the job itself has %d events", n)
	}
	listed := pagesOf(t, f, "match")
	wantRun(t, "listed", listed, 1)
	if len(listed) < bursts*each || !slices.ContainsFunc(listed, func(e *galav1.JobEvent) bool { return e.GetKind() == "accepted" }) {
		t.Errorf("%d events are listed", len(listed))
	}
	if _, err := f.client.ListJobEvents(t.Context(), &galav1.ListJobEventsRequest{Id: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("events of no job: %v", err)
	}
}
