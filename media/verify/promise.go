package verify

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// promise is one Representation in one Period.
type promise struct {
	rep    *mpd.RepresentationType
	set    *mpd.AdaptationSetType
	tmpl   *mpd.SegmentTemplateType
	start  time.Duration // of the Period
	length time.Duration // 0: open
	base   string        // the folder of its segments, "" for the tree itself
	r      *rendition    // nil where HLS has none of that name
	past   bool          // of a Period that is over
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
			p.judgeSegment(b, t, e, want)
			delete(times, e.number)
		}
	}
	if t.complete() {
		for n := range times {
			b.holds("dash-segments", t.elsewhere(p, n), at(p.url(p.tmpl.Media, n)), "the manifest promises it, no playlist lists it")
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

// elsewhere tells whether another replica has a segment that a promise is about:
// players take it there.
func (t *tree) elsewhere(p promise, n int64) bool {
	return slices.ContainsFunc(t.manifest.promises, func(o promise) bool {
		return o.base != p.base && o.rep.Id == p.rep.Id && o.r != nil && o.r.byNumber(n) != nil
	})
}

func (p promise) judgeSegment(b *book, t *tree, e entry, want interval) {
	media, init := p.url(p.tmpl.Media, e.number), p.url(p.tmpl.Initialization, e.number)
	b.holds("dash-segments", media == e.path && init == e.init, at(e.path), "the manifest leads to %s and %s, the playlist to %s", media, init, e.init)
	s := p.r.byNumber(e.number)
	if s == nil { // not there: the rule files has it, unless it slid out
		b.holds("dash-segments", !e.gap || t.elsewhere(p, e.number), at(e.path), "the manifest promises it, the playlist says that it is missing")
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
	return path.Join(p.base, strings.NewReplacer("$RepresentationID$", p.rep.Id, "$Number$", strconv.FormatInt(number, 10)).Replace(template))
}
