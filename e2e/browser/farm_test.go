package browser

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/galafarm/gala/origin"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/dashboard"
)

var shots = flag.String("shots", "", "write screenshots of the page to this `directory`")

// farm is a page and an origin as `gala up` has them, over a hand-written state.
type farm struct {
	*httptest.Server
	root string

	outage atomic.Bool // the origin answers 503

	mu      sync.Mutex
	view    dashboard.View
	readers map[chan dashboard.Change]bool
}

func newFarm(t *testing.T, view dashboard.View) *farm {
	t.Helper()
	f := &farm{root: t.TempDir(), view: view, readers: map[chan dashboard.Change]bool{}}
	o, err := origin.New(origin.Config{Root: f.root})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(origin.Prefix, func(w http.ResponseWriter, r *http.Request) {
		if f.outage.Load() && r.Method == http.MethodGet {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		o.ServeHTTP(w, r)
	})
	mux.Handle("/", dashboard.Handler(f, dashboard.Options{Version: "test", Interval: 50 * time.Millisecond, Beat: time.Second}))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.Server.CloseClientConnections()
		f.Server.Close()
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *farm) Snapshot(context.Context) (dashboard.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view, nil
}

func (f *farm) Subscribe(ctx context.Context) (<-chan dashboard.Change, error) {
	changes := make(chan dashboard.Change, 16)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers[changes] = true
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.readers, changes)
	})
	return changes, nil
}

// put makes a job known or changes it.
func (f *farm) put(job *galav1.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, known := range f.view.Jobs {
		if known.Spec.Id == job.Spec.Id {
			f.view.Jobs = append(f.view.Jobs[:i:i], f.view.Jobs[i+1:]...)
			break
		}
	}
	f.view.Jobs = append([]*galav1.Job{job}, f.view.Jobs...)
	for r := range f.readers {
		r <- dashboard.Change{Job: job}
	}
}

func startBrowser(t *testing.T) *Browser {
	t.Helper()
	b, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Log(err)
		}
	})
	return b
}

func open(t *testing.T, b *Browser, url string, look Look) *Page {
	t.Helper()
	p, err := b.Open(url, look)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range p.Problems() {
			t.Errorf("page %s: %s", url, problem)
		}
		p.Close()
	})
	return p
}

// shoot keeps a picture of the page when the test was asked for them.
func shoot(t *testing.T, p *Page, name string, look Look) {
	t.Helper()
	if *shots == "" {
		return
	}
	if err := p.Relook(look); err != nil {
		t.Fatal(err)
	}
	png, err := p.Screenshot(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

const clip = "../../../shared/media/open/long_mix_720p25_h264_aac.mp4"

// makeLadder writes a CMAF HLS tree of two levels with its audio apart, in
// segments of two seconds. It uses the system's ffmpeg, so that the page is
// proved against a packager that is not ours; without the clip the picture is
// ffmpeg's own test pattern.
func makeLadder(t *testing.T, dir string, seconds int) {
	t.Helper()
	input := []string{"-i", clip}
	if _, err := os.Stat(clip); err != nil {
		input = []string{"-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25", "-f", "lavfi", "-i", "sine=440:sample_rate=48000"}
	}
	args := append([]string{"-v", "error", "-nostdin"}, input...)
	args = append(args, "-t", fmt.Sprint(seconds),
		"-filter_complex", "[0:v]split=2[a][b];[a]scale=640:360[hi];[b]scale=320:180[lo]",
		"-map", "[hi]", "-map", "[lo]", "-map", "a:0",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p",
		"-b:v:0", "900k", "-b:v:1", "250k", "-c:a", "aac", "-b:a", "96k", "-ac", "2",
		"-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
		"-hls_flags", "independent_segments", "-hls_fmp4_init_filename", "init.mp4",
		"-hls_segment_filename", filepath.Join(dir, "%v/%d.m4s"),
		"-var_stream_map", "v:0,agroup:a,name:360p v:1,agroup:a,name:180p a:0,agroup:a,name:stereo,default:yes",
		"-master_pl_name", "master.m3u8", filepath.Join(dir, "%v/media.m3u8"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
}

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(-d)) }
