package verify

import (
	"slices"

	"github.com/galafarm/gala/timeline"
)

// judgeAlignment compares the renditions of the tree with the fastest video
// one, which shows every frame of the grid.
func (t *tree) judgeAlignment(b *book) {
	videos := t.videos()
	if len(videos) == 0 {
		b.skip("no video", "boundaries", "idr-aligned", "counts", "audio-grid")
		return
	}
	ref := videos[0]
	for _, r := range videos[1:] {
		r.judgeAgainstVideo(b, ref)
	}
	if len(videos) == 1 {
		b.skip("one video rendition", "boundaries", "idr-aligned", "counts")
	}
	for _, r := range t.audios() {
		r.judgeAudioGrid(b, ref)
	}
	if len(t.audios()) == 0 {
		b.skip("no audio", "audio-grid")
	}
	t.judgeCover(b)
}

// byNumber finds a segment.
func (r *rendition) byNumber(n int64) *segment {
	i, ok := slices.BinarySearchFunc(r.segments, n, func(s *segment, n int64) int { return int(s.number - n) })
	if !ok {
		return nil
	}
	return r.segments[i]
}

func (r *rendition) judgeAgainstVideo(b *book, ref *rendition) {
	for _, s := range r.segments {
		o := ref.byNumber(s.number)
		if o == nil {
			continue
		}
		b.looked("boundaries", "idr-aligned", "counts")
		if !sameInstant(s, s.start, o, o.start) {
			b.broke("boundaries", at(s.path), "it starts at %d/%d, %s at %d/%d", s.start, s.timescale(), o.path, o.start, o.timescale())
		}
		short := o.length() < ref.segmentTicks()
		if !sameInstant(s, s.end, o, o.end) && !(short && s.reachesPast(o)) {
			b.broke("boundaries", at(s.path), "it ends at %d/%d, %s at %d/%d", s.end, s.timescale(), o.path, o.end, o.timescale())
		}
		s.judgeIDRs(b, o)
		s.judgeCount(b, o)
	}
}

// reachesPast: the last frame of a slower rung may end after that of a faster
// one where the clip ends, by less than itself.
func (s *segment) reachesPast(o *segment) bool {
	past := s.toMicros(s.end) - o.toMicros(o.end)
	return past > 0 && past < s.frameMicros()
}

// sameInstant compares ticks of two timescales, both ways, so that rounding hides nothing.
func sameInstant(a *segment, x int64, c *segment, y int64) bool {
	ours, theirs := timeline.Timebase{Num: 1, Den: a.timescale()}, timeline.Timebase{Num: 1, Den: c.timescale()}
	return timeline.Rescale(x, ours, theirs) == y && timeline.Rescale(y, theirs, ours) == x
}

func (s *segment) judgeIDRs(b *book, o *segment) {
	if len(s.idrs) != len(o.idrs) {
		b.broke("idr-aligned", at(s.path), "%d IDRs, %s has %d", len(s.idrs), o.path, len(o.idrs))
		return
	}
	for i := range s.idrs {
		if !sameInstant(s, s.idrs[i], o, o.idrs[i]) {
			b.broke("idr-aligned", at(s.path), "IDR %d is at %d/%d, that of %s at %d/%d", i, s.idrs[i], s.timescale(), o.path, o.idrs[i], o.timescale())
			return
		}
	}
}

// judgeCount: the rung shows every kth frame, the first included.
func (s *segment) judgeCount(b *book, o *segment) {
	long, short := s.frameTicks*o.timescale(), o.frameTicks*s.timescale()
	if short == 0 || long%short != 0 {
		b.broke("counts", at(s.path), "its frame of %d/%d is no multiple of the %d/%d of %s", s.frameTicks, s.timescale(), o.frameTicks, o.timescale(), o.path)
		return
	}
	k := int(long / short)
	if want := (o.frames + k - 1) / k; s.frames != want {
		b.broke("counts", at(s.path), "%d frames; %s has %d, a %d. of that is %d", s.frames, o.path, o.frames, k, want)
	}
}

// grid of the job, as the fastest rendition shows it.
func (r *rendition) grid() timeline.Grid {
	s := r.segments[0]
	return timeline.Grid{Rate: r.rate(), FramesPerGOP: r.segmentTicks() / s.frameTicks, GOPsPerSegment: 1, Timescale: s.timescale()}
}

// judgeAudioGrid: frame k covers [k·size, (k+1)·size) from the origin, and
// segment N holds the frames that start inside video segment N.
func (r *rendition) judgeAudioGrid(b *book, ref *rendition) {
	g := ref.grid()
	for i, s := range r.segments {
		a := timeline.AudioGrid{SampleRate: s.timescale(), FrameSize: s.frameTicks}
		first, next := a.FirstFrame(g, s.number), a.FirstFrame(g, s.number+1)
		b.holds("audio-grid", s.start == a.Sample(first), at(s.path), "it starts at sample %d, the grid's frame %d at %d", s.start, first, a.Sample(first))
		short := i == len(r.segments)-1 && r.list.closed
		// A clip of one short segment does not say how long its segments are.
		open := short && len(ref.segments) == 1
		b.holds("audio-grid", int64(s.frames) == next-first || short && int64(s.frames) < next-first || open, at(s.path), "%d frames, the grid gives it %d", s.frames, next-first)
		if o := ref.byNumber(s.number); o != nil {
			b.holds("apple-8.22", distance(s.toMicros(s.start), o.toMicros(o.start)) <= s.frameMicros(), at(s.path), "it starts %d µs from the video", s.toMicros(s.start)-o.toMicros(o.start))
		}
	}
}

// judgeCover: finished playlists cover the same time.
func (t *tree) judgeCover(b *book) {
	if !t.complete() {
		b.skip("not at its end", "apple-8.3", "apple-8.7")
		return
	}
	ref := t.videos()[0]
	from, to, frame := ref.span()
	for _, r := range t.renditions {
		if r == ref || len(r.segments) == 0 {
			continue
		}
		start, end, own := r.span()
		slack := frame + own
		b.holds("apple-8.7", distance(start, from) <= slack && distance(end, to) <= slack, at(r.path), "it covers %d–%d µs, %s %d–%d µs", start, end, ref.name, from, to)
		if !r.video() {
			b.holds("apple-8.3", distance(end-start, to-from) <= slack, at(r.path), "%d µs of audio, %d µs of video", end-start, to-from)
		}
	}
}

// span is the time that the rendition covers and its frame, in microseconds.
func (r *rendition) span() (from, to, frame int64) {
	first, last := r.segments[0], r.segments[len(r.segments)-1]
	return first.toMicros(first.start), last.toMicros(last.end), first.frameMicros()
}
