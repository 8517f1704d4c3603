package cascade

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// ladderNames are the ladders whose sizes are measured, by what a size is first
// found in.
func ladderNames() []string { return []string{"hd", "mini"} }

// preset of every encode: the ladders' own are slower and cost the same bits on
// both sides.
const preset = "fast"

// rung is one size of a ladder.
type rung struct {
	ladder string
	grid   timeline.Grid
	ladders.Video
}

func (r rung) size() string { return fmt.Sprintf("%dx%d", r.Width, r.Height) }

func (r rung) area() int { return r.Width * r.Height }

// ratio is how many lines of from become one.
func (r rung) ratio(from rung) float64 { return float64(from.Height) / float64(r.Height) }

// sizesOf are the sizes below the source's that a ladder makes of it, the
// largest first, with the cheapest rung of each.
func sizesOf(name string, w, h int, rate timeline.Rate) ([]rung, error) {
	l, err := ladders.Load(name)
	if err != nil {
		return nil, err
	}
	source := ladders.Source{Video: &ladders.SourceVideo{Width: w, Height: h, Rate: rate, BitDepth: 8}, Audio: []ladders.SourceAudio{{Channels: 2, SampleRate: 48000, Language: "und"}}}
	made, err := ladders.Resolve(l, source, ladders.VOD)
	if err != nil {
		return nil, err
	}
	bySize := map[string]rung{}
	for _, r := range made.Renditions {
		if r.Video == nil || r.Video.Width >= w {
			continue
		}
		v := rung{ladder: name, grid: made.Grid, Video: *r.Video}
		v.Preset = preset
		if was, ok := bySize[v.size()]; !ok || was.Bitrate > v.Bitrate {
			bySize[v.size()] = v
		}
	}
	var out []rung
	for _, r := range bySize {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rung) int { return cmp.Compare(b.area(), a.area()) })
	return out, nil
}

// least and widest ratio of two rungs that are worth a look: what lies closer
// together saves little, and between what lies further apart there is another.
const least, widest = 1.3, 2.5

// way is a rung and the rung that it is scaled from; nil is the source.
type way struct {
	to   rung
	from *rung
}

func (w way) String() string {
	if w.from == nil {
		return w.to.size()
	}
	return w.to.size() + " from " + w.from.size()
}

// waysOf are all ways to make the sizes of all ladders, each once, the direct
// way of a size before its others.
func waysOf(w, h int, rate timeline.Rate) (out []way, err error) {
	seen := map[string]bool{}
	for _, name := range ladderNames() {
		rungs, err := sizesOf(name, w, h, rate)
		if err != nil {
			return nil, err
		}
		for i, r := range rungs {
			for _, x := range ways(r, rungs[:i]) {
				if !seen[x.String()] {
					seen[x.String()] = true
					out = append(out, x)
				}
			}
		}
	}
	return slices.DeleteFunc(out, func(w way) bool {
		return w.from == nil && !slices.ContainsFunc(out, func(o way) bool { return o.from != nil && o.to.size() == w.to.size() })
	}), nil
}

func ways(r rung, larger []rung) []way {
	out := []way{{to: r}}
	for _, l := range larger {
		if q := r.ratio(l); q >= least && q <= widest {
			out = append(out, way{r, &l})
		}
	}
	return out
}
