// Package scale measures what scalers and denoisers keep of real pictures, and
// what they cost: the figures by which ladders' defaults were chosen.
//
// Invariants: all candidates of a case see the same decoded pictures, one after
// the other, on one thread; what the decoder and the pipes cost is measured by
// itself and taken off; quality is what a viewer's enlargement shows beside the
// original, chroma sited as MPEG has it.
package scale

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/galafarm/gala/benchmarks/harness"
)

// Options of the benchmark.
type Options struct {
	Clips    []string
	Frames   int // of each clip
	Runs     int // of each candidate, for its cost
	Binaries harness.Binaries
	Dir      string
	Command  string
	Log      io.Writer
}

// Result is one candidate of one case.
type Result struct {
	Case   string    `json:"case"`
	Filter string    `json:"filter"`
	Chain  string    `json:"chain"`
	Cost   []float64 `json:"user_ms_per_picture"`
	XPSNR  []float64 `json:"xpsnr_y_u_v_db"`
}

type candidate struct{ name, chain string }

// scalers to one size; a chain's %s is the size.
func scalers() []candidate {
	return []candidate{
		{"libswscale bilinear", "scale=%s:flags=bilinear+accurate_rnd"},
		{"libswscale bicubic", "scale=%s:flags=bicubic+accurate_rnd"},
		{"libswscale lanczos", "scale=%s:flags=lanczos+accurate_rnd"},
		{"zimg bilinear", "zscale=%s:filter=bilinear"},
		{"zimg bicubic", "zscale=%s:filter=bicubic"},
		{"zimg spline36", "zscale=%s:filter=spline36"},
		{"zimg lanczos", "zscale=%s:filter=lanczos"},
	}
}

func sizes() []string { return []string{"1280:720", "640:360"} }

// Measure makes the record.
func Measure(ctx context.Context, o Options) (harness.Record, error) {
	around := harness.Begin()
	versions, err := o.Binaries.Read(ctx)
	if err != nil {
		return harness.Record{}, err
	}
	var all []Result
	settings := []harness.Setting{{Key: "pictures of each clip", Value: strconv.Itoa(o.Frames)}, {Key: "runs of each filter", Value: strconv.Itoa(o.Runs)}}
	for _, clip := range o.Clips {
		hash, err := harness.HashFile(clip)
		if err != nil {
			return harness.Record{}, err
		}
		settings = append(settings, harness.Setting{Key: "clip", Value: filepath.Base(clip) + ", sha256 " + hash})
		found, err := o.clip(ctx, clip)
		if err != nil {
			return harness.Record{}, fmt.Errorf("%s: %w", clip, err)
		}
		all = append(all, found...)
	}
	for _, c := range scalers() {
		settings = append(settings, harness.Setting{Key: c.name, Value: fmt.Sprintf(c.chain, "W:H")})
	}
	around.End(harness.ThisHost().Cores, 0)
	return record(o, *around, versions, settings, all), nil
}

// clip runs every candidate on one clip's pictures.
func (o Options) clip(ctx context.Context, clip string) (all []Result, err error) {
	raw := filepath.Join(o.Dir, "pictures.nut")
	if _, err := o.ffmpeg(ctx, "-y", "-i", clip, "-an", "-frames:v", strconv.Itoa(o.Frames), "-pix_fmt", "yuv420p", "-c:v", "rawvideo", raw); err != nil {
		return nil, err
	}
	idle, err := o.cost(ctx, raw, "null")
	if err != nil {
		return nil, err
	}
	least := harness.Describe(idle).Min
	for _, size := range sizes() {
		for _, c := range scalers() {
			r := Result{Case: filepath.Base(clip) + " to " + strings.Replace(size, ":", "x", 1), Filter: c.name, Chain: fmt.Sprintf(c.chain, size)}
			if r.Cost, err = o.cost(ctx, raw, r.Chain); err != nil {
				return nil, err
			}
			for i := range r.Cost {
				r.Cost[i] = max(0, r.Cost[i]-least)
			}
			if r.XPSNR, err = o.kept(ctx, raw, r.Chain); err != nil {
				return nil, err
			}
			fmt.Fprintf(o.Log, "scale: %s, %s: %.2f ms, XPSNR %.2f\n", r.Case, r.Filter, harness.Describe(r.Cost).Min, r.XPSNR)
			all = append(all, r)
		}
	}
	return all, nil
}

// cost is user time for each picture, run by run, in ms.
func (o Options) cost(ctx context.Context, raw, chain string) (out []float64, err error) {
	for range o.Runs {
		u, err := harness.Measure(ctx, harness.Command{Path: o.Binaries.FFmpeg, Args: []string{
			"-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1", "-i", raw, "-vf", chain, "-f", "null", "-"}})
		if err != nil {
			return nil, err
		}
		out = append(out, 1000*u.User/float64(o.Frames))
	}
	return out, nil
}

var figures = regexp.MustCompile(`XPSNR +y: *([0-9.]+) +u: *([0-9.]+) +v: *([0-9.]+)`)

// kept compares the original with what was scaled down and enlarged again.
func (o Options) kept(ctx context.Context, raw, chain string) (out []float64, err error) {
	said, err := o.ffmpeg(ctx, "-i", raw, "-lavfi", "split=2[a][r];[a]"+chain+",zscale=1920:1080:filter=bicubic[b];[b][r]xpsnr", "-f", "null", "-")
	if err != nil {
		return nil, err
	}
	m := figures.FindSubmatch(said)
	if m == nil {
		return nil, fmt.Errorf("%s: no XPSNR in what ffmpeg said: %s", chain, said)
	}
	for _, s := range m[1:] {
		v, err := strconv.ParseFloat(string(s), 64)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (o Options) ffmpeg(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, o.Binaries.FFmpeg, append([]string{"-hide_banner", "-nostdin", "-nostats"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, errs.Bytes())
	}
	return errs.Bytes(), nil
}
