package verify

import (
	"crypto/sha256"
	"slices"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/timeline"
)

// segment is what is kept of a segment that was read.
type segment struct {
	entry
	init       *initSegment
	size       int64
	sum        [sha256.Size]byte
	start, end int64 // decode times in ticks of the track
	frames     int
	frameTicks int64
	idrs       []int64 // presentation times in ticks
	brands     []string
}

func (s *segment) length() int64    { return s.end - s.start }
func (s *segment) timescale() int64 { return s.init.track.Timescale }

// micros of ticks since the origin, to the nearest.
func (s *segment) toMicros(ticks int64) int64 { return micros(ticks, s.timescale()) }

func micros(ticks, scale int64) int64 {
	return timeline.Rescale(ticks, timeline.Timebase{Num: 1, Den: scale}, timeline.Timebase{Num: 1, Den: 1_000_000})
}

func (r *rendition) video() bool {
	return len(r.segments) > 0 && r.segments[0].init.track.Video
}

// rate of the frames, zero when there are none.
func (r *rendition) rate() timeline.Rate {
	if len(r.segments) == 0 || r.segments[0].frameTicks <= 0 {
		return timeline.Rate{}
	}
	rate, _ := timeline.NewRate(r.segments[0].timescale(), r.segments[0].frameTicks)
	return rate
}

// segmentTicks is the length that most segments have: the last one may be short.
func (r *rendition) segmentTicks() int64 {
	count, best := map[int64]int{}, int64(0)
	for i, s := range r.segments {
		if last := i == len(r.segments)-1; last && i > 0 {
			continue
		}
		count[s.length()]++
		if n := count[s.length()]; n > count[best] || n == count[best] && s.length() > best {
			best = s.length()
		}
	}
	return best
}

// newSegment sums up a parsed segment.
func newSegment(e entry, init *initSegment, body []byte, p *cmaf.Parsed) *segment {
	s := &segment{entry: e, init: init, size: int64(len(body)), sum: sha256.Sum256(body),
		start: p.Decode(), end: p.Decode() + p.Duration(), brands: p.Brands}
	for _, f := range p.Samples() {
		s.frames++
		s.frameTicks = max(s.frameTicks, f.Duration)
		if f.IDR {
			s.idrs = append(s.idrs, f.Presentation)
		}
	}
	return s
}

// checkVideo applies the rules that one video segment can break by itself.
func (s *segment) checkVideo(b *book, p *cmaf.Parsed) {
	b.looked("apple-7.4", "trun", "sync", "frames", "closed-gop")
	samples := p.Samples()
	if !samples[0].IDR {
		b.broke("apple-7.4", at(s.path).frame(0).byte(samples[0].Offset), "NAL types %v", samples[0].Types)
	}
	s.checkBoxes(b, p)
	s.checkFlags(b, samples)
	s.checkIndexes(b, samples)
	s.checkGOPs(b, samples)
}

func (s *segment) checkBoxes(b *book, p *cmaf.Parsed) {
	for _, f := range p.Fragments {
		where := at(s.path).byte(f.Offset)
		if f.TrunVersion != 1 {
			b.broke("trun", where, "trun version %d", f.TrunVersion)
		}
		if !f.DefaultBaseIsMoof {
			b.broke("trun", where, "default-base-is-moof is not set")
		}
		b.holds("tfdt", f.TfdtVersion == 1, where, "tfdt version %d has 32 bits", f.TfdtVersion)
	}
}

func (s *segment) checkFlags(b *book, samples []cmaf.ParsedSample) {
	for i, f := range samples {
		where := at(s.path).frame(i).byte(f.Offset)
		if f.Sync != f.IDR {
			b.broke("sync", where, "the sync flag is %v, the NAL types are %v", f.Sync, f.Types)
		}
		if f.IDR && f.Presentation != f.Decode {
			b.broke("trun", where, "the IDR's composition offset is %d", f.Presentation-f.Decode)
		}
	}
}

// checkIndexes: packet i decodes at start + i frames, and the presentation
// times are the same instants in another order.
func (s *segment) checkIndexes(b *book, samples []cmaf.ParsedSample) {
	shown := make([]int64, len(samples))
	for i, f := range samples {
		shown[i] = f.Presentation
		if want := s.start + int64(i)*s.frameTicks; f.Decode != want {
			b.broke("frames", at(s.path).frame(i), "decodes at %d, not %d", f.Decode, want)
			return
		}
	}
	slices.Sort(shown)
	for i, t := range shown {
		if want := s.start + int64(i)*s.frameTicks; t != want {
			b.broke("frames", at(s.path), "presents %d where %d belongs", t, want)
			return
		}
	}
}

// checkGOPs: everything before an IDR in decode order is shown before it,
// everything after, after it.
func (s *segment) checkGOPs(b *book, samples []cmaf.ParsedSample) {
	var idr, latest int64 = -1 << 62, -1 << 62
	for i, f := range samples {
		where := at(s.path).frame(i).byte(f.Offset)
		switch {
		case f.IDR && f.Presentation <= latest:
			b.broke("closed-gop", where, "an earlier frame is presented at %d, after this IDR at %d", latest, f.Presentation)
		case f.IDR:
			idr = f.Presentation
		case f.Presentation < idr:
			b.broke("closed-gop", where, "presented at %d, before its IDR at %d", f.Presentation, idr)
		case openGOP(s.init.track.Format, f.Types):
			b.broke("closed-gop", where, "NAL types %v belong to an open GOP", f.Types)
		}
		latest = max(latest, f.Presentation)
	}
}

// openGOP: HEVC's CRA, BLA and RASL pictures (ITU-T H.265 table 7-1).
func openGOP(format string, types []int) bool {
	if format != "hvc1" && format != "hev1" {
		return false
	}
	return slices.ContainsFunc(types, func(t int) bool { return t == 8 || t == 9 || t >= 16 && t <= 18 || t == 21 })
}

// checkAudio applies the rules that one audio segment can break by itself.
func (s *segment) checkAudio(b *book, p *cmaf.Parsed) {
	b.looked("frames")
	samples := p.Samples()
	for i, f := range samples {
		// The last frame of a track may be short.
		if i < len(samples)-1 && f.Duration != s.frameTicks || f.Presentation != f.Decode {
			b.broke("frames", at(s.path).frame(i), "lasts %d and is shown %d after it decodes", f.Duration, f.Presentation-f.Decode)
			return
		}
	}
	for _, f := range p.Fragments {
		b.holds("tfdt", f.TfdtVersion == 1, at(s.path).byte(f.Offset), "tfdt version %d has 32 bits", f.TfdtVersion)
	}
}
