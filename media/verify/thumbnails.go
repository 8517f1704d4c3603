package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"path"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/thumbs"
)

// gallery is the thumbnails of a tree.
type gallery struct {
	cues   []thumbs.Cue
	sheets map[string]image.Rectangle // by file, those that are there
}

// readThumbnails is nil for a tree without; what is wrong with the files is
// judged as they are read.
func (t *tree) readThumbnails(ctx context.Context, b *book) (*gallery, error) {
	name := path.Join(ladders.ThumbnailsName, thumbs.VTTName)
	o, err := t.store.get(ctx, name)
	if errors.Is(err, errNotThere) {
		b.skip("no thumbnails", "thumbnails", "dash-thumbnails")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: thumbnails: %w", ErrCannotLook, err)
	}
	g := &gallery{sheets: map[string]image.Rectangle{}}
	if g.cues, err = thumbs.Parse(o.body); err != nil {
		b.holds("thumbnails", false, at(name), "%v", err)
		return nil, nil
	}
	for _, c := range g.cues {
		if _, seen := g.sheets[c.File]; !seen {
			if g.sheets[c.File], err = t.readSheet(ctx, b, c.File); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// mostPixels of a sheet: a file of a few bytes may claim to be gigabytes of picture.
const mostPixels = 64_000_000

// readSheet is the size of a picture, decoded whole; nothing when it is not one.
func (t *tree) readSheet(ctx context.Context, b *book, file string) (image.Rectangle, error) {
	name := path.Join(ladders.ThumbnailsName, file)
	o, err := t.store.get(ctx, name)
	if errors.Is(err, errNotThere) {
		b.holds("thumbnails", false, at(name), "listed, but not there")
		return image.Rectangle{}, nil
	}
	if err != nil {
		return image.Rectangle{}, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	size, err := decodeSheet(o.body)
	b.holds("thumbnails", err == nil, at(name), "%v", err)
	return size, nil
}

func decodeSheet(body []byte) (image.Rectangle, error) {
	claimed, err := jpeg.DecodeConfig(bytes.NewReader(body))
	if err != nil {
		return image.Rectangle{}, err
	}
	if claimed.Width*claimed.Height > mostPixels {
		return image.Rectangle{}, fmt.Errorf("%dx%d is too large for a sheet; at most %d megapixels are looked at", claimed.Width, claimed.Height, mostPixels/1_000_000)
	}
	picture, err := jpeg.Decode(bytes.NewReader(body))
	if err != nil {
		return image.Rectangle{}, err
	}
	return picture.Bounds(), nil
}

// judgeThumbnails: one picture after the other from the first moment of the clip
// to its last, each a part of its sheet.
func (t *tree) judgeThumbnails(b *book) {
	g := t.gallery
	if g == nil {
		return
	}
	where := at(path.Join(ladders.ThumbnailsName, thumbs.VTTName))
	var end time.Duration
	for i, c := range g.cues {
		b.holds("thumbnails", c.Start == end && c.End > c.Start, where, "thumbnail %d is shown %v–%v, the one before until %v", i, c.Start, c.End, end)
		sheet := g.sheets[c.File]
		b.holds("thumbnails", sheet.Empty() || c.At.In(sheet) && !c.At.Empty(), where, "thumbnail %d is at %v of %s, which is %v", i, c.At, c.File, sheet)
		end = c.End
	}
	if r := t.leader(); r != nil && t.complete() && len(r.segments) > 0 {
		last := r.segments[len(r.segments)-1]
		length := time.Duration(last.toMicros(last.end)) * time.Microsecond
		slack := time.Duration(last.frameMicros()+extinfSlack) * time.Microsecond
		b.holds("thumbnails", (end-length).Abs() <= slack, where, "the last is shown until %v, the clip ends at %v", end, length)
	}
	t.judgeTiles(b, g)
}

// judgeTiles: the manifest leads to the same sheets, by the clock.
func (t *tree) judgeTiles(b *book, g *gallery) {
	switch m := t.manifest; {
	case m == nil || len(g.cues) == 0:
	case len(m.doc.Periods) != 1:
		b.skip("only a clip of one Period has its thumbnails in the manifest", "dash-thumbnails")
	case len(m.images) != 1 || len(m.images[0].Representations) != 1 || m.images[0].SegmentTemplate == nil || m.images[0].SegmentTemplate.Duration == nil:
		b.holds("dash-thumbnails", false, at(manifestName), "it has %d sets of images that could be theirs", len(m.images))
	default:
		judgeTileSet(b, m.images[0], g)
	}
}

func judgeTileSet(b *book, set *mpd.AdaptationSetType, g *gallery) {
	where, rep := at(manifestName), set.Representations[0]
	var columns, rows int
	for _, d := range rep.EssentialProperties {
		_, _ = fmt.Sscanf(d.Value, "%dx%d", &columns, &rows) // 0 where it says something else
	}
	sheet, one := g.sheets[g.cues[0].File], g.cues[0].At
	b.holds("dash-thumbnails", int(rep.Width) == sheet.Dx() && int(rep.Height) == sheet.Dy(), where, "sheets are %dx%d there, and %v", rep.Width, rep.Height, sheet.Size())
	b.holds("dash-thumbnails", columns*one.Dx() == sheet.Dx() && rows*one.Dy() == sheet.Dy(), where, "%d x %d tiles of %v are not a sheet of %v", columns, rows, one.Size(), sheet.Size())
	length := time.Duration(*set.SegmentTemplate.Duration) * time.Second / time.Duration(set.SegmentTemplate.GetTimescale())
	for i, c := range g.cues {
		// The list has milliseconds: the middle of a thumbnail is safely in it.
		number := int64((c.Start + c.End) / 2 / max(1, length))
		b.holds("dash-thumbnails", c.File == thumbs.SheetName(number), where, "thumbnail %d is on sheet %d there, and on %s", i, number, c.File)
	}
}
