package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

const manifestName = "manifest.mpd"

// manifest is the DASH manifest of the tree: what its Representations promise.
type manifest struct {
	doc      *mpd.MPD
	promises []promise
}

// promise is one Representation in one Period.
type promise struct {
	rep    *mpd.RepresentationType
	set    *mpd.AdaptationSetType
	tmpl   *mpd.SegmentTemplateType
	start  time.Duration // of the Period
	length time.Duration // 0: open
	r      *rendition    // nil where HLS has none of that name
}

// readManifest is nil where the tree has none, as a live job's in its first seconds.
func (t *tree) readManifest(ctx context.Context, b *book) (*manifest, error) {
	o, err := t.store.get(ctx, manifestName)
	if errors.Is(err, errNotThere) {
		b.skip("no "+manifestName, dashIDs()...)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrCannotLook, err)
	}
	b.looked("dash")
	doc, err := parseManifest(o.body)
	if err != nil {
		b.broke("dash", at(manifestName), "%v", err)
		return nil, nil
	}
	return &manifest{doc: doc}, nil
}

// parseManifest outlives the library's own panics on a stranger's file.
func parseManifest(body []byte) (doc *mpd.MPD, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return mpd.MPDFromBytes(body)
}

// judgeManifest compares the manifest with what the playlists led to.
func (t *tree) judgeManifest(b *book) {
	m := t.manifest
	if m == nil || t.master == nil {
		return
	}
	b.holds("dash", len(m.doc.Periods) > 0, at(manifestName), "it has no Period")
	b.holds("dash", m.doc.Profiles != "", at(manifestName), "it has no profiles")
	for i, p := range m.doc.Periods {
		for _, set := range p.AdaptationSets {
			judgeSet(b, set)
			for _, r := range set.Representations {
				m.add(b, t, promise{rep: r, set: set, tmpl: r.GetSegmentTemplate(), start: since(p.Start), length: m.lengthOf(i)})
			}
		}
	}
	t.judgeManifestKind(b)
	t.judgeSame(b)
	for _, p := range m.promises {
		p.judge(b, t)
	}
}

