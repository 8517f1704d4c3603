package ladders

import (
	"cmp"
	"slices"
	"strings"

	"github.com/galafarm/gala/timeline"
)

// Variant is one entry of an HLS multivariant playlist: a video rendition with
// an audio group, or a group alone.
type Variant struct {
	// Video is nil for a variant of sound alone; its playlist is then that of
	// Audio[0].
	Video *Rendition
	// AudioGroup is empty for a source without sound.
	AudioGroup string
	// Audio are the renditions of the group, the default one first.
	Audio []*Rendition
	// Bandwidth and AverageBandwidth are the video's plus the group's dearest.
	Bandwidth, AverageBandwidth int64
	// Codecs lists every format once, video first.
	Codecs string
	// Width and Height are zero for sound alone, as is FrameRate.
	Width, Height int
	FrameRate     timeline.Rate
	// Captions are the closed-caption channels in the pictures.
	Captions []string
}

// cellularBandwidth: Apple 9.21 wants one variant that a weak cellular link holds.
const cellularBandwidth = 192_000

// startAverage bounds the variant that players meet first (Apple's default of 2 Mb/s
// and its sound).
const startAverage = 2_200_000

// Variants says how the renditions of a job on grid g combine:
//
//   - groups of one codec and channel count are steps of quality: a video takes
//     the richest whose rate is at most a quarter of its own, else the poorest;
//   - groups that differ in codec or channels are alternatives: every video is
//     listed with each;
//   - where no variant fits a weak cellular link, the poorest group is listed
//     alone (players with pictures to show pass it by);
//   - without video every group is listed alone.
//
// The first is where players start, in the range and codec that most of them
// play. The others follow by range and codec, each from the dearest down: SDR
// before HDR, H.264 before HEVC before AV1, so that each group is a whole
// ladder of what one player can show.
func Variants(g timeline.Grid, renditions []Rendition) []Variant {
	groups := audioGroups(renditions)
	var out []Variant
	for i := range renditions {
		if renditions[i].Video != nil {
			out = append(out, withGroups(g, &renditions[i], groups)...)
		}
	}
	out = append(out, alone(out, groups)...)
	order(out)
	return out
}

// audioGroup is the renditions made of one audio rung.
type audioGroup struct {
	name          string
	members       []*Rendition
	kind          string // codec and channels of its default
	peak, average int64
}

func audioGroups(renditions []Rendition) []audioGroup {
	var groups []audioGroup
	for i := range renditions {
		r := &renditions[i]
		if r.Audio == nil {
			continue
		}
		at := slices.IndexFunc(groups, func(g audioGroup) bool { return g.name == groupName(r) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, audioGroup{name: groupName(r)})
		}
		groups[at].add(r)
	}
	return groups
}

func (g *audioGroup) add(r *Rendition) {
	g.members = append(g.members, r)
	slices.SortStableFunc(g.members, func(a, b *Rendition) int { return rank(a) - rank(b) })
	first := g.members[0].Audio
	g.kind = first.Codec + string(rune('0'+first.Channels))
	g.peak, g.average = max(g.peak, r.Bandwidth), max(g.average, r.AverageBandwidth)
}

func rank(r *Rendition) int {
	if r.Audio.Default {
		return 0
	}
	return 1
}

// groupName is the rung that r was made from; a rendition that was carried
// without it has it in its name, before the language.
func groupName(r *Rendition) string {
	if r.Audio.Group != "" {
		return r.Audio.Group
	}
	return strings.TrimSuffix(r.Name, "-"+strings.ToLower(r.Audio.Language))
}

// withGroups is video with one group of every kind, or by itself.
func withGroups(g timeline.Grid, video *Rendition, groups []audioGroup) []Variant {
	if len(groups) == 0 {
		return []Variant{variant(g, video, audioGroup{})}
	}
	var out []Variant
	var kinds []string
	for _, group := range groups {
		if !slices.Contains(kinds, group.kind) {
			kinds = append(kinds, group.kind)
			out = append(out, variant(g, video, pair(video, group.kind, groups)))
		}
	}
	return out
}

// pair is the group of kind that suits video.
func pair(video *Rendition, kind string, groups []audioGroup) audioGroup {
	var best audioGroup
	for _, g := range groups {
		if g.kind != kind {
			continue
		}
		fits, bestFits := 4*g.average <= video.AverageBandwidth, 4*best.average <= video.AverageBandwidth
		if best.name == "" || fits && (!bestFits || g.average > best.average) || !fits && !bestFits && g.average < best.average {
			best = g
		}
	}
	return best
}

func variant(g timeline.Grid, video *Rendition, group audioGroup) Variant {
	v := Variant{Video: video, AudioGroup: group.name, Audio: group.members, Bandwidth: group.peak, AverageBandwidth: group.average}
	var codecs []string
	if video != nil {
		v.Width, v.Height = video.Video.Width, video.Video.Height
		v.FrameRate, v.Captions = g.Rate.Div(video.Video.Divisor), video.Video.Captions
		v.Bandwidth, v.AverageBandwidth = v.Bandwidth+video.Bandwidth, v.AverageBandwidth+video.AverageBandwidth
		codecs = append(codecs, video.Codecs)
	}
	for _, m := range group.members {
		if !slices.Contains(codecs, m.Codecs) {
			codecs = append(codecs, m.Codecs)
		}
	}
	v.Codecs = strings.Join(codecs, ",")
	return v
}

// alone are the variants of sound alone that belong beside the others.
func alone(with []Variant, groups []audioGroup) []Variant {
	var out []Variant
	if len(with) == 0 {
		for _, g := range groups {
			out = append(out, variant(timeline.Grid{}, nil, g))
		}
		return out
	}
	if len(groups) == 0 || slices.ContainsFunc(with, func(v Variant) bool { return v.Bandwidth <= cellularBandwidth }) {
		return nil
	}
	poorest := slices.MinFunc(groups, func(a, b audioGroup) int { return cmp.Compare(a.peak, b.peak) })
	return []Variant{variant(timeline.Grid{}, nil, poorest)}
}

// order puts the dearest of each group first, and before all the one to start
// with: the richest of the first group that a middling link holds.
func order(all []Variant) {
	slices.SortStableFunc(all, func(a, b Variant) int {
		return cmp.Or(cmp.Compare(a.reach(), b.reach()), cmp.Compare(b.Bandwidth, a.Bandwidth))
	})
	start := slices.IndexFunc(all, func(v Variant) bool {
		return v.AverageBandwidth <= startAverage && v.reach() == all[0].reach()
	})
	if start > 0 {
		first := all[start]
		copy(all[1:start+1], all[:start])
		all[0] = first
	}
}

// reach orders variants by how many players show them; sound alone comes last,
// it is for nobody who can show pictures.
func (v Variant) reach() int {
	if v.Video == nil {
		return 6
	}
	place := slices.Index([]string{"h264", "hevc", "av1"}, v.Video.Video.Codec)
	if v.Video.Video.Range.HDR() {
		place += 3
	}
	return place
}
