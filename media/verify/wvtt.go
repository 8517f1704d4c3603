package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// A live job's manifest has its subtitles in boxes (ISO/IEC 14496-30): the cues of
// each segment of WebVTT, a second time. They are held against those.

// inBoxes are the promises of subtitles by segments.
func (t *tree) inBoxes() []promise {
	var out []promise
	if t.manifest == nil {
		return nil
	}
	for i, p := range t.manifest.doc.Periods {
		for _, set := range p.AdaptationSets {
			if set.ContentType != "text" {
				continue
			}
			for _, r := range set.Representations {
				if tmpl := r.GetSegmentTemplate(); tmpl != nil && tmpl.StartNumber != nil && tmpl.Duration != nil && *tmpl.Duration > 0 {
					out = append(out, promise{rep: r, set: set, tmpl: tmpl, start: since(p.Start), length: t.manifest.lengthOf(i), r: t.subtitles(r.Id)})
				}
			}
		}
	}
	return out
}

// subtitles are those of a name, nil when no playlist has them.
func (t *tree) subtitles(name string) *rendition {
	i := slices.IndexFunc(t.texts, func(r *rendition) bool { return r.name == name })
	if i < 0 {
		return nil
	}
	return t.texts[i]
}

// walkBoxes reads every segment of subtitles that the manifest promises.
func (t *tree) walkBoxes(ctx context.Context, b *book) error {
	all := t.inBoxes()
	if len(all) == 0 {
		b.skip("no subtitles in boxes", "wvtt")
	}
	for _, p := range all {
		if p.r == nil || len(p.r.list.entries) == 0 {
			b.holds("dash-text", p.r != nil, at(manifestName), "subtitles %s are in no playlist", p.rep.Id)
			continue
		}
		times := p.times()
		for _, n := range slices.Sorted(maps.Keys(times)) {
			if err := t.readBoxes(ctx, b, p, n, times[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBoxes judges one segment.
func (t *tree) readBoxes(ctx context.Context, b *book, p promise, number int64, want interval) error {
	init, err := t.boxesInit(ctx, b, p, p.url(p.tmpl.Initialization, number))
	if err != nil || init == nil {
		return err
	}
	e := entry{number: number, path: p.url(p.tmpl.Media, number)}
	o, err := t.store.get(ctx, e.path)
	if errors.Is(err, errNotThere) {
		return t.missing(ctx, b, p.r, e)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	parsed, err := cmaf.Parse(init.track, o.body)
	b.holds("wvtt", err == nil, at(e.path), "%v", err)
	if err != nil {
		return nil
	}
	s := newSegment(e, init, o.body, parsed)
	b.counted(0, s.size)
	t.judgeBoxTimes(b, p, s, parsed, want)
	if said, read := p.r.said[number]; read {
		s.judgeBoxCues(b, parsed, said)
	}
	p.r.segments = append(p.r.segments, s)
	return nil
}

// boxesInit reads the init segment of subtitles, once.
func (t *tree) boxesInit(ctx context.Context, b *book, p promise, name string) (*initSegment, error) {
	if init, ok := p.r.inits[name]; ok {
		return init, nil
	}
	p.r.inits[name] = nil
	o, err := t.store.get(ctx, name)
	if errors.Is(err, errNotThere) {
		b.holds("dash-segments", false, at(name), "the manifest leads to it, but it is not there")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	track, err := cmaf.ParseInit(o.body)
	if err == nil && !track.Text {
		err = fmt.Errorf("sample entry %s", track.Format)
	}
	b.holds("wvtt", err == nil, at(name), "no init segment of WebVTT: %v", err)
	if err != nil {
		return nil, nil
	}
	want := cmaf.InitName(o.body)
	b.holds("init-name", path.Base(name) == want, at(name), "its content hashes to %s", want)
	p.r.inits[name] = &initSegment{path: name, body: o.body, track: track}
	return p.r.inits[name], nil
}

// judgeBoxTimes: a segment begins and ends with that of the pictures, its samples
// follow each other, and the manifest knows when.
func (t *tree) judgeBoxTimes(b *book, p promise, s *segment, parsed *cmaf.Parsed, want interval) {
	where, next := at(s.path), s.start
	for _, f := range parsed.Fragments {
		b.holds("wvtt", f.Decode == next && f.TfdtVersion == 1, where, "tfdt is %d in version %d, the samples before end at %d", f.Decode, f.TfdtVersion, next)
		next = f.Decode
		for _, x := range f.Samples {
			b.holds("wvtt", x.Duration > 0 && x.Presentation == x.Decode, where, "a sample at %d lasts %d and is shown at %d", x.Decode, x.Duration, x.Presentation)
			next += x.Duration
		}
	}
	if before := p.r.byNumber(s.number - 1); before != nil && before.timescale() == s.timescale() {
		b.holds("wvtt", before.end == s.start, where, "it begins at %d, the one before ends at %d", s.start, before.end)
	}
	with := t.leading(s.number)
	if with == nil {
		return
	}
	b.holds("wvtt", sameInstant(s, s.start, with, with.start), where, "it begins at %d/%d, %s at %d/%d", s.start, s.timescale(), with.path, with.start, with.timescale())
	b.holds("wvtt", sameInstant(s, s.end, with, with.end) || t.endsWithAnother(s, with), where, "it ends at %d/%d, %s at %d/%d", s.end, s.timescale(), with.path, with.end, with.timescale())
	slack := int64(1) // µs, of rounding
	if !with.init.track.Video {
		slack = with.frameMicros()
	}
	after := s.toMicros(s.start) - micros(want.start, int64(p.tmpl.GetTimescale()))
	b.holds("dash-times", after >= -1 && after <= slack, where, "it begins %d µs after the manifest has it", after)
}

// endsWithAnother: the last frame of a slower rung may end a job a little later.
func (t *tree) endsWithAnother(s, with *segment) bool {
	return with.length() < t.leader().segmentTicks() && slices.ContainsFunc(t.videos(), func(r *rendition) bool {
		o := r.byNumber(s.number)
		return o != nil && sameInstant(s, s.end, o, o.end)
	})
}

// shown is a text and where it is.
type shown struct{ text, settings string }

// judgeBoxCues: at any moment the boxes show what the WebVTT of that number shows.
func (s *segment) judgeBoxCues(b *book, parsed *cmaf.Parsed, said []webvtt.Cue) {
	scale := timeline.Timebase{Num: 1, Den: s.timescale()}
	var boxed []webvtt.Cue
	cuts := []int64{s.toMicros(s.start), s.toMicros(s.end)}
	for _, x := range parsed.Samples() {
		cues, err := cmaf.ParseCues(x.Data)
		b.holds("wvtt", err == nil, at(s.path).byte(x.Offset), "%v", err)
		from, until := timeline.Rescale(x.Decode, scale, microsecond), timeline.Rescale(x.Decode+x.Duration, scale, microsecond)
		cuts = append(cuts, from)
		for _, c := range cues {
			boxed = append(boxed, webvtt.Cue{Start: from, End: until, Text: c.Text, Settings: c.Settings})
		}
	}
	for _, c := range said {
		for _, us := range []int64{c.Start, c.End} {
			if cuts[0] < us && us < cuts[1] {
				cuts = append(cuts, us)
			}
		}
	}
	slices.Sort(cuts)
	const rounding = 2000 // µs: both are rounded to milliseconds
	for i, from := range cuts[:len(cuts)-1] {
		if cuts[i+1]-from <= rounding {
			continue
		}
		middle := (from + cuts[i+1]) / 2
		got, want := on(boxed, middle), on(said, middle)
		b.holds("wvtt", slices.Equal(got, want), at(s.path), "at %d µs its boxes show %s, its WebVTT %s", middle, words(got), words(want))
	}
}

var microsecond = timeline.Timebase{Num: 1, Den: 1_000_000}

// on is what is on screen at a time.
func on(cues []webvtt.Cue, us int64) []shown {
	var out []shown
	for _, c := range cues {
		if c.Start <= us && us < c.End {
			out = append(out, shown{c.Text, c.Settings})
		}
	}
	return out
}

func words(all []shown) string {
	if len(all) == 0 {
		return "nothing"
	}
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%q", strings.TrimSpace(s.text+" "+s.settings)))
	}
	return strings.Join(out, " and ")
}

// judgeLiveTexts: a live manifest has the subtitles of the playlists in each Period,
// but where segments of them are missing, and says what they are.
func (t *tree) judgeLiveTexts(b *book) {
	promised := t.inBoxes()
	for _, r := range t.texts {
		n := 0
		for _, p := range promised {
			if p.r != r {
				continue
			}
			n++
			b.holds("dash-text", p.set.MimeType == "application/mp4" && p.rep.GetCodecs() == "wvtt" && p.set.Lang != "" && len(p.set.Roles) > 0, at(manifestName),
				"%s is %q, codecs %q, in language %q with %d roles", r.name, p.set.MimeType, p.rep.GetCodecs(), p.set.Lang, len(p.set.Roles))
		}
		missing := slices.ContainsFunc(r.list.entries, func(e entry) bool { return e.gap })
		all := len(t.manifest.doc.Periods)
		b.holds("dash-text", n == all || missing && n > 0, at(manifestName), "subtitles %s are in %d of its %d Periods", r.name, n, all)
	}
}
