package main

import (
	"context"
	"os"

	"github.com/galafarm/gala/benchmarks/cascade"
)

type cascadeCmd struct {
	Clip   []string `help:"Clips; default: three of the media set and the textured one." type:"path"`
	Frames int      `help:"Pictures of each." default:"60"`
	Runs   int      `help:"Runs of each ladder's scaling." default:"5"`
}

func (s *cascadeCmd) Run(ctx context.Context, c *cli) error {
	bin, dir, done, err := c.begin()
	if err != nil {
		return err
	}
	defer done()
	if len(s.Clip) == 0 {
		if s.Clip, err = cascadeClips(ctx, bin.FFmpeg, dir, s.Frames); err != nil {
			return err
		}
	}
	r, err := cascade.Measure(ctx, cascade.Options{Clips: s.Clip, Frames: s.Frames, Runs: s.Runs, Binaries: bin, Dir: dir, Log: os.Stderr, Command: again()})
	if err != nil {
		return err
	}
	return c.keep(r)
}

// cascadeClips are pictures from a drone, of a game, from a camera in 720p, and
// ones that no scaler finds easy.
func cascadeClips(ctx context.Context, ffmpeg, dir string, pictures int) ([]string, error) {
	clips, err := clipsOfSet("wave_croatia_1080p25_qr.mp4", "game_1080p60_missing_dts.ts", "svt_720p50_h264_aac.mkv")
	if err != nil {
		return nil, err
	}
	drawn, err := texturedClip(ctx, ffmpeg, dir, pictures)
	return append(clips, drawn), err
}
