package start

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// tree is an origin whose objects appear one by one, each time it is asked for
// something that is not there.
type tree struct {
	mu    sync.Mutex
	has   map[string]string
	later []string // path=body
	asked []string
}

func (o *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/origin/x/")
	o.asked = append(o.asked, name)
	if body, ok := o.has[name]; ok {
		_, _ = w.Write([]byte(body))
		return
	}
	if len(o.later) > 0 {
		path, body, _ := strings.Cut(o.later[0], "=")
		o.has[path], o.later = body, o.later[1:]
	}
	http.NotFound(w, r)
}

func play(t *testing.T, o *tree) (first, all time.Time, err error) {
	t.Helper()
	srv := httptest.NewServer(o)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return (&player{http: srv.Client(), tree: srv.URL + "/origin/x"}).segments(ctx)
}

func TestPlayerFollowsThePlaylistsDown(t *testing.T) {
	o := &tree{has: map[string]string{}, later: []string{
		"master.m3u8=#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a/media.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/media.m3u8\n#EXT-X-I-FRAME-STREAM-INF:URI=\"v/iframes.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\na/media.m3u8\n",
		"v/media.m3u8=#EXTM3U\n#EXTINF:2,\n7.m4s\n",
		"v/7.m4s=pictures",
		"a/media.m3u8=#EXTM3U\n#EXTINF:2,\n7.m4s\n",
		"a/7.m4s=sound",
	}}
	first, all, err := play(t, o)
	if err != nil || first.IsZero() || !all.After(first) {
		t.Fatalf("first %v, all %v, %v", first, all, err)
	}
	for _, name := range o.asked {
		if name == "v/iframes.m3u8" {
			t.Error("an I-frame playlist is nothing to start with")
		}
	}
}

func TestPlayerRefusesAnEmptySegment(t *testing.T) {
	o := &tree{has: map[string]string{"master.m3u8": "v/media.m3u8\n", "v/media.m3u8": "#EXTINF:2,\n7.m4s\n", "v/7.m4s": ""}}
	if _, _, err := play(t, o); err == nil {
		t.Error("it was taken")
	}
}

func TestRunIsCutAtItsEvents(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(s float64) *timestamppb.Timestamp { return timestamppb.New(began.Add(time.Duration(s * 1e9))) }
	job := &galav1.Job{
		Grid: &galav1.Grid{Fps: &galav1.Rational{Num: 25, Den: 1}, FramesPerGop: 50, GopsPerSegment: 1},
		// The card's first frame was due 0.2 s after the submission.
		Anchors: []*galav1.Anchor{{SourceTicks: 25*1000 + 5, SourceTimebase: &galav1.Rational{Num: 1, Den: 25}}},
		Events: []*galav1.JobEvent{
			{Kind: "accepted", Time: at(0.01)}, {Kind: "probed", Time: at(0.05)}, {Kind: "placed", Time: at(0.06)}, {Kind: "anchored", Time: at(0.25)}, {Kind: "anchored", Time: at(3)},
		},
	}
	r := Run{}
	if err := r.cut(job, began, began.Add(2500*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	want := []float64{0.01, 0.04, 0.01, 0.19, 1.95, 0.3}
	for i, got := range []float64{r.Accepted, r.Probed, r.Placed, r.Anchored, r.Source, r.Tail} {
		if d := got - want[i]; d > 1e-5 || d < -1e-5 {
			t.Errorf("phase %d took %v, want %v", i, got, want[i])
		}
	}
	if err := r.cut(&galav1.Job{}, began, began); err == nil {
		t.Error("a job without events was cut")
	}
}

func TestLedgerGoesOnWhereItWas(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results", "runs")
	l, err := harness.OpenLedger[Run](name, "commit a")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		if err := l.Add(Run{ID: id, First: 2.5}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := harness.OpenLedger[Run](name, "commit a")
	if err != nil || len(again.Runs) != 2 || again.Runs[1].ID != "two" {
		t.Errorf("%+v %v", again, err)
	}
	if _, err := harness.OpenLedger[Run](name, "commit b"); err == nil {
		t.Error("runs of another commit were taken")
	}
}
