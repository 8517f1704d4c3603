package cascade

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/benchmarks/harness"
)

// Options of the benchmark.
type Options struct {
	Clips    []string
	Frames   int // of each clip
	Runs     int // of each ladder's scaling, for its cost
	Binaries harness.Binaries
	Dir      string
	Command  string
	Log      io.Writer
}

// Result is one way to make a size of one clip.
type Result struct {
	Clip    string    `json:"clip"`
	Size    string    `json:"size"`
	From    string    `json:"from"` // a size, "" for the source
	Ratio   float64   `json:"ratio"`
	Quality []float64 `json:"crf"`
	Screen  []Point   `json:"xpsnr_at_the_source_s_size"`
	Plain   []Point   `json:"psnr_at_the_source_s_size"`
	Neutral []Point   `json:"xpsnr_at_the_rung_s_size"`
	// Bits that the way costs beside the direct one, in per cent.
	ScreenBD  float64 `json:"bd_rate_xpsnr_at_the_source_s_size"`
	PlainBD   float64 `json:"bd_rate_psnr_at_the_source_s_size"`
	NeutralBD float64 `json:"bd_rate_xpsnr_at_the_rung_s_size"`
}

// raw is what the figures are made from.
type raw struct {
	Results []Result `json:"ways"`
	Costs   []Cost   `json:"costs"`
}

// Measure makes the record.
func Measure(ctx context.Context, o Options) (harness.Record, error) {
	around := harness.Begin()
	versions, err := o.Binaries.Read(ctx)
	if err != nil {
		return harness.Record{}, err
	}
	var all raw
	settings := []harness.Setting{{Key: "pictures of each clip", Value: strconv.Itoa(o.Frames)}, {Key: "preset of the encodes", Value: preset}}
	var clips []*clip
	for i, path := range o.Clips {
		dir := filepath.Join(o.Dir, strconv.Itoa(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return harness.Record{}, err
		}
		c, err := openClip(ctx, o.Binaries, path, o.Frames, dir)
		if err != nil {
			return harness.Record{}, err
		}
		hash, err := harness.HashFile(path)
		if err != nil {
			return harness.Record{}, err
		}
		settings = append(settings, harness.Setting{Key: "clip", Value: fmt.Sprintf("%s, %dx%d, %d pictures at %s a second, sha256 %s", c.name(), c.width, c.height, c.frames, c.rate, hash)})
		found, err := o.quality(ctx, c, dir)
		if err != nil {
			return harness.Record{}, fmt.Errorf("%s: %w", path, err)
		}
		all.Results, clips = append(all.Results, found...), append(clips, c)
	}
	if all.Costs, err = o.costs(ctx, clips, passing(all.Results)); err != nil {
		return harness.Record{}, err
	}
	around.End(harness.ThisHost().Cores, 0)
	return record(o, *around, versions, settings, all), nil
}

// quality measures every way of one clip, as many at once as there are cores:
// what is measured does not depend on time.
func (o Options) quality(ctx context.Context, c *clip, dir string) ([]Result, error) {
	all, err := waysOf(c.width, c.height, c.rate)
	if err != nil {
		return nil, err
	}
	crfs, err := o.allCRFs(ctx, c, all, dir)
	if err != nil {
		return nil, err
	}
	out := make([]Result, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i, w := range all {
		g.Go(func() (err error) {
			out[i], err = c.measure(ctx, w, crfs[w.to.size()], filepath.Join(dir, strconv.Itoa(i)))
			fmt.Fprintf(o.Log, "cascade: %s, %s: XPSNR %.3f, PSNR %.3f, at its size %.3f dB\n", c.name(), w, qualities(out[i].Screen), qualities(out[i].Plain), qualities(out[i].Neutral))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, beside(out)
}

func (o Options) allCRFs(ctx context.Context, c *clip, all []way, dir string) (map[string][]float64, error) {
	out := map[string][]float64{}
	for _, w := range all {
		if w.from != nil {
			continue
		}
		crfs, err := c.crfs(ctx, w.to, dir)
		if err != nil {
			return nil, err
		}
		out[w.to.size()] = crfs
	}
	return out, nil
}

// measure encodes one way at these qualities and looks at it.
func (c *clip) measure(ctx context.Context, w way, crfs []float64, dir string) (Result, error) {
	r := Result{Clip: c.name(), Size: w.to.size(), Quality: crfs}
	if w.from != nil {
		r.From, r.Ratio = w.from.size(), w.to.ratio(*w.from)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	names, err := c.encode(ctx, w, crfs, dir)
	if err != nil {
		return r, err
	}
	rates, err := c.rates(names)
	if err != nil {
		return r, err
	}
	found, err := c.see(ctx, w.to, names)
	for i, s := range found {
		r.Screen = append(r.Screen, Point{rates[i], s.screen})
		r.Plain = append(r.Plain, Point{rates[i], s.plain})
		r.Neutral = append(r.Neutral, Point{rates[i], s.neutral})
	}
	return r, err
}

// beside holds every other way of a size against the direct one.
func beside(all []Result) (err error) {
	direct := map[string]Result{}
	for i, r := range all {
		if r.From == "" {
			direct[r.Size] = r
			continue
		}
		d := direct[r.Size]
		for _, c := range []struct {
			to           *float64
			anchor, test []Point
		}{{&all[i].ScreenBD, d.Screen, r.Screen}, {&all[i].PlainBD, d.Plain, r.Plain}, {&all[i].NeutralBD, d.Neutral, r.Neutral}} {
			if *c.to, err = bdRate(c.anchor, c.test); err != nil {
				return fmt.Errorf("%s from %s: %w", r.Size, r.From, err)
			}
		}
	}
	return nil
}

func qualities(points []Point) (out []float64) {
	for _, p := range points {
		out = append(out, p.Quality)
	}
	return out
}
