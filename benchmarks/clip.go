package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/galafarm/gala/benchmarks/texture"
)

// clipName is the long clip of the media set: half a minute of 720p25.
const clipName = "long_mix_720p25_h264_aac.mp4"

// findClip is the clip that was asked for, or the textured one where a ladder of
// 1080p wants one, or the set's where the set is at
// hand (GALA_MEDIA, or shared/media/open beside the checkout), or one that
// ffmpeg makes: figures of two clips are not to be compared, and the record
// names the clip by its hash.
func findClip(ctx context.Context, asked, ladder, ffmpeg, dir string) (string, error) {
	switch {
	case asked != "":
		return asked, nil
	case ladder == "hd":
		return texturedClip(ctx, ffmpeg, dir, 150)
	}
	for _, set := range []string{os.Getenv("GALA_MEDIA"), "../shared/media/open"} {
		if name := filepath.Join(set, clipName); set != "" && exists(name) {
			return name, nil
		}
	}
	name := filepath.Join(dir, "made_720p25.mp4")
	out, err := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=30",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-c:a", "aac", "-ac", "2", name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make a clip: %w: %s", err, out)
	}
	return name, nil
}

// texturedClip draws the scene of benchmarks/texture in 1080p, nearly without
// loss, 25 pictures a second, with a tone beside it.
func texturedClip(ctx context.Context, ffmpeg, dir string, pictures int) (string, error) {
	name := filepath.Join(dir, "textured_1080p25.mp4")
	cmd := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y",
		"-f", "yuv4mpegpipe", "-i", "pipe:0", "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=48000:duration=%g", float64(pictures)/25),
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-c:a", "aac", "-ac", "2", name)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return "", err
	}
	_, err = texture.Clip{Width: 1920, Height: 1080, Frames: pictures, Rate: 25}.WriteTo(in)
	if err := errors.Join(err, in.Close(), cmd.Wait()); err != nil {
		return "", fmt.Errorf("make the textured clip: %w: %s", err, said.Bytes())
	}
	return name, nil
}

// clipsOfSet are clips of the media set, which is needed: made pictures have no
// detail to lose.
func clipsOfSet(names ...string) (found []string, err error) {
	for _, set := range []string{os.Getenv("GALA_MEDIA"), "../shared/media/open"} {
		if set == "" || !exists(filepath.Join(set, names[0])) {
			continue
		}
		for _, n := range names {
			found = append(found, filepath.Join(set, n))
		}
		return found, nil
	}
	return nil, errors.New("no media set: set GALA_MEDIA, or name 1080p clips with --clip")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
