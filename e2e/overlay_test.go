package e2e

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
)

const branded = `name: branded
overlays:
  - {logo: channel.png, at: top-left, width: 25%, margin: 0%}
  - {text: "REPLAY {job} {timecode}", at: bottom-left}
video:
  - {name: large, height: 360, codec: h264, bitrate: 2M, preset: fastest}
  - {name: small, height: 180, codec: hevc, bitrate: 500k, preset: fastest}
audio:
  - {name: a, codec: aac, bitrate: 128k}
`

// A clip and a live programme with a channel's logo and a running timecode: the
// client sends the logo, every rung shows it where the ladder says, and the output
// is as sound as without.
func TestLogoAndTimecode(t *testing.T) {
	f := farm.Start(t)
	dir := t.TempDir()
	ladder := filepath.Join(dir, "branded.yaml")
	if err := os.WriteFile(ladder, []byte(branded), 0o644); err != nil {
		t.Fatal(err)
	}
	writeLogo(t, filepath.Join(dir, "channel.png"))
	queued(t, f, "replay", ladder, "flower_540p2997_h264_aac.mp4")
	shown := f.Must("vod", "show", "replay")
	for _, want := range []string{"channel.png, sha256 ", "the logo channel.png is drawn into the pictures of every rung: top-left", `the text "REPLAY {job} {timecode}" is drawn`} {
		if !strings.Contains(shown, want) {
			t.Errorf("gala vod show does not say %q:\n%s", want, shown)
		}
	}
	for _, rung := range []string{"large", "small"} {
		wantRed(t, f.Origin("replay/"+rung+"/media.m3u8"))
	}
	f.Must("live", "submit", "--id", "now", "--ladder", ladder, "--input", "testcard:?size=640x360&fps=25")
	c := f.Client()
	segments(t, f, c, "now", 3)
	f.Must("live", "stop", "now")
	ended(t, f, c, "now")
	verify(t, f, "now")
	wantRed(t, f.Origin("now/large/media.m3u8"))
}

// writeLogo is a red square.
func writeLogo(t *testing.T, path string) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		img.Set(i%64, i/64, color.NRGBA{255, 0, 0, 255})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// wantRed looks at the top left of a rendition's second second. BT.601 has no red as
// pure as that of BT.709: what is drawn into such a picture keeps a little green.
func wantRed(t *testing.T, playlist string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pixel")
	tool(t, "ffmpeg", "-v", "error", "-i", playlist, "-ss", "1", "-frames:v", "1", "-vf", "crop=iw/8:ih/8:iw/32:ih/32,scale=1:1:flags=area,format=rgb24", "-f", "rawvideo", file)
	got, err := os.ReadFile(file)
	if err != nil || len(got) != 3 || got[0] < 230 || got[1] > 60 || got[2] > 30 {
		t.Errorf("%s shows %v where the red logo is (%v)", playlist, got, err)
	}
}
