package cascade

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// seen is the quality of one file in dB of luma: XPSNR and PSNR at the source's
// size, XPSNR at the rung's.
type seen struct{ screen, plain, neutral float64 }

// see compares encoded pictures with the clip's, both ways.
func (c *clip) see(ctx context.Context, r rung, names []string) ([]seen, error) {
	args := c.pictures()
	for _, n := range names {
		args = append(args, "-i", n)
	}
	said, err := ffmpeg(ctx, c.ffmpeg, append(args, "-filter_complex_threads", "1", "-filter_complex", c.seeing(r, len(names)), "-f", "null", "-")...)
	if err != nil {
		return nil, err
	}
	return figures(said, len(names))
}

// seeing is the graph: input 0 is the clip, the others are what was made of it.
// All in 8 bits: the xpsnr of FFmpeg 9.0 gives nonsense (2 dB) for small pictures
// of 10 bits.
func (c *clip) seeing(r rung, n int) string {
	var g strings.Builder
	const counted = labelled + ",settb=1/1000,setpts=N"
	fmt.Fprintf(&g, "[0:v]%s,split=2[whole][cut];[whole]split=%d", counted, 2*n)
	for i := range n {
		fmt.Fprintf(&g, "[w%d][p%d]", i, i)
	}
	fmt.Fprintf(&g, ";[cut]zscale=w=%d:h=%d:filter=spline36,format=yuv420p,split=%d", r.Width, r.Height, n)
	for i := range n {
		fmt.Fprintf(&g, "[c%d]", i)
	}
	for i := range n {
		fmt.Fprintf(&g, ";[%d:v]%s,split=2[a%d][b%d]", i+1, counted, i, i)
		fmt.Fprintf(&g, ";[a%d]zscale=w=%d:h=%d:filter=bicubic,format=yuv420p,split=2[A%d][P%d];[A%d][w%d]xpsnr@screen%d;[P%d][p%d]psnr@plain%d", i, c.width, c.height, i, i, i, i, i, i, i, i)
		fmt.Fprintf(&g, ";[b%d][c%d]xpsnr@neutral%d", i, i, i)
	}
	return g.String()
}

var figure = regexp.MustCompile(`\[x?psnr@(screen|plain|neutral)(\d+) @ [^]]*\] X?PSNR +y: *([0-9.]+)`)

// figures are what the filters said, each under its own name.
func figures(said []byte, n int) ([]seen, error) {
	out := make([]seen, n)
	for _, m := range figure.FindAllSubmatch(said, -1) {
		i, _ := strconv.Atoi(string(m[2]))
		v, err := strconv.ParseFloat(string(m[3]), 64)
		if err != nil || i >= n {
			return nil, fmt.Errorf("read XPSNR: %q", m[0])
		}
		s := &out[i]
		*map[string]*float64{"screen": &s.screen, "plain": &s.plain, "neutral": &s.neutral}[string(m[1])] = v
	}
	for i, s := range out {
		if s.screen == 0 || s.plain == 0 || s.neutral == 0 {
			return nil, fmt.Errorf("no figure of file %d in what ffmpeg said: %s", i, said)
		}
	}
	return out, nil
}

func ffmpeg(ctx context.Context, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, append([]string{"-hide_banner", "-nostdin", "-nostats", "-y"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, errs.Bytes())
	}
	return errs.Bytes(), nil
}
