package ladders

import (
	"fmt"
	"strings"
	"time"

	"github.com/galafarm/gala/timeline"
)

// ThumbnailsName is the folder of a job's thumbnails.
const ThumbnailsName = "thumbnails"

// ThumbnailRung is the authored kind of thumbnails: small pictures at equal
// distances, many on a sheet, by which a viewer finds a place in a clip.
type ThumbnailRung struct {
	Width, Height int // of one; exactly one of the two
	Interval      time.Duration
	Columns, Rows int // of a sheet
}

// Thumbnails are those of a job: thumbnail k shows frame k·Every of the grid.
type Thumbnails struct {
	From          string // the rendition whose pictures they are
	Width, Height int    // even
	Every         int64  // frames of the grid
	Columns, Rows int
}

// What thumbnails may be, and are where a ladder does not say.
const (
	minThumb, maxThumb     = 32, 480
	longestThumb           = 1280 // of pictures that are much longer than high
	maxTiles, defaultTiles = 10, 5
	leastApart, mostApart  = 500 * time.Millisecond, time.Minute
	defaultApart           = 5 * time.Second
	noSDR                  = "no thumbnails: no rung is SDR, and other pictures would come out dull; add an SDR rung"
)

func (v value) thumbnails() *ThumbnailRung {
	t := &ThumbnailRung{Interval: defaultApart, Columns: defaultTiles, Rows: defaultTiles}
	number := func(to *int, low, high int) func(value) {
		return func(at value) { *to = at.integer(low, high) }
	}
	got := v.mapping([]key{
		{"height", number(&t.Height, minThumb, maxThumb)},
		{"width", number(&t.Width, minThumb, maxThumb)},
		{"interval", func(at value) { t.Interval = at.duration(leastApart, mostApart) }},
		{"columns", number(&t.Columns, 1, maxTiles)},
		{"rows", number(&t.Rows, 1, maxTiles)},
	})
	if n := got.count("height", "width"); got != nil && n != 1 {
		v.d.at(firstToken(v.node), v.path, "give exactly one of height (90) and width (160); %d are given", n)
	}
	return t
}

func (t *ThumbnailRung) String() string {
	size := fmt.Sprintf("height: %d", t.Height)
	if t.Height == 0 {
		size = fmt.Sprintf("width: %d", t.Width)
	}
	return fmt.Sprintf("{%s, interval: %s, columns: %d, rows: %d}", size, t.Interval, t.Columns, t.Rows)
}

// checkThumbnails keeps their folder free.
func checkThumbnails(got given, l *Ladder, taken map[string]value) {
	if rung, ok := taken[ThumbnailsName]; ok && l.Thumbnails != nil {
		rung.fail("%q is the folder of the ladder's thumbnails; choose another name", ThumbnailsName)
	}
	if at, ok := got["thumbnails"]; ok && len(l.Video) == 0 {
		at.fail("the ladder has no video rung that they could show")
	}
}

// thumbnails of a clip, from the smallest pictures that are large enough.
func (r *resolver) thumbnails() {
	t := r.ladder.Thumbnails
	if t == nil || r.source.Video == nil {
		return
	}
	if r.kind == Live {
		r.note("thumbnails are made for clips; this live job goes without")
		return
	}
	from := r.shown(t)
	if from == nil {
		r.note(noSDR)
		return
	}
	out := Thumbnails{From: from.Name, Columns: t.Columns, Rows: t.Rows, Every: r.apart(t.Interval, from.Video.Divisor)}
	out.Width, out.Height = t.size(from.Video)
	r.out.Thumbnails = &out
}

// size of one, in the shape of v: even, and not endless.
func (t *ThumbnailRung) size(v *Video) (w, h int) {
	w, h = t.Width, t.Height
	if h > 0 {
		w = scaleSide(v.Width, h, v.Height)
	} else {
		h = scaleSide(v.Height, w, v.Width)
	}
	if long := max(w, h); long > longestThumb {
		w, h = scaleSide(w, longestThumb, long), scaleSide(h, longestThumb, long)
	}
	return w &^ 1, h &^ 1
}

// scaleSide is side·num/den, even and visible.
func scaleSide(side, num, den int) int { return max(2, (side*num/den+1)&^1) }

// shown is the smallest SDR rendition that need not be enlarged, else the largest.
func (r *resolver) shown(t *ThumbnailRung) *Rendition {
	var best *Rendition
	enough := func(v *Video) bool { return v.Width >= t.Width && v.Height >= t.Height }
	for i := range r.out.Renditions {
		x := &r.out.Renditions[i]
		switch {
		case x.Video == nil || x.Video.Range.HDR():
		case best == nil,
			enough(x.Video) && (!enough(best.Video) || x.Video.pixels() < best.Video.pixels()),
			!enough(best.Video) && x.Video.pixels() > best.Video.pixels():
			best = x
		}
	}
	return best
}

func (v *Video) pixels() int { return v.Width * v.Height }

// apart is an interval in frames that the rendition has.
func (r *resolver) apart(interval time.Duration, divisor int64) int64 {
	rate := r.out.Grid.Rate.Div(divisor)
	frames := timeline.Rescale(int64(interval), timeline.Timebase{Num: 1, Den: int64(time.Second)}, timeline.Timebase{Num: rate.Den, Den: rate.Num})
	return max(1, frames) * divisor
}

// describe is one line for people.
func (t *Thumbnails) describe() string {
	return fmt.Sprintf("thumbnails %dx%d of %s, every %d frames, %d × %d on a sheet\n", t.Width, t.Height, t.From, t.Every, t.Columns, t.Rows)
}

func (l *Ladder) describeThumbnails(b *strings.Builder) {
	if l.Thumbnails != nil {
		fmt.Fprintf(b, "thumbnails %s\n", l.Thumbnails)
	}
}
