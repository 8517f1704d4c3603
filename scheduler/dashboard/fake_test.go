package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSource is a farm that a test plays by hand. calls are in their order.
type fakeSource struct {
	mu      sync.Mutex
	view    View
	changes chan Change
	calls   []string
	refuse  string // the call that fails
}

func newFakeSource(v View) *fakeSource {
	return &fakeSource{view: v, changes: make(chan Change, 16)}
}

func (f *fakeSource) called(what string) error {
	f.calls = append(f.calls, what)
	if f.refuse == what {
		return errors.New("the store is away")
	}
	return nil
}

func (f *fakeSource) Snapshot(context.Context) (View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view, f.called("snapshot")
}

func (f *fakeSource) Subscribe(context.Context) (<-chan Change, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes, f.called("subscribe")
}

func job(id string, revision uint64, reason string) *galav1.Job {
	return &galav1.Job{Spec: &galav1.JobSpec{Id: id}, Revision: revision, Reason: reason, State: galav1.JobState_JOB_STATE_RUNNING}
}

func serveFake(t *testing.T, f *fakeSource, opt Options) *httptest.Server {
	t.Helper()
	return serve(t, f, opt)
}

func serve(t *testing.T, source Source, opt Options) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(Handler(source, opt))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server
}

func noon() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }
