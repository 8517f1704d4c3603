package verify

import "slices"

// judgeTrack applies the rules about one rendition as a whole.
func (t *tree) judgeTrack(b *book, r *rendition) {
	r.judgeDurations(b)
	r.judgeContinuity(b)
	if r.video() {
		r.judgeGrid(b)
		r.judgeGOPs(b)
	}
}

// extinfSlack: EXTINF may be rounded to milliseconds.
const extinfSlack = 1000

// judgeDurations compares EXTINF with the media and with the target duration.
func (r *rendition) judgeDurations(b *book) {
	var sum, lowest, highest int64
	for i, s := range r.segments {
		real := s.toMicros(s.end) - s.toMicros(s.start)
		b.holds("extinf", distance(s.micros, real) <= extinfSlack, at(s.path), "EXTINF is %d µs, the media %d µs", s.micros, real)
		b.holds("target", (s.micros+500_000)/1_000_000 <= r.list.target, at(s.path), "EXTINF is %d µs, the target duration %d s", s.micros, r.list.target)
		b.holds("apple-7.7", real <= r.list.target*1_000_000+500_000, at(s.path), "%d µs, the target duration is %d s", real, r.list.target)
		if i > 0 && s.number != r.segments[i-1].number+1 {
			sum, lowest, highest = 0, 0, 0
		}
		// A run of segments is the difference of two prefix sums.
		sum += s.micros - real
		lowest, highest = min(lowest, sum), max(highest, sum)
		b.holds("apple-8.1", highest-lowest <= s.frameMicros(), at(s.path), "a run that ends here is %d µs off", highest-lowest)
	}
}

func (s *segment) frameMicros() int64 { return s.toMicros(s.frameTicks) }

func distance(a, b int64) int64 { return max(a-b, b-a) }

func (r *rendition) judgeContinuity(b *book) {
	for i, s := range r.segments[min(1, len(r.segments)):] {
		last := r.segments[i]
		if s.number != last.number+1 || s.discontinuity || s.timescale() != last.timescale() {
			continue
		}
		b.holds("apple-7.3", s.start == last.end, at(s.path), "it starts at %d, the one before ends at %d", s.start, last.end)
		b.holds("apple-7.1", s.start <= last.end, at(s.path), "%d µs are missing before it", s.toMicros(s.start-last.end))
	}
}

// judgeGrid: segment N starts at N segment lengths. The length is what most
// segments have; frames missing in one must not move the rule.
func (r *rendition) judgeGrid(b *book) {
	ticks := r.segmentTicks()
	for i, s := range r.segments {
		b.holds("tfdt", s.start == s.number*ticks, at(s.path), "tfdt is %d; %d × %d is %d", s.start, s.number, ticks, s.number*ticks)
		short := i == len(r.segments)-1 && r.list.closed
		b.holds("length", s.length() == ticks || short && s.length() < ticks, at(s.path), "%d ticks in %d frames; a segment is %d ticks", s.length(), s.frames, ticks)
	}
}

// judgeGOPs: the GOP is the distance of IDRs that is met most often. An IDR
// between (a cue) is allowed, a missing one is not.
func (r *rendition) judgeGOPs(b *book) {
	ticks, n := r.segmentTicks(), r.idrsPerSegment()
	if n == 0 {
		b.holds("gop", false, at(r.path), "%d IDRs in segments of %d ticks", n, ticks)
		return
	}
	gop := r.gopTicks()
	if len(r.segments) > 1 && ticks%gop != 0 {
		b.holds("gop", false, at(r.path), "IDRs are %d ticks apart in segments of %d ticks", gop, ticks)
		return
	}
	for _, s := range r.segments {
		b.looked("gop")
		for t := s.start; t < s.end; t += gop {
			if !slices.Contains(s.idrs, t) {
				b.broke("gop", at(s.path).frame(int((t-s.start)/max(s.frameTicks, 1))), "no IDR is presented at %d", t)
			}
		}
	}
	b.holds("apple-1.13", r.segments[0].toMicros(gop) <= 2_100_000, at(r.path), "a GOP is %d µs", r.segments[0].toMicros(gop))
}

func (r *rendition) idrsPerSegment() int64 {
	count, best, ticks := map[int]int{}, 0, r.segmentTicks()
	for _, s := range r.segments {
		if len(r.segments) > 1 && s.length() < ticks {
			continue // short: the end of a clip
		}
		if count[len(s.idrs)]++; count[len(s.idrs)] > count[best] {
			best = len(s.idrs)
		}
	}
	return int64(best)
}

// gopTicks is the usual distance from one IDR to the next, or to the end of a
// segment that has one only.
func (r *rendition) gopTicks() int64 {
	counts := map[int64]int{}
	for _, s := range r.segments {
		for i, t := range s.idrs {
			switch {
			case i > 0:
				counts[t-s.idrs[i-1]]++
			case len(s.idrs) == 1:
				counts[s.end-t]++
			}
		}
	}
	best := int64(1)
	for d, n := range counts {
		if n > counts[best] || n == counts[best] && d > best {
			best = d
		}
	}
	return max(best, 1)
}
