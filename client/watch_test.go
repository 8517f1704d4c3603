package client_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func running(id string) *galav1.Job {
	return &galav1.Job{Spec: &galav1.JobSpec{Id: id}, State: galav1.JobState_JOB_STATE_RUNNING}
}

func TestWatchEndsWhenTheJobsHaveEnded(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(running("a"))
	c := dial(t, farm.Serve(t))
	var states []galav1.JobState
	for job, err := range c.Watch(t.Context(), client.Watch{IDs: []string{"a"}, UntilEnded: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if states = append(states, job.GetState()); len(states) == 1 {
			farm.Change("a", func(j *galav1.Job) { j.State = galav1.JobState_JOB_STATE_DONE })
		}
	}
	if len(states) != 2 || states[1] != galav1.JobState_JOB_STATE_DONE {
		t.Errorf("states %v", states)
	}
}

// A scheduler that restarts drops the stream; the watch goes on with the next
// one and never shows an older form of the job.
func TestWatchSurvivesARestartOfTheFarm(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(running("a"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	server := farm.Start(listener)
	lost := 0
	w := client.Watch{IDs: []string{"a"}, UntilEnded: true, Lost: func(error) { lost++ }}
	var revisions []uint64
	for job, err := range dial(t, address).Watch(t.Context(), w) {
		if err != nil {
			t.Fatal(err)
		}
		revisions = append(revisions, job.GetRevision())
		if len(revisions) == 1 {
			server.Stop()
			if listener, err = net.Listen("tcp", address); err != nil {
				t.Fatal(err)
			}
			server = farm.Start(listener)
			farm.Change("a", func(j *galav1.Job) { j.State = galav1.JobState_JOB_STATE_DONE })
		}
	}
	server.Stop()
	if lost == 0 || len(revisions) != 2 || revisions[1] != 2 {
		t.Errorf("lost %d times, revisions %v; want lost once or more, then revision 2", lost, revisions)
	}
}

func TestWatchOfAnUnknownJobEndsAtOnce(t *testing.T) {
	c := dial(t, (&fakefarm.Farm{}).Serve(t))
	for job, err := range c.Watch(t.Context(), client.Watch{IDs: []string{"nobody"}}) {
		if job != nil || status.Code(err) != codes.NotFound {
			t.Errorf("job %v, error %v; want NotFound", job, err)
		}
	}
}

func TestWatchOfNoFarmEnds(t *testing.T) {
	for job, err := range dial(t, closedPort(t)).Watch(t.Context(), client.Watch{}) {
		if job != nil || status.Code(err) != codes.Unavailable {
			t.Errorf("job %v, error %v; want Unavailable", job, err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	farm := &fakefarm.Farm{}
	farm.Put(running("a"))
	c := dial(t, farm.Serve(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Watch(ctx, client.Watch{}) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v, want context.Canceled", last)
	}
}
