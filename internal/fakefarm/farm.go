// Package fakefarm is a farm for the tests of its clients: it speaks gala.v1 on
// a loopback port, keeps jobs in memory and moves them only when a test says so.
//
// It must not decide anything that a scheduler decides.
package fakefarm

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Farm is the fake. Fields may be set before the first call.
type Farm struct {
	galav1.UnimplementedFarmServer
	// Agents is what ListAgents answers.
	Agents []*galav1.AgentView
	// Refuse, when set, may answer any call with an error.
	Refuse func(method string) error
	// OnSubmit, when set, is told of every new job.
	OnSubmit func(*galav1.Job)

	mu       sync.Mutex
	jobs     []*galav1.Job // oldest first
	changed  chan struct{} // closed at the next change
	watchers int
}

// Serve starts the farm on a free loopback port for the length of a test.
func (f *Farm) Serve(t testing.TB) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := f.Start(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// Start serves on listener until the caller stops the server.
func (f *Farm) Start(listener net.Listener) *grpc.Server {
	server := grpc.NewServer(grpc.UnaryInterceptor(f.guard), grpc.StreamInterceptor(f.guardStream))
	galav1.RegisterFarmServer(server, f)
	go server.Serve(listener)
	return server
}

func (f *Farm) guard(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if f.Refuse != nil {
		if err := f.Refuse(info.FullMethod); err != nil {
			return nil, err
		}
	}
	return next(ctx, req)
}

func (f *Farm) guardStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if f.Refuse != nil {
		if err := f.Refuse(info.FullMethod); err != nil {
			return err
		}
	}
	return next(srv, stream)
}

// Put adds or replaces a job, counting its revision up.
func (f *Farm) Put(job *galav1.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(job)
}

func (f *Farm) put(job *galav1.Job) {
	job = proto.CloneOf(job)
	i := f.index(job.GetSpec().GetId())
	if i < 0 {
		job.Revision = max(job.Revision, 1)
		f.jobs = append(f.jobs, job)
	} else {
		job.Revision = f.jobs[i].Revision + 1
		f.jobs[i] = job
	}
	if f.changed != nil {
		close(f.changed)
	}
	f.changed = make(chan struct{})
}

func (f *Farm) index(id string) int {
	return slices.IndexFunc(f.jobs, func(j *galav1.Job) bool { return j.GetSpec().GetId() == id })
}

// Change edits one job in place of the scheduler.
func (f *Farm) Change(id string, edit func(*galav1.Job)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	job := proto.CloneOf(f.jobs[f.index(id)])
	edit(job)
	f.put(job)
}

// Watchers is how many watches are open now.
func (f *Farm) Watchers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watchers
}

func (f *Farm) find(id string) (*galav1.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.index(id); i >= 0 {
		return proto.CloneOf(f.jobs[i]), nil
	}
	return nil, status.Error(codes.NotFound, "no such job")
}

// page is newest first; the token is the index to go on from.
func (f *Farm) page(req *galav1.ListJobsRequest) *galav1.ListJobsResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	from, _ := strconv.Atoi(req.GetPageToken())
	r := &galav1.ListJobsResponse{}
	for i := len(f.jobs) - 1 - from; i >= 0; i-- {
		if len(r.Jobs) == size {
			r.NextPageToken = strconv.Itoa(len(f.jobs) - 1 - i)
			break
		}
		if matches(f.jobs[i], req) {
			r.Jobs = append(r.Jobs, proto.CloneOf(f.jobs[i]))
		}
	}
	return r
}

func matches(j *galav1.Job, req *galav1.ListJobsRequest) bool {
	return (req.GetKind() == 0 || req.GetKind() == j.GetSpec().GetKind()) &&
		(len(req.GetStates()) == 0 || slices.Contains(req.GetStates(), j.GetState()))
}
