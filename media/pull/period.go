package pull

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/timeline"
)

// choice is what a track takes from every Period: the best picture, or the best
// sound in a language.
type choice struct {
	sound    bool
	language string
}

// choices are the tracks of a manifest, by its newest Period that has any.
func choices(doc *mpd.MPD) []choice {
	for _, p := range slices.Backward(doc.Periods) {
		var all []choice
		for _, set := range p.AdaptationSets {
			c := choice{sound: kind(set) == "audio"}
			if c.sound {
				c.language = set.Lang
			}
			if (c.sound || kind(set) == "video") && !slices.Contains(all, c) && c.best(p) != nil {
				all = append(all, c)
			}
		}
		if len(all) > 0 {
			slices.SortStableFunc(all, func(a, b choice) int { // the picture leads
				return map[bool]int{true: 1}[a.sound] - map[bool]int{true: 1}[b.sound]
			})
			return all
		}
	}
	return nil
}

// kind of a set: video, audio, or anything else.
func kind(set *mpd.AdaptationSetType) string {
	if set.ContentType != "" {
		return string(set.ContentType)
	}
	mime := set.MimeType
	if mime == "" && len(set.Representations) > 0 {
		mime = set.Representations[0].MimeType
	}
	before, _, _ := strings.Cut(mime, "/")
	return before
}

// best is the representation of a Period to take: of pictures the largest, then
// the richest; of sounds the main one, then the richest.
func (c choice) best(p *mpd.Period) *mpd.RepresentationType {
	var best *mpd.RepresentationType
	var rank [2]int64
	for _, set := range p.AdaptationSets {
		if c.sound != (kind(set) == "audio") || !c.sound && kind(set) != "video" || c.sound && set.Lang != c.language || trick(set) {
			continue
		}
		for _, r := range set.Representations {
			if mime := r.GetMimeType(); mime != "" && !strings.HasSuffix(mime, "/mp4") {
				continue
			}
			this := [2]int64{int64(max(r.Width, set.Width)) * int64(max(r.Height, set.Height)), int64(r.Bandwidth)}
			if c.sound {
				this[0] = mainRole(set)
			}
			if best == nil || slices.Compare(this[:], rank[:]) > 0 {
				best, rank = r, this
			}
		}
	}
	return best
}

// trick: pictures for winding, or anything that only some players understand.
func trick(set *mpd.AdaptationSetType) bool {
	return slices.ContainsFunc(set.EssentialProperties, func(d *mpd.DescriptorType) bool {
		return strings.Contains(string(d.SchemeIdUri), "trickmode")
	})
}

// mainRole is 1 for the main sound, or one that has no role.
func mainRole(set *mpd.AdaptationSetType) int64 {
	if len(set.Roles) == 0 || slices.ContainsFunc(set.Roles, func(d *mpd.DescriptorType) bool { return d.Value == "main" }) {
		return 1
	}
	return 0
}

// representation is one of one Period, with what it inherits.
type representation struct {
	period      *mpd.Period
	id          string
	bandwidth   uint32
	init, media string
	base        *url.URL
	place       place
	number      int64
	last        int64 // number of its last segment, -1: not told
	duration    int64 // in ticks; 0 where a timeline is given
	timeline    *mpd.SegmentTimelineType
	end         int64 // of the Period, in ns; -1: open
}

var errDRM = errors.New("it is encrypted (ContentProtection)")

// spans are the segments of all Periods that are there by now, as runs.
func (m *manifest) spans(now time.Time) ([]span, error) {
	var all []span
	for i, p := range m.doc.Periods {
		r := m.pick.best(p)
		if r == nil {
			continue
		}
		if len(r.GetContentProtections())+len(r.Parent().ContentProtections)+len(p.ContentProtections)+len(m.doc.ContentProtection) > 0 {
			return nil, refusal(fmt.Sprintf("source %s: %v", m.name(), errDRM), "give a source in clear")
		}
		one, err := m.represent(p, r)
		if err == nil {
			one.end, err = m.endOf(i)
		}
		if err != nil {
			return nil, malformedManifest(m.at, err)
		}
		all = append(all, one.spans(now.Sub(m.zero).Nanoseconds(), m.doc.GetType() == mpd.STATIC_TYPE)...)
	}
	return all, nil
}

// endOf is when a Period ends, in ns: where the next begins, where that is told.
func (m *manifest) endOf(i int) (int64, error) {
	p := m.doc.Periods[i]
	start, err := p.GetStart()
	switch {
	case err != nil:
		return 0, err
	case i+1 < len(m.doc.Periods):
		next, err := m.doc.Periods[i+1].GetStart()
		return int64(next), err
	case p.Duration != nil:
		return int64(start + *p.Duration), nil
	case m.doc.MediaPresentationDuration != nil:
		return int64(*m.doc.MediaPresentationDuration), nil
	}
	return -1, nil
}

// represent collects what holds for r: what is nearest counts (§5.3.9.1).
func (m *manifest) represent(p *mpd.Period, r *mpd.RepresentationType) (*representation, error) {
	start, err := p.GetStart()
	if err != nil {
		return nil, err
	}
	set := r.Parent()
	out := &representation{period: p, id: r.Id, bandwidth: r.Bandwidth, number: 1, last: -1, base: m.at, place: place{start: int64(start), base: timeline.Timebase{Num: 1, Den: 1}}}
	for _, t := range []*mpd.SegmentTemplateType{p.SegmentTemplate, set.SegmentTemplate, r.SegmentTemplate} {
		if t != nil {
			out.inherit(t)
		}
	}
	for _, all := range [][]*mpd.BaseURLType{m.doc.BaseURL, p.BaseURLs, set.BaseURLs, r.BaseURLs} {
		if len(all) > 0 {
			if out.base, err = out.base.Parse(strings.TrimSpace(string(all[0].Value))); err != nil {
				return nil, fmt.Errorf("BaseURL %q is no address", all[0].Value)
			}
		}
	}
	if out.media == "" || out.init == "" || out.duration == 0 && out.timeline == nil {
		return nil, fmt.Errorf("representation %s is not addressed by a SegmentTemplate with an init segment", r.Id)
	}
	return out, nil
}

func (r *representation) inherit(t *mpd.SegmentTemplateType) {
	if t.Media != "" {
		r.media = t.Media
	}
	if t.Initialization != "" {
		r.init = t.Initialization
	}
	if t.Timescale != nil && *t.Timescale > 0 {
		r.place.base.Den = int64(*t.Timescale)
	}
	if t.PresentationTimeOffset != nil {
		r.place.offset = int64(*t.PresentationTimeOffset)
	}
	if t.StartNumber != nil {
		r.number = int64(*t.StartNumber)
	}
	if t.EndNumber != nil {
		r.last = int64(*t.EndNumber)
	}
	if t.Duration != nil {
		r.duration = int64(*t.Duration)
	}
	if t.SegmentTimeline != nil {
		r.timeline, r.duration = t.SegmentTimeline, 0
	}
}
