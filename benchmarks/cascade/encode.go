package cascade

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/media/encoders"
)

// labelled says which colours the pictures have: raw ones do not.
const labelled = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"

// scaled is the engine's chain to a rung's size.
func scaled(r rung) string {
	return fmt.Sprintf("zscale=w=%d:h=%d:filter=%s:range=limited,format=yuv420p,setsar=1", r.Width, r.Height, r.Scaler)
}

// chain is all scaling of a way.
func (w way) chain() string {
	if w.from == nil {
		return scaled(w.to)
	}
	return scaled(*w.from) + "," + scaled(w.to)
}

// encoder are the engine's options of a rung for output i.
func encoder(r rung, i int, without ...string) ([]string, error) {
	recipe, err := encoders.RecipeFor(r.Video, r.grid, false, 1)
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(i)
	args := []string{"-c:v:" + n, recipe.Encoder, "-force_key_frames:v:" + n, fmt.Sprintf("expr:not(mod(n,%d))", r.grid.FramesPerGOP/r.Divisor)}
	for _, o := range recipe.Options {
		if !slices.Contains(without, o.Key) {
			args = append(args, "-"+o.Key+":v:"+n, o.Value)
		}
	}
	return args, nil
}

// constant is an encoder with a constant quality instead of its rate control, so
// that the points of a short clip lie on one curve.
func constant(r rung, crf float64) ([]string, error) {
	args, err := encoder(r, 0, "b", "maxrate", "bufsize")
	return append(args, "-crf:v:0", strconv.FormatFloat(crf, 'f', 1, 64)), err
}

// encode makes one file of each quality from the clip's pictures.
func (c *clip) encode(ctx context.Context, w way, crfs []float64, dir string) (names []string, err error) {
	var graph strings.Builder
	fmt.Fprintf(&graph, "[0:v]%s,%s,split=%d", labelled, w.chain(), len(crfs))
	var outputs []string
	for i, crf := range crfs {
		fmt.Fprintf(&graph, "[v%d]", i)
		o, err := constant(w.to, crf)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.nut", i))
		names = append(names, name)
		outputs = append(append(append(outputs, "-map", fmt.Sprintf("[v%d]", i)), o...), name)
	}
	args := append(append(c.pictures(), "-filter_complex_threads", "1", "-filter_complex", graph.String()), outputs...)
	_, err = ffmpeg(ctx, c.ffmpeg, args...)
	return names, err
}

// rates of files with the clip's pictures, in bit/s.
func (c *clip) rates(names []string) (out []float64, err error) {
	for _, n := range names {
		s, err := os.Stat(n)
		if err != nil {
			return nil, err
		}
		out = append(out, 8*float64(s.Size())*float64(c.rate.Num)/float64(c.rate.Den)/float64(c.frames))
	}
	return out, nil
}

// around are the four rates that a curve is drawn through, in units of the
// rung's own.
func around() []float64 { return []float64{0.5, 0.8, 1.25, 2} }

// crfs find the qualities that make these rates of a rung, from two trials.
func (c *clip) crfs(ctx context.Context, r rung, dir string) ([]float64, error) {
	trials := []float64{24, 34}
	names, err := c.encode(ctx, way{to: r}, trials, dir)
	if err != nil {
		return nil, err
	}
	got, err := c.rates(names)
	if err != nil {
		return nil, err
	}
	var out []float64
	for i, share := range around() {
		q := qualityFor(share*float64(r.Bitrate), trials, got)
		if i > 0 {
			q = min(q, out[i-1]-1) // apart, whatever the clip
		}
		out = append(out, q)
	}
	return out, nil
}

// qualityFor is the quality of a rate when its logarithm falls evenly with it,
// within what encoders are used at.
func qualityFor(rate float64, trials, got []float64) float64 {
	slope := (trials[1] - trials[0]) / math.Log(got[0]/got[1])
	q := trials[0] + slope*math.Log(got[0]/rate)
	return math.Round(10*min(46, max(14, q))) / 10
}