func since(d *mpd.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// lengthOf a Period: its own, or what the presentation leaves it (§5.3.2.1).
func (m *manifest) lengthOf(i int) time.Duration {
	p := m.doc.Periods[i]
	switch {
	case p.Duration != nil:
		return since(p.Duration)
	case i+1 < len(m.doc.Periods):
		return since(m.doc.Periods[i+1].Start) - since(p.Start)
	case m.doc.MediaPresentationDuration != nil:
		return since(m.doc.MediaPresentationDuration) - since(p.Start)
	}
	return 0
}

// add keeps a promise that can be checked.
func (m *manifest) add(b *book, t *tree, p promise) {
	whole := p.tmpl != nil && p.tmpl.StartNumber != nil && (p.tmpl.Duration != nil && *p.tmpl.Duration > 0 || p.tmpl.SegmentTimeline != nil)
	b.holds("dash", whole, at(manifestName), "%s has no template with numbers and times", p.rep.Id)
	if !whole {
		return
	}
	p.r = t.named(p.rep.Id)
	m.promises = append(m.promises, p)
}

func judgeSet(b *book, set *mpd.AdaptationSetType) {
	where, kind := at(manifestName), string(set.ContentType)
	b.holds("dash-sets", set.SegmentAlignment && set.StartWithSAP == 1, where, "set of %s: segmentAlignment %v, startWithSAP %d", kind, set.SegmentAlignment, set.StartWithSAP)
	b.holds("dash-sets", kind != "audio" || set.Lang != "", where, "a set of sound without a language")
	families := map[string]bool{}
	for _, r := range set.Representations {
		family, _, _ := strings.Cut(r.GetCodecs(), ".")
		families[family] = true
	}
	b.holds("dash-sets", len(families) == 1, where, "a set of %s has %d codec families", kind, len(families))
}

// judgeManifestKind: what is on air says when to ask for what, and what is over
// says so, as the playlists do.
func (t *tree) judgeManifestKind(b *book) {
	doc, where := t.manifest.doc, at(manifestName)
	dynamic := doc.GetType() == mpd.DYNAMIC_TYPE
	b.holds("dash-type", dynamic == !t.complete(), where, "it is %s; the playlists are at their end: %v", doc.GetType(), t.complete())
	if dynamic {
		for name, ok := range map[string]bool{
			"availabilityStartTime": doc.AvailabilityStartTime != "", "publishTime": doc.PublishTime != "", "minimumUpdatePeriod": doc.MinimumUpdatePeriod != nil,
			"suggestedPresentationDelay": doc.SuggestedPresentationDelay != nil, "timeShiftBufferDepth": doc.TimeShiftBufferDepth != nil, "UTCTiming": len(doc.UTCTimings) > 0,
		} {
			b.holds("dash-type", ok, where, "it has no %s", name)
		}
		return
	}
	last := len(doc.Periods) - 1
	b.holds("dash-type", last < 0 || t.manifest.lengthOf(last) > 0, where, "its last Period has no end")
}

// judgeSame: HLS and DASH show the same renditions.
func (t *tree) judgeSame(b *book) {
	for _, r := range t.renditions {
		listed := slices.ContainsFunc(t.manifest.promises, func(p promise) bool { return p.r == r })
		b.holds("dash-same", listed || len(r.segments) == 0, at(manifestName), "rendition %s is not in it", r.name)
	}
	for _, p := range t.manifest.promises {
		b.holds("dash-same", p.r != nil, at(manifestName), "%s is in no playlist", p.rep.Id)
	}
}

func (p promise) judge(b *book, t *tree) {
	if p.r == nil || len(p.r.segments) == 0 {
		return
	}
	p.judgeDescription(b)
	p.judgeBandwidth(b, t)
	times := p.times()
	b.looked("dash-segments", "dash-times")
	for _, e := range p.r.list.entries {
		if want, ok := times[e.number]; ok {
			p.judgeSegment(b, e, want)
			delete(times, e.number)
		}
	}
	if t.complete() {
		for n := range times {
			b.broke("dash-segments", at(p.url(p.tmpl.Media, n)), "the manifest promises it, no playlist lists it")
		}
	}
}

// judgeDescription: codecs, size and rate are those of the output.
func (p promise) judgeDescription(b *book) {
	where, said := at(manifestName), p.rep
	b.holds("dash-same", slices.Contains(p.r.codecs(), said.GetCodecs()), where, "%s says %q, produced was %q", said.Id, said.GetCodecs(), p.r.codecs())
	if !p.r.video() {
		return
	}
	track := p.r.segments[0].init.track
	b.holds("dash-same", int(said.Width) == track.Width && int(said.Height) == track.Height, where, "%s says %dx%d, produced was %dx%d",
		said.Id, said.Width, said.Height, track.Width, track.Height)
	b.holds("dash-same", string(said.FrameRate) == p.r.rate().String(), where, "%s says %s frames a second, produced was %v", said.Id, said.FrameRate, p.r.rate())
}

// judgeBandwidth as Apple's rules have it for HLS.
func (p promise) judgeBandwidth(b *book, t *tree) {
	said, peak := int64(p.rep.Bandwidth), p.r.rates().peak
	if t.onAir() {
		b.holds("dash-bandwidth", peak*100 < said*125, at(manifestName), "%s says %d, measured was %d", p.rep.Id, said, peak)
		return
	}
	b.holds("dash-bandwidth", distance(peak, said)*10 <= said, at(manifestName), "%s says %d, measured was %d", p.rep.Id, said, peak)
}

// interval is when a segment is, in ticks of the template; end is 0 where the
// template only counts.
type interval struct{ start, end int64 }

// times are the segments that are promised, by number: those of a timeline,
// those that a Period has room for, or in an open one those that are listed.
func (p promise) times() map[int64]interval {
	out, first := map[int64]interval{}, int64(*p.tmpl.StartNumber)
	if line := p.tmpl.SegmentTimeline; line != nil {
		n, t := first, int64(0)
		for _, s := range line.S {
			if s.T != nil {
				t = int64(*s.T)
			}
			for range min(s.R, 1<<20) + 1 {
				out[n] = interval{t, t + int64(s.D)}
				n, t = n+1, t+int64(s.D)
			}
		}
		return out
	}
	entries, d := p.r.list.entries, int64(*p.tmpl.Duration)
	next := entries[len(entries)-1].number + 1
	if p.length > 0 {
		segment := time.Duration(d) * time.Second / time.Duration(p.tmpl.GetTimescale())
		next = first + int64((p.length+segment-1)/segment)
	}
	for n := max(first, entries[0].number); n < next; n++ {
		out[n] = interval{start: p.offset() + (n-first)*d}
	}
	return out
}

func (p promise) offset() int64 {
	if p.tmpl.PresentationTimeOffset == nil {
		return 0
	}
	return int64(*p.tmpl.PresentationTimeOffset)
}

func (p promise) judgeSegment(b *book, e entry, want interval) {
	media, init := p.url(p.tmpl.Media, e.number), p.url(p.tmpl.Initialization, e.number)
	b.holds("dash-segments", media == e.path && init == e.init, at(e.path), "the manifest leads to %s and %s, the playlist to %s", media, init, e.init)
	s := p.r.byNumber(e.number)
	if s == nil { // not there: the rule files has it, unless it slid out
		b.holds("dash-segments", !e.gap, at(e.path), "the manifest promises it, the playlist says that it is missing")
		return
	}
	scale := int64(p.tmpl.GetTimescale())
	if want.end > 0 {
		b.holds("dash-times", scale == s.timescale() && want == interval{s.start, s.end}, at(s.path), "the manifest says %d–%d of 1/%d, it is %d–%d of 1/%d",
			want.start, want.end, scale, s.start, s.end, s.timescale())
	} else {
		slack := int64(1) // µs, of rounding
		if !s.init.track.Video {
			slack = s.frameMicros()
		}
		after := s.toMicros(s.start) - micros(want.start, scale)
		b.holds("dash-times", after >= -1 && after <= slack, at(s.path), "it begins %d µs after the manifest has it", after)
	}
	// One timeline for all Periods: what a player has buffered stays where it is.
	shift := p.start.Microseconds() - micros(p.offset(), scale)
	b.holds("dash-times", distance(shift, 0) <= 1000, at(manifestName), "%s: the Period begins %d µs from its offset", p.rep.Id, shift)
}

func (p promise) url(template string, number int64) string {
	return path.Clean(strings.NewReplacer("$RepresentationID$", p.rep.Id, "$Number$", strconv.FormatInt(number, 10)).Replace(template))
}
