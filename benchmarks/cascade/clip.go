package cascade

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// clip is a source whose first pictures lie decoded on disk.
type clip struct {
	path, ffmpeg  string
	raw           string
	width, height int
	rate          timeline.Rate // of the pictures: 30 a second at the most
	frames        int
}

func (c *clip) name() string { return filepath.Base(c.path) }

// most pictures a second: small rungs show no more.
const most = 30

// openClip decodes frames pictures of a clip, every second one of 50 or 60 a
// second.
func openClip(ctx context.Context, bin harness.Binaries, path string, frames int, dir string) (*clip, error) {
	c := &clip{path: path, ffmpeg: bin.FFmpeg, raw: filepath.Join(dir, "pictures.yuv")}
	if err := c.probe(ctx, bin.Worker); err != nil {
		return nil, err
	}
	step := (c.rate.Num + most*c.rate.Den - 1) / (most * c.rate.Den)
	c.rate = c.rate.Div(step)
	if _, err := ffmpeg(ctx, c.ffmpeg, "-i", path, "-an", "-vf", fmt.Sprintf("select=not(mod(n\\,%d)),format=yuv420p", step), "-fps_mode", "passthrough",
		"-frames:v", strconv.Itoa(frames), "-f", "rawvideo", c.raw); err != nil {
		return nil, err
	}
	s, err := os.Stat(c.raw)
	if err != nil {
		return nil, err
	}
	if c.frames = int(s.Size()) / (c.width * c.height * 3 / 2); c.frames == 0 {
		return nil, fmt.Errorf("%s has no pictures", path)
	}
	return c, nil
}

func (c *clip) probe(ctx context.Context, worker string) error {
	text, err := exec.CommandContext(ctx, worker, "probe", "--json", c.path).Output()
	if err != nil {
		return fmt.Errorf("probe %s: %w", c.path, err)
	}
	r := &galav1.ProbeResult{}
	if err := protojson.Unmarshal(text, r); err != nil {
		return fmt.Errorf("probe %s: %w", c.path, err)
	}
	source, err := wire.Source(r.GetSource())
	if err != nil {
		return err
	}
	if source.Video == nil {
		return fmt.Errorf("%s has no pictures", c.path)
	}
	c.width, c.height, c.rate = source.Video.Width, source.Video.Height, source.Video.Rate
	return nil
}

// pictures are ffmpeg's arguments to read them.
func (c *clip) pictures() []string {
	return []string{"-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", fmt.Sprintf("%dx%d", c.width, c.height), "-framerate", c.rate.String(), "-i", c.raw}
}
