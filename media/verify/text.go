package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/galafarm/gala/media/webvtt"
)

// listTexts gathers the renditions of subtitles.
func (t *tree) listTexts(b *book) {
	for _, a := range t.master.GetAllAlternatives() {
		p := t.resolve(b, t.masterPath, a.URI)
		if a.Type != "SUBTITLES" || slices.ContainsFunc(t.texts, func(r *rendition) bool { return r.path == p }) {
			continue
		}
		t.texts = append(t.texts, &rendition{name: path.Dir(p), path: p, inits: map[string]*initSegment{}, said: map[int64][]webvtt.Cue{}})
	}
}

// walkTexts reads every segment of subtitles.
func (t *tree) walkTexts(ctx context.Context, b *book) error {
	if len(t.texts) == 0 {
		b.skip("no subtitles", "webvtt", "text-aligned")
		return nil
	}
	for _, r := range t.texts {
		for _, e := range r.list.entries {
			b.holds("names", e.named() == e.number, at(e.path), "its media sequence number is %d", e.number)
			if e.gap {
				b.broke("no-gap", at(e.path), "segment %d is a gap", e.number)
				continue
			}
			o, err := t.store.get(ctx, e.path)
			if errors.Is(err, errNotThere) {
				b.holds("files", r.list.sliding(), at(e.path), "listed, but not there")
				continue
			}
			if err != nil {
				return fmt.Errorf("%w: %w", ErrCannotLook, err)
			}
			b.counted(0, int64(len(o.body)))
			r.said[e.number] = t.judgeText(b, e, o.body)
			r.cues = append(r.cues, r.said[e.number])
		}
	}
	return nil
}

// judgeText: a segment parses, and what it holds is on screen in it.
func (t *tree) judgeText(b *book, e entry, body []byte) []webvtt.Cue {
	cues, err := webvtt.Parse(body)
	b.holds("webvtt", err == nil, at(e.path), "%v", err)
	with := t.leading(e.number)
	if with == nil {
		return cues
	}
	const rounding = 1000 // cue times are milliseconds
	from, until := with.toMicros(with.start), with.toMicros(with.end)
	for _, c := range cues {
		b.holds("webvtt", c.Over(from-rounding, until+rounding), at(e.path), "a cue is shown %d–%d µs, the segment lasts %d–%d µs", c.Start, c.End, from, until)
	}
	return cues
}

// leading is the segment of this number that subtitles go with.
func (t *tree) leading(number int64) *segment {
	if r := t.leader(); r != nil {
		return r.byNumber(number)
	}
	return nil
}

// leader is the rendition that subtitles go with.
func (t *tree) leader() *rendition {
	for _, rs := range [][]*rendition{t.videos(), t.audios()} {
		if len(rs) > 0 {
			return rs[0]
		}
	}
	return nil
}

// mostBehind is by how many segments live subtitles may follow the pictures: they
// are held back by a second, and lists are read one after the other.
const mostBehind = 3

// judgeTexts: numbers, durations and the target are those of the pictures.
func (t *tree) judgeTexts(b *book) {
	r := t.leader()
	if len(t.texts) == 0 || r == nil {
		return
	}
	for _, text := range t.texts {
		where := at(text.path)
		b.holds("apple-8.2", text.list.target == r.list.target, where, "target duration %d, that of %s is %d", text.list.target, r.name, r.list.target)
		if text.list.closed {
			b.holds("text-aligned", len(text.list.entries) == len(r.list.entries), where, "%d segments, %s has %d", len(text.list.entries), r.name, len(r.list.entries))
		}
		if n, m := len(text.list.entries), len(r.list.entries); n > 0 && m > 0 {
			behind := r.list.entries[m-1].number - text.list.entries[n-1].number
			b.holds("text-aligned", behind <= mostBehind, where, "it ends %d segments before %s", behind, r.name)
		}
		for _, e := range text.list.entries {
			i := slices.IndexFunc(r.list.entries, func(o entry) bool { return o.number == e.number })
			if i < 0 {
				b.holds("text-aligned", !text.list.closed, at(e.path), "%s has no segment %d", r.name, e.number)
				continue
			}
			// A slower rung may show its last frame a little longer.
			slack := int64(extinfSlack)
			if s := r.byNumber(e.number); s != nil {
				slack += s.frameMicros()
			}
			b.holds("text-aligned", distance(e.micros, r.list.entries[i].micros) <= slack, at(e.path), "EXTINF is %d µs, that of %s %d µs", e.micros, r.name, r.list.entries[i].micros)
		}
	}
	for _, v := range t.master.Variants {
		b.holds("text-aligned", v.Iframe || v.Subtitles != "", at(t.masterPath), "%s names no group of subtitles", v.URI)
	}
}
