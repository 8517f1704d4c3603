package vod

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/encoders"
)

// peerArgs is the command line of one ffmpeg that makes the plan's ladder in
// out: one decode, a split, the same scaler, the engine's own encoder options,
// IDRs at the same frames, fMP4 HLS on disk.
func (p *plan) peerArgs(out string) ([]string, error) {
	return p.ffmpegArgs(p.video(), p.audio(), out)
}

func (p *plan) ffmpegArgs(video, audio []ladders.Rendition, out string) ([]string, error) {
	args := append(quiet[:len(quiet):len(quiet)], "-i", p.clip, "-filter_complex", p.graph(video))
	for i, r := range video {
		o, err := p.encode(i, *r.Video)
		if err != nil {
			return nil, err
		}
		args = append(append(args, "-map", fmt.Sprintf("[v%d]", i)), o...)
	}
	for i, r := range audio {
		args = append(args, "-map", fmt.Sprintf("0:a:%d", r.Audio.Track))
		args = append(args, sound(i, *r.Audio)...)
	}
	return append(args, p.packageArgs(video, audio, out)...), nil
}

// packageArgs is fMP4 HLS of the streams so far.
func (p *plan) packageArgs(video, audio []ladders.Rendition, out string) []string {
	var streams []string
	for i, r := range video {
		streams = append(streams, fmt.Sprintf("v:%d,agroup:sound,name:%s", i, r.Name))
	}
	for i, r := range audio {
		streams = append(streams, fmt.Sprintf("a:%d,agroup:sound,name:%s", i, r.Name))
	}
	return []string{"-f", "hls", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_flags", "independent_segments",
		"-hls_time", every(p.Grid, p.Grid.FramesPerSegment()), "-var_stream_map", strings.Join(streams, " "),
		"-master_pl_name", "master.m3u8", "-hls_fmp4_init_filename", "init.mp4",
		"-hls_segment_filename", filepath.Join(out, "%v", "%d.m4s"), filepath.Join(out, "%v", "media.m3u8")}
}

// graph splits the decoded pictures and scales each copy, or that of the larger
// rendition which the ladder names, as the engine's branches do.
func (p *plan) graph(renditions []ladders.Rendition) string {
	var g strings.Builder
	var direct []int
	smaller := map[int][]int{}
	for i, r := range renditions {
		if from := larger(renditions, r); from >= 0 {
			smaller[from] = append(smaller[from], i)
		} else {
			direct = append(direct, i)
		}
	}
	fmt.Fprintf(&g, "[0:v:0]split=%d", len(direct))
	for _, i := range direct {
		fmt.Fprintf(&g, "[s%d]", i)
	}
	for _, i := range direct {
		fmt.Fprintf(&g, ";[s%d]%s%s", i, p.thin(renditions[i].Video.Divisor), scale(*renditions[i].Video))
		if len(smaller[i]) > 0 {
			fmt.Fprintf(&g, ",split=%d", 1+len(smaller[i]))
		}
		fmt.Fprintf(&g, "[v%d]", i)
		for _, k := range smaller[i] {
			fmt.Fprintf(&g, "[s%d]", k)
		}
		for _, k := range smaller[i] {
			fmt.Fprintf(&g, ";[s%d]%s[v%d]", k, scale(*renditions[k].Video), k)
		}
	}
	return g.String()
}

// larger is the rendition whose pictures r's are scaled from, -1 where that is
// the source or not among them.
func larger(renditions []ladders.Rendition, r ladders.Rendition) int {
	return slices.IndexFunc(renditions, func(l ladders.Rendition) bool {
		return r.Video.ScaledFrom == ladders.Size{W: l.Video.Width, H: l.Video.Height} && l.Video.ScaledFrom == ladders.Size{} &&
			l.Video.Divisor == r.Video.Divisor && l.Video.Scaler == r.Video.Scaler
	})
}

// thin keeps every divisor-th frame.
func (p *plan) thin(divisor int64) string {
	if divisor == 1 {
		return ""
	}
	return fmt.Sprintf("select=not(mod(n\\,%d)),", divisor)
}

func scale(v ladders.Video) string {
	return fmt.Sprintf("zscale=w=%d:h=%d:filter=%s:range=limited,format=yuv420p,setsar=1", v.Width, v.Height, v.Scaler)
}

// steps is all scaling from the source's pictures to the rendition's.
func steps(v ladders.Video) string {
	if v.ScaledFrom == (ladders.Size{}) {
		return scale(v)
	}
	larger := v
	larger.Width, larger.Height = v.ScaledFrom.W, v.ScaledFrom.H
	return scale(larger) + "," + scale(v)
}

func (p *plan) encode(i int, v ladders.Video) ([]string, error) {
	r, err := encoders.RecipeFor(v, p.Grid, false, runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(i)
	args := []string{
		"-c:v:" + n, r.Encoder,
		"-force_key_frames:v:" + n, fmt.Sprintf("expr:not(mod(n,%d))", p.Grid.FramesPerGOP/v.Divisor),
	}
	for _, o := range r.Options {
		args = append(args, "-"+o.Key+":v:"+n, o.Value)
	}
	return args, nil
}

func sound(i int, a ladders.Audio) []string {
	n := strconv.Itoa(i)
	return []string{
		"-c:a:" + n, map[string]string{"aac": "aac", "opus": "libopus", "ac-3": "ac3"}[a.Codec],
		"-b:a:" + n, bits(a.Bitrate), "-ac:a:" + n, strconv.Itoa(a.Channels), "-ar:a:" + n, strconv.Itoa(a.SampleRate),
	}
}

func bits(n int64) string { return strconv.FormatInt(n, 10) }
