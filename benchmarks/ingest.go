package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/galafarm/gala/benchmarks/ingest"
)

type ingestCmd struct {
	Clip string        `help:"What is sent, as it is; default: the clip of vod, made 1080p25 of 8 Mb/s." type:"path"`
	Each time.Duration `help:"How long each kind of source is measured, once its ring is full." default:"60s"`
}

func (i *ingestCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	clip := i.Clip
	if clip == "" {
		if clip, err = contribution(ctx, bin.FFmpeg, dir); err != nil {
			return err
		}
	}
	r, err := ingest.Measure(ctx, ingest.Options{Clip: clip, Each: i.Each, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again()})
	if err != nil {
		return err
	}
	return c.keep(r)
}

// contribution makes what an encoder at a venue sends: 1080p25 at a constant
// 8 Mb/s, a key frame a second. The sound lies within the pictures, so that where
// the clip begins again no picture is missing.
func contribution(ctx context.Context, ffmpeg, dir string) (string, error) {
	from, err := findClip(ctx, "", "", ffmpeg, dir)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "contribution_1080p25_8m.ts")
	out, err := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-t", "20", "-i", from, "-vf", "scale=1920:1080",
		"-c:v", "libx264", "-preset", "ultrafast", "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "8M", "-g", "25", "-x264-params", "nal-hrd=cbr:scenecut=0",
		"-af", "atrim=end=19.8,asetpts=PTS+0.1/TB", "-c:a", "aac", "-b:a", "192k", "-f", "mpegts", name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make the clip: %w: %s", err, out)
	}
	return name, nil
}
