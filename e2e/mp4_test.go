package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
)

// One file of a rung plays in readers that are not ours, with the frames, the
// length and the sync of the segments, and is the same at a directory as at the
// farm's own origin.
func TestMP4(t *testing.T) {
	f := farm.Start(t)
	dir := t.TempDir()
	source := filepath.Join(farm.Media(t), "svt_720p50_h264_aac.mkv")
	f.Must("vod", "queue", "--id", "svt", "--ladder", "mini", "--mp4", "360p", "--to", dir, "--to", f.Origin(""), "--wait", source)
	verify(t, f, "svt")
	file := filepath.Join(dir, "svt", "360p.mp4")
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(get(t, f.Origin("svt/360p.mp4"))) != string(body) {
		t.Error("the two destinations have different files")
	}
	if left, _ := filepath.Glob(filepath.Join(f.Data, "agent", "workers", "*", "mp4-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	streams := tool(t, "ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,start_time,duration,nb_read_frames", "-of", "compact", file)
	for _, want := range []string{"codec_name=h264|start_time=0.000000|duration=5.040000|nb_read_frames=126", "codec_name=aac|start_time=0.000000|duration=5.034667|nb_read_frames=236"} {
		if !strings.Contains(streams, want) {
			t.Errorf("ffprobe says\n%swant %s", streams, want)
		}
	}
	if out := tool(t, "mediainfo", "--Output=General;%Format% %IsStreamable% %Duration%", file); strings.TrimSpace(out) != "MPEG-4 Yes 5040" {
		t.Errorf("mediainfo says %q", out)
	}
	playsFile(t, file)
}

// playsFile to its end, in a bare <video>.
func playsFile(t *testing.T, file string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><video src="/file.mp4" muted autoplay></video>`)
	})
	mux.HandleFunc("/file.mp4", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	p, err := b.Open(server.URL, browser.Look{Width: 640, Height: 360})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	const video = `document.querySelector("video")`
	if err := p.WaitEval(within(t, 60*time.Second), "the end of the file", video+".ended"); err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]string{
		"its length":   "Math.abs(%s.duration - 5.04) < 0.01",
		"its sound":    "%s.webkitAudioDecodedByteCount > 10000",
		"its pictures": "%s.getVideoPlaybackQuality().totalVideoFrames >= 1",
	} {
		if got, err := browser.Eval[bool](p, fmt.Sprintf(ok, video)); err != nil || !got {
			t.Errorf("%s: %v %v", what, got, err)
		}
	}
}
