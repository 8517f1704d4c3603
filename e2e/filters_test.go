package e2e

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
)

const broadcast = `name: broadcast
pad: 1:1
video:
  - {name: v, height: 180, fps: 50, codec: h264, bitrate: 700k, preset: fastest}
audio:
  - {name: a, codec: aac, bitrate: 128k, map: [2, 1], loudness: {target: -18, true_peak: -2}}
`

// An interlaced programme as a broadcaster orders it: a picture a field, bars to
// another shape, and a loudness that another program's meter finds on what came
// out. A live job is told before it starts that it cannot have the loudness.
func TestAsABroadcasterOrdersIt(t *testing.T) {
	f := farm.Start(t)
	ladder := filepath.Join(t.TempDir(), "broadcast.yaml")
	if err := os.WriteFile(ladder, []byte(broadcast), 0o644); err != nil {
		t.Fatal(err)
	}
	queued(t, f, "svt", ladder, "svt_576i25_tff_mpeg2_mp2.ts")
	shown := f.Must("vod", "show", "svt")
	for _, want := range []string{"every field of the interlaced source becomes a picture", "bars to 1:1", "loudness of a: -23.0 LUFS", "brought to -18 LUFS by", "peaks limited to -2 dBTP"} {
		if !strings.Contains(shown, want) {
			t.Errorf("gala vod show does not say %q:\n%s", want, shown)
		}
	}
	tree := filepath.Join(f.Data, "origin", "svt")
	video := tool(t, "ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=width,height,r_frame_rate,nb_read_packets", "-of", "csv=p=0", joined(t, filepath.Join(tree, "v")))
	if video != "180,180,50/1,251" {
		t.Errorf("the pictures are %s, want 251 of 180x180 at 50 fps", video)
	}
	said := tool(t, "ffmpeg", "-hide_banner", "-nostats", "-i", joined(t, filepath.Join(tree, "a")), "-af", "ebur128=peak=true", "-f", "null", "-")
	if got := figure(t, said, `I: +(-?[0-9.]+) LUFS`); math.Abs(got+18) > 0.5 {
		t.Errorf("%.1f LUFS came out, want -18", got)
	}
	if got := figure(t, said, `Peak: +(-?[0-9.]+) dBFS`); got > -1.5 {
		t.Errorf("true peaks of %.1f dBTP came out, want -2", got)
	}
	if out, code := f.Run("live", "submit", "--id", "now", "--ladder", ladder, "--input", "testcard:"); code == 0 || !strings.Contains(out, "write `gain: 3dB`") {
		t.Errorf("exit %d: a live job with loudness is told %s", code, out)
	}
}

// figure is the last number that a pattern finds.
func figure(t *testing.T, text, pattern string) float64 {
	t.Helper()
	all := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		t.Fatalf("no %s in:\n%s", pattern, text)
	}
	v, err := strconv.ParseFloat(all[len(all)-1][1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
