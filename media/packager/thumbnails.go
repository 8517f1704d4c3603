package packager

import (
	"context"
	"fmt"
	"image"
	"path"
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/thumbs"
	"github.com/galafarm/gala/timeline"
)

// Stills takes the pictures of a segment that are presented at these ticks, in
// 4:2:0 at this size.
type Stills func(ctx context.Context, init, segment []byte, at []int64, width, height int) ([]*image.YCbCr, error)

// sheets are the thumbnails of a clip, finished.
type sheets struct {
	plan   thumbs.Plan
	bodies [][]byte
}

// drawThumbnails makes them from what is at the first output that can be read.
func (p *Packager) drawThumbnails(ctx context.Context) error {
	if p.spec.Thumbnails == nil || p.stills == nil {
		return nil
	}
	t := p.tracks[p.spec.Thumbnails.From]
	if t == nil || t.rendition.Video == nil {
		return nil // of a job that is split: the one that has the rendition makes them
	}
	return p.fromAnyOutput("thumbnails", func(o *output) (err error) {
		p.sheets, err = t.takerOf(o).draw(ctx, *p.spec.Thumbnails)
		return err
	})
}

// fromAnyOutput makes something of what is at an output: of the first that can
// be read back, since all have the same.
func (p *Packager) fromAnyOutput(what string, try func(*output) error) error {
	for _, o := range p.outputs {
		err := try(o)
		if err == nil {
			return nil
		}
		if !blind(err) {
			return sinkError(o.name, fmt.Errorf("%s: %w", what, err))
		}
		p.log.Warn(what+" are left out: the output cannot be read back", "output", o.name, "error", err)
	}
	return nil
}

func (k *taker) draw(ctx context.Context, want ladders.Thumbnails) (*sheets, error) {
	list := k.listed()
	out := &sheets{plan: thumbs.Plan{Thumbnails: want, Grid: k.t.p.spec.Grid, Frames: k.frames(list)}}
	var open thumbs.Sheet
	next := int64(0)
	put := func(pic *image.YCbCr) error {
		_, at := out.plan.Place(next)
		if next%out.plan.PerSheet() == 0 {
			open = out.plan.NewSheet()
		}
		if next++; next%out.plan.PerSheet() != 0 && next < out.plan.Count() {
			return open.Put(at, pic)
		}
		if err := open.Put(at, pic); err != nil {
			return err
		}
		body, err := open.JPEG()
		out.bodies = append(out.bodies, body)
		return err
	}
	for _, s := range list {
		pics, err := k.stillsOf(ctx, s, out.plan)
		if err != nil {
			return nil, err
		}
		for _, pic := range pics {
			if err := put(pic); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// frames of the grid that the listed segments last.
func (k *taker) frames(list []hls.Segment) int64 {
	var length hls.Micros
	for _, s := range list {
		length += s.Duration
	}
	rate := k.t.p.spec.Grid.Rate
	return timeline.Rescale(int64(length), timeline.Timebase{Num: 1, Den: 1_000_000}, timeline.Timebase{Num: rate.Den, Den: rate.Num})
}

// stillsOf one segment; those without a thumbnail are not even read.
func (k *taker) stillsOf(ctx context.Context, s hls.Segment, plan thumbs.Plan) ([]*image.YCbCr, error) {
	k.t.p.finishing.Add(1)
	g, every := k.t.p.spec.Grid, plan.Every
	from, until := g.FirstFrame(s.Number), min(g.FirstFrame(s.Number+1), plan.Frames)
	var at []int64
	for n := (from + every - 1) / every * every; n < until; n += every {
		at = append(at, g.Ticks(n))
	}
	if len(at) == 0 {
		return nil, nil
	}
	init, err := k.out.sink.Get(ctx, k.path(s.Map))
	if err != nil {
		return nil, err
	}
	body, err := k.out.sink.Get(ctx, k.path(s.URI))
	if err != nil {
		return nil, err
	}
	pics, err := k.t.p.stills(ctx, init, body, at, plan.Width, plan.Height)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.path(s.URI), err)
	}
	return pics, nil
}

// putThumbnails writes the sheets, then the list of them.
func (o *output) putThumbnails(ctx context.Context) error {
	s := o.p.sheets
	if s == nil || len(s.bodies) == 0 {
		return nil
	}
	for n, body := range s.bodies {
		if err := o.sink.Put(ctx, path.Join(ladders.ThumbnailsName, thumbs.SheetName(int64(n))), body); err != nil {
			return err
		}
	}
	return o.sink.Put(ctx, path.Join(ladders.ThumbnailsName, thumbs.VTTName), s.plan.VTT())
}

// tiles are the thumbnails as a manifest has them.
func (s *sheets) tiles() *dash.Tiles {
	if s == nil || len(s.bodies) == 0 {
		return nil
	}
	largest := len(slices.MaxFunc(s.bodies, func(a, b []byte) int { return len(a) - len(b) }))
	size, ticks := s.plan.Size(), s.plan.Grid.Ticks(s.plan.Every*s.plan.PerSheet())
	return &dash.Tiles{
		Name: ladders.ThumbnailsName, Width: size.Dx(), Height: size.Dy(), Columns: s.plan.Columns, Rows: s.plan.Rows, Ticks: ticks,
		Bandwidth: timeline.Rescale(int64(largest)*8, timeline.Timebase{Num: s.plan.Grid.Timescale, Den: ticks}, timeline.Timebase{Num: 1, Den: 1}),
	}
}
