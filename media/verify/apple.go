package verify

import (
	"net/http"
	"slices"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// judgeApple applies Apple's authoring rules that are about playlists and
// delivery; those about bits are judged where the bits are read.
func (t *tree) judgeApple(b *book) {
	if t.master == nil {
		return
	}
	t.judgeLadder(b)
	t.judgeAudioRules(b)
	t.judgeTrickPlay(b)
	t.judgeTargets(b)
	t.judgeDiscontinuities(b)
	if t.live() {
		t.judgeLive(b)
	} else {
		b.skip("not live", "apple-6.11", "apple-8.11", "apple-8.12", "apple-8.24")
	}
	t.judgeKind(b)
	t.judgeDelivery(b)
}

// onAir: times count from the epoch, as those of a live job do, ended or not.
func (t *tree) onAir() bool {
	const year2000 = 946_684_800_000_000
	for _, r := range t.renditions {
		if len(r.segments) > 0 {
			return r.segments[0].toMicros(r.segments[0].start) > year2000
		}
	}
	return false
}

func (t *tree) judgeLadder(b *book) {
	where, videos := at(t.masterPath), t.videos()
	if len(videos) == 0 {
		b.skip("no video", "apple-9.9", "apple-9.10", "apple-9.11", "apple-9.12", "apple-2.3")
		return
	}
	top := slices.MaxFunc(videos, func(x, y *rendition) int { return x.pixels() - y.pixels() })
	if len(videos) == 1 && top.pixels() <= 432*240 {
		b.skip("the source is as small as the smallest rung", "apple-9.9")
	} else {
		b.holds("apple-9.9", len(videos) > 1, where, "one video rendition")
	}
	if top.pixels() < 1280*720 {
		b.skip("not HD: the top is below 720p", "apple-9.10")
	} else {
		same := slices.DeleteFunc(slices.Clone(videos), func(r *rendition) bool { return r.pixels() != top.pixels() })
		b.holds("apple-9.10", len(same) > 1, where, "only %s has the top size", top.name)
	}
	independent := t.master.IndependentSegments()
	b.holds("apple-9.11", independent, where, "the tag is missing")
	for _, r := range videos {
		b.holds("apple-9.12", independent || r.list.independent, at(r.path), "the tag is neither here nor in the master playlist")
	}
}

func (r *rendition) pixels() int {
	track := r.segments[0].init.track
	return track.Width * track.Height
}

func (t *tree) judgeAudioRules(b *book) {
	audios := t.audios()
	if len(audios) == 0 {
		b.skip("no audio", "apple-2.3", "apple-8.9", "apple-8.10")
		return
	}
	aac := slices.ContainsFunc(audios, func(r *rendition) bool {
		init := r.segments[0].init
		return init.track.Channels == 2 && slices.Contains([]string{"mp4a.40.2", "mp4a.40.5", "mp4a.40.29"}, init.codec)
	})
	b.holds("apple-2.3", aac, at(t.masterPath), "no rendition is AAC with two channels")
	for _, r := range audios {
		b.holds("apple-8.9", len(r.alts) > 0 || len(t.videos()) == 0, at(r.path), "no EXT-X-MEDIA names it")
		for _, a := range r.alts {
			b.holds("apple-8.10", a.Language != "", at(t.masterPath), "%s in group %s has none", a.Name, a.GroupId)
		}
	}
}

func (t *tree) judgeTrickPlay(b *book) {
	if len(t.videos()) == 0 {
		b.skip("no video", "apple-6.1", "apple-6.8", "apple-6.10", "iframes")
		return
	}
	listed := slices.ContainsFunc(t.master.Variants, func(v *m3u8.Variant) bool { return v.Iframe })
	b.holds("apple-6.1", listed, at(t.masterPath), "no EXT-X-I-FRAME-STREAM-INF")
	for _, r := range t.renditions {
		if r.iframes == nil {
			continue
		}
		b.holds("apple-6.8", r.iframes.iframesOnly, at(r.iframes.path), "the tag is missing")
		if t.live() {
			b.holds("apple-6.11", r.iframes.target == r.list.target, at(r.iframes.path), "target duration %d, the media's is %d", r.iframes.target, r.list.target)
		}
	}
}

func (t *tree) judgeTargets(b *book) {
	for _, r := range t.renditions {
		first := t.renditions[0]
		b.holds("apple-8.2", r.list.target == first.list.target, at(r.path), "target duration %d, that of %s is %d", r.list.target, first.name, first.list.target)
		b.holds("apple-7.5", r.list.target == 6, at(r.path), "it is %d s", r.list.target)
		if r.video() {
			length := r.segments[0].toMicros(r.segmentTicks())
			whole := len(r.segments) > 1 // a clip may be shorter than a segment
			b.holds("apple-7.6", !whole || length >= 5_500_000 && length <= 6_500_000, at(r.path), "segments of %d µs", length)
		}
	}
}

// judgeDiscontinuities: the tag stands before the same segments everywhere.
// Live windows need not begin and end together: what both list is compared.
func (t *tree) judgeDiscontinuities(b *book) {
	for _, r := range t.renditions {
		first := t.renditions[0]
		here, there := r.list.discontinuities(first.list), first.list.discontinuities(r.list)
		b.holds("apple-8.15", slices.Equal(here, there), at(r.path), "before %v; in %s before %v", here, first.name, there)
	}
}

// discontinuities are the numbers with the tag that the other list covers too.
func (l playlist) discontinuities(other playlist) (out []int64) {
	if len(other.entries) == 0 {
		return nil
	}
	from, to := other.entries[0].number, other.entries[len(other.entries)-1].number
	for _, e := range l.entries {
		if e.discontinuity && e.number >= from && e.number <= to {
			out = append(out, e.number)
		}
	}
	return out
}

func (t *tree) judgeLive(b *book) {
	for _, r := range t.renditions {
		where := at(r.path)
		b.holds("apple-8.11", len(r.list.entries) >= 6, where, "%d segments", len(r.list.entries))
		b.holds("apple-8.12", r.list.total() >= 900_000_000, where, "%d s", r.list.total()/1_000_000)
		judgeFresh(b, r.list)
	}
}

// judgeFresh: the writer is alive, by the server's own clock.
func judgeFresh(b *book, l playlist) {
	modified, err1 := http.ParseTime(l.header.Get("Last-Modified"))
	date, err2 := http.ParseTime(l.header.Get("Date"))
	if err1 != nil || err2 != nil {
		b.skip("no Last-Modified and Date headers", "apple-8.24")
		return
	}
	age := date.Sub(modified)
	b.holds("apple-8.24", age.Seconds() <= float64(3*l.target), at(l.path), "written %v before it was read", age)
}

// judgeKind: what live and VOD playlists must say of themselves.
func (t *tree) judgeKind(b *book) {
	for _, r := range t.renditions {
		where := at(r.path)
		if t.onAir() {
			b.holds("apple-8.4", slices.ContainsFunc(r.list.entries, func(e entry) bool { return !e.time.IsZero() }), where, "no EXT-X-PROGRAM-DATE-TIME")
			b.skip("live", "apple-8.6")
			continue
		}
		b.skip("VOD", "apple-8.4")
		if !r.list.closed {
			b.skip("not at its end", "apple-8.6")
			continue
		}
		b.holds("apple-8.6", r.list.kind == m3u8.VOD, where, "the type is %d", r.list.kind)
	}
}

func (t *tree) judgeDelivery(b *book) {
	w, ok := t.store.(webStore)
	if !ok {
		b.skip("read from a directory", "apple-10.1", "apple-8.18")
		return
	}
	b.holds("apple-8.18", w.redirects.Load() == 0, at(""), "%d requests were redirected", w.redirects.Load())
	gzip := func(path string, h http.Header) {
		b.holds("apple-10.1", strings.EqualFold(h.Get("Content-Encoding"), "gzip"), at(path), "Content-Encoding is %q", h.Get("Content-Encoding"))
	}
	gzip(t.masterPath, t.masterObject.header)
	for _, r := range t.renditions {
		gzip(r.path, r.list.header)
		if r.iframes != nil {
			gzip(r.iframes.path, r.iframes.header)
		}
	}
}
