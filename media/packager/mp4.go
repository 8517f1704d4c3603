package packager

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/progressive"
)

// errTwoConfigs: another encoder took the clip over half-way.
var errTwoConfigs = errors.New("its segments have more than one decoder configuration, which one file cannot hold")

// putMP4s makes the files that were asked for, each of what is at the first
// output that can be read, and puts them to every output.
func (p *Packager) putMP4s(ctx context.Context) error {
	for _, name := range p.spec.MP4 {
		t := p.tracks[name]
		if t == nil || t.rendition.Video == nil || t.takers[0].empty() {
			continue
		}
		err := p.putMP4(ctx, t, name+".mp4")
		if errors.Is(err, errTwoConfigs) {
			p.log.Warn("no MP4 file", "rendition", name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putMP4 spools the samples beside the worker: where the index ends is known
// when the last one is there.
func (p *Packager) putMP4(ctx context.Context, t *track, name string) (err error) {
	spool, err := os.CreateTemp(p.scratch, "mp4-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	var head []byte
	err = p.fromAnyOutput(name, func(o *output) (err error) {
		if err := emptied(spool); err != nil {
			return err
		}
		head, err = p.spoolMP4(ctx, o, t, spool)
		return err
	})
	if err != nil || head == nil {
		return err
	}
	size, err := spool.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	file := media.Content{Size: int64(len(head)) + size, Open: func() io.Reader {
		return io.MultiReader(bytes.NewReader(head), p.watched(io.NewSectionReader(spool, 0, size)))
	}}
	for _, o := range p.outputs {
		if err := putFile(ctx, o.sink, name, file); err != nil {
			return sinkError(o.name, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}

// emptied of what came from an output that broke off.
func emptied(spool *os.File) error {
	if err := spool.Truncate(0); err != nil {
		return err
	}
	_, err := spool.Seek(0, io.SeekStart)
	return err
}

// spoolMP4 writes the samples and gives what stands before them.
func (p *Packager) spoolMP4(ctx context.Context, from *output, t *track, spool io.Writer) ([]byte, error) {
	w := bufio.NewWriterSize(spool, 1<<20)
	file := progressive.New(w)
	takers := []*taker{t.takerOf(from)}
	for _, a := range p.soundOf(t) {
		takers = append(takers, p.tracks[a.Name].takerOf(from))
	}
	last, uris := int64(-1), make([]map[int64]string, len(takers))
	for i, k := range takers {
		init, number, err := k.initOf(ctx)
		if err != nil {
			return nil, err
		}
		if err := file.AddTrack(init); err != nil {
			return nil, err
		}
		last, uris[i] = max(last, number), k.byNumber()
	}
	for n := range last + 1 {
		bodies, err := segmentsOf(ctx, takers, uris, n)
		if err == nil {
			err = file.Add(bodies)
		}
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", n, err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return file.Head()
}

// soundOf is what plays with a rendition, the default first.
func (p *Packager) soundOf(t *track) []ladders.Rendition {
	var present []ladders.Rendition
	for _, o := range p.order {
		if !o.takers[0].empty() {
			present = append(present, o.rendition)
		}
	}
	for _, v := range ladders.Variants(p.spec.Grid, present) {
		if v.Video != nil && v.Video.Name == t.rendition.Name {
			var out []ladders.Rendition
			for _, a := range v.Audio {
				out = append(out, *a)
			}
			slices.SortStableFunc(out, func(a, b ladders.Rendition) int { return rank(a) - rank(b) })
			return out
		}
	}
	return nil
}

func rank(r ladders.Rendition) int {
	if r.Audio.Default {
		return 0
	}
	return 1
}

// initOf is the one init segment of a rendition, and the number of its last segment.
func (k *taker) initOf(ctx context.Context) ([]byte, int64, error) {
	list := k.listed()
	for _, s := range list {
		if s.Map != list[0].Map {
			return nil, 0, fmt.Errorf("%s: %w", k.t.rendition.Name, errTwoConfigs)
		}
	}
	init, err := k.out.sink.Get(ctx, k.path(list[0].Map))
	return init, list[len(list)-1].Number, err
}

// byNumber are the names of all segments.
func (k *taker) byNumber() map[int64]string {
	uris := map[int64]string{}
	for _, s := range k.listed() {
		uris[s.Number] = s.URI
	}
	return uris
}

// segmentsOf reads segment n of each; nil where there is none.
func segmentsOf(ctx context.Context, takers []*taker, uris []map[int64]string, n int64) ([][]byte, error) {
	bodies := make([][]byte, len(takers))
	for i, k := range takers {
		uri, ok := uris[i][n]
		if !ok {
			continue
		}
		body, err := k.out.sink.Get(ctx, k.path(uri))
		if err != nil {
			return nil, err
		}
		bodies[i] = body
		k.t.p.finishing.Add(1)
	}
	return bodies, nil
}

func putFile(ctx context.Context, sink media.Sink, name string, file media.Content) error {
	if f, ok := sink.(media.Filer); ok {
		return f.PutFile(ctx, name, file)
	}
	body, err := io.ReadAll(file.Open())
	if err != nil {
		return err
	}
	return sink.Put(ctx, name, body)
}

// watched counts what is read as work that is done.
func (p *Packager) watched(r io.Reader) io.Reader { return &watched{r, p} }

type watched struct {
	io.Reader
	p *Packager
}

func (w *watched) Read(b []byte) (int, error) {
	w.p.finishing.Add(1)
	return w.Reader.Read(b)
}
