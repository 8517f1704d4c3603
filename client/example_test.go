package client_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// exampleFarm stands for a running farm. What it is given ends at once.
func exampleFarm() (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	farm := &fakefarm.Farm{Agents: []*galav1.AgentView{{Name: "gpu-7", Connected: true}}}
	farm.OnSubmit = func(j *galav1.Job) {
		farm.Change(j.GetSpec().GetId(), func(j *galav1.Job) { j.State = galav1.JobState_JOB_STATE_DONE })
	}
	return listener.Addr().String(), farm.Start(listener).Stop
}

// An origin puts an event on air; submitting it again, after a restart of the
// origin for instance, changes nothing.
func ExampleClient_SubmitLive() {
	address, stop := exampleFarm()
	defer stop()
	farm, err := client.Dial(address)
	if err != nil {
		log.Fatal(err)
	}
	defer farm.Close()
	spec := &galav1.JobSpec{
		Id: "derby", Input: "srt://10.0.0.7:9000", Ladder: "hd",
		Destinations: []string{"https://origin.example/live"},
	}
	for range 2 {
		got, err := farm.SubmitLive(context.Background(), spec)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(got.Job.GetSpec().GetId(), got.Existed)
	}
	// Output:
	// derby false
	// derby true
}

// A VOD system queues a replay and follows it to its end.
func ExampleClient_Watch() {
	address, stop := exampleFarm()
	defer stop()
	farm, err := client.Dial(address)
	if err != nil {
		log.Fatal(err)
	}
	defer farm.Close()
	ctx := context.Background()
	if _, err := farm.QueueVod(ctx, &galav1.JobSpec{Id: "replay", Input: "/media/replay.mp4", Ladder: "mini"}); err != nil {
		log.Fatal(err)
	}
	var last *galav1.Job
	for job, err := range farm.Watch(ctx, client.Watch{IDs: []string{"replay"}, UntilEnded: true}) {
		if err != nil {
			log.Fatal(err)
		}
		last = job
	}
	fmt.Println(last.GetState())
	// Output: JOB_STATE_DONE
}

// List fetches page by page as the loop goes on.
func ExampleClient_List() {
	address, stop := exampleFarm()
	defer stop()
	farm, err := client.Dial(address)
	if err != nil {
		log.Fatal(err)
	}
	defer farm.Close()
	ctx := context.Background()
	for _, id := range []string{"heat-1", "heat-2"} {
		if _, err := farm.QueueVod(ctx, &galav1.JobSpec{Id: id, Input: "/media/" + id + ".mp4", Ladder: "mini"}); err != nil {
			log.Fatal(err)
		}
	}
	for job, err := range farm.List(ctx, client.Filter{Kind: galav1.JobKind_JOB_KIND_VOD}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.GetSpec().GetId())
	}
	// Output:
	// heat-2
	// heat-1
}
