package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent"
	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// The test program is its own worker program.
func TestMain(m *testing.M) {
	if !fakeworker.Main() {
		os.Exit(m.Run())
	}
}

// farm is one scheduler at a time on one address and one store, and agents.
type farm struct {
	t       *testing.T
	store   store.Store
	address string
	client  galav1.FarmClient
}

func newFarm(t *testing.T) *farm {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &farm{t: t, store: store.NewMemory(), address: l.Addr().String()}
	l.Close()
	conn, err := grpc.NewClient(f.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); f.store.Close() })
	f.client = galav1.NewFarmClient(conn)
	return f
}

// schedule starts a scheduler, until the test or the returned function ends it.
func (f *farm) schedule() (end func()) {
	f.t.Helper()
	s, err := scheduler.New(scheduler.Config{
		Store: f.store, OriginURL: "http://127.0.0.1:1", AllowSources: []string{"*"}, Log: f.log("scheduler"),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := s.NewServer()
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(l) })
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			f.t.Error(err)
		}
	})
	end = sync.OnceFunc(func() { cancel(); server.Stop(); running.Wait() })
	f.t.Cleanup(end)
	return end
}

// host starts an agent, until the test or the returned function ends it. Its
// workers go on.
func (f *farm) host(name, data string) (end func()) {
	f.t.Helper()
	return f.hostAt(name, data, f.address)
}

// hostAt is host with the scheduler at another address.
func (f *farm) hostAt(name, data, scheduler string) (end func()) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		err := agent.Run(ctx, agent.Config{
			Name: name, Schedulers: []string{scheduler}, Data: data, Worker: self, Log: f.log(name),
			Connect: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			f.t.Error(err)
		}
	})
	end = sync.OnceFunc(func() { cancel(); running.Wait() })
	f.t.Cleanup(func() { end(); killWorkers(data) })
	return end
}

func (f *farm) log(name string) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(f.t.Output(), nil)).With("in", name)
}

// workers are the live worker processes of a data directory, by run.
func workers(data string) map[string]int {
	found := map[string]int{}
	records, _ := filepath.Glob(filepath.Join(data, "workers", "*", "process.json"))
	for _, record := range records {
		text, _ := os.ReadFile(record)
		var id struct{ PID int }
		if json.Unmarshal(text, &id) != nil || !exists(filepath.Dir(record), id.PID) {
			continue
		}
		found[filepath.Base(filepath.Dir(record))] = id.PID
	}
	return found
}

func exists(dir string, pid int) bool {
	cmdline, err := os.ReadFile(filepath.Join("/proc", jsonNumber(pid), "cmdline"))
	return err == nil && strings.Contains(string(cmdline), dir)
}

func jsonNumber(n int) string { text, _ := json.Marshal(n); return string(text) }

func killWorkers(data string) {
	for _, pid := range workers(data) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (f *farm) submitLive(id, input string) {
	f.t.Helper()
	_, err := f.client.SubmitLive(f.t.Context(), &galav1.SubmitLiveRequest{Spec: &galav1.JobSpec{
		Id: id, Kind: galav1.JobKind_JOB_KIND_LIVE, Input: input, Ladder: "mini",
	}}, grpc.WaitForReady(true))
	if err != nil {
		f.t.Fatal(err)
	}
}

// await returns the job when cond holds.
func (f *farm) await(id, what string, cond func(*galav1.Job) bool) *galav1.Job {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 60*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	var last *galav1.Job
	for {
		r, err := f.client.GetJob(ctx, &galav1.GetJobRequest{Id: id}, grpc.WaitForReady(true))
		if err == nil && cond(r.GetJob()) {
			return r.GetJob()
		}
		if err == nil {
			last = r.GetJob()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			f.t.Fatalf("waited too long for %s: %v", what, last)
		}
	}
}

func (f *farm) awaitState(id string, states ...galav1.JobState) *galav1.Job {
	f.t.Helper()
	return f.await(id, "state "+states[0].String(), func(j *galav1.Job) bool { return slices.Contains(states, j.GetState()) })
}

func kinds(j *galav1.Job) (all []string) {
	for _, e := range j.GetEvents() {
		all = append(all, e.GetKind())
	}
	return all
}

const (
	running   = galav1.JobState_JOB_STATE_RUNNING
	done      = galav1.JobState_JOB_STATE_DONE
	failed    = galav1.JobState_JOB_STATE_FAILED
	cancelled = galav1.JobState_JOB_STATE_CANCELLED
)

// script is a source whose worker behaves as told.
func script(s fakeworker.Script) string { return s.Input() }
