package embedded_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
	"github.com/galafarm/gala/scheduler/store/embedded"
	"go.uber.org/goleak"
)

// The client library asks a Redis that was away once a second, until it notices
// within a second that it was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED FOR WANT OF redis-server: install it (apt install redis-server); the durable store is not tested")
	}
}

func create(t *testing.T, s store.Store, id string) {
	t.Helper()
	if _, err := s.Create(t.Context(), job.Job{Spec: job.Spec{ID: id, Kind: job.Live}, State: job.Accepted}); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, url string) *store.Redis {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func start(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestJobsOutliveTheChild(t *testing.T) {
	needRedis(t)
	dir := t.TempDir()
	server := start(t, embedded.Config{Dir: dir})
	if !server.Durable || !strings.HasPrefix(server.URL, "unix://") {
		t.Fatalf("durable %v at %s, want a durable store on a unix socket", server.Durable, server.URL)
	}
	create(t, open(t, server.URL), "match")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, embedded.Config{Dir: dir})
	if _, err := open(t, again.URL).Get(t.Context(), "match"); err != nil {
		t.Fatal(err)
	}
}

// A killed child loses nothing that was acknowledged, and comes back by itself.
func TestKilledChildComesBack(t *testing.T) {
	needRedis(t)
	server := start(t, embedded.Config{Dir: t.TempDir()})
	s := open(t, server.URL)
	create(t, s, "match")
	socket := strings.TrimSuffix(strings.TrimPrefix(server.URL, "unix://"), "?db=0")
	// DEBUG SEGFAULT is disabled; a client can find its pid and kill it.
	if err := exec.Command("sh", "-c", "kill -9 $(redis-cli -s "+socket+" info server | sed -n 's/^process_id:\\([0-9]*\\).*/\\1/p')").Run(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := s.Get(t.Context(), "match"); err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal("redis-server was not started again")
		case <-tick.C:
		}
	}
}

func TestLongDataDirectory(t *testing.T) {
	needRedis(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12))
	create(t, open(t, start(t, embedded.Config{Dir: dir}).URL), "match")
}

func TestInProcess(t *testing.T) {
	server := start(t, embedded.Config{Dir: t.TempDir(), InProcess: true})
	if server.Durable {
		t.Error("the in-process store calls itself durable")
	}
	create(t, open(t, server.URL), "match")
}

func TestProgramThatIsNone(t *testing.T) {
	if _, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir(), Program: "/bin/false"}); err == nil {
		t.Fatal("a program that ends at once passed for a redis-server")
	}
}
