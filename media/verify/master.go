package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/timeline"
)

// judgeMaster compares what the master playlist says with what was produced.
func (t *tree) judgeMaster(b *book) {
	for _, r := range t.renditions {
		for _, v := range r.variants {
			if len(r.segments) > 0 {
				t.judgeVariant(b, r, v)
			}
		}
	}
	if t.master == nil {
		return
	}
	for _, v := range t.master.Variants {
		if v.Iframe {
			b.holds("apple-9.3", v.Codecs != "", at(t.masterPath), "%s has none", v.URI)
			b.holds("apple-9.4", v.Resolution != "", at(t.masterPath), "%s has none", v.URI)
		}
	}
}

func (t *tree) judgeVariant(b *book, r *rendition, v *m3u8.Variant) {
	audio := t.group(v.Audio)
	where := at(t.masterPath)
	want := r.codecs()
	for _, a := range audio {
		want = append(want, a.codecs()...)
	}
	b.holds("apple-9.1", sameCodecs(strings.Split(v.Codecs, ","), want), where, "%s says %q, produced was %q", v.URI, v.Codecs, want)
	b.holds("apple-9.14", v.AverageBandwidth > 0, where, "%s has none", v.URI)
	if r.video() {
		t.judgePicture(b, r, v)
	}
	t.judgeRates(b, r, v, audio)
}

// judgePicture: RESOLUTION, FRAME-RATE and VIDEO-RANGE are those of the output.
func (t *tree) judgePicture(b *book, r *rendition, v *m3u8.Variant) {
	where, init := at(t.masterPath), r.segments[0].init
	size := fmt.Sprintf("%dx%d", init.track.Width, init.track.Height)
	b.holds("apple-9.2", v.Resolution == size, where, "%s says %q, produced was %s", v.URI, v.Resolution, size)
	b.holds("apple-9.15", sameRate(v.FrameRate, r.rate()), where, "%s says %v, produced was %v", v.URI, v.FrameRate, r.rate())
	b.holds("apple-1.19", r.rate().Cmp(timeline.Rate{Num: 60, Den: 1}) <= 0, at(r.path), "%v frames a second", r.rate())
	real := init.videoRange()
	said := v.VideoRange
	if said == "" && !t.hdr() {
		said = "SDR"
	}
	b.holds("apple-9.16", said == real, where, "%s says %q, produced was %s", v.URI, v.VideoRange, real)
}

func (t *tree) hdr() bool {
	return slices.ContainsFunc(t.videos(), func(r *rendition) bool { return r.segments[0].init.videoRange() != "SDR" })
}

// sameRate: FRAME-RATE has three decimals.
func sameRate(said float64, real timeline.Rate) bool {
	thousandths := timeline.Rescale(real.Num, timeline.Timebase{Num: 1, Den: real.Den}, timeline.Timebase{Num: 1, Den: 1000})
	return said > 0 && distance(int64(said*1000+0.5), thousandths) <= 1
}

// judgeRates compares BANDWIDTH and AVERAGE-BANDWIDTH with the measured bytes
// of the variant and the largest audio that may play with it.
func (t *tree) judgeRates(b *book, r *rendition, v *m3u8.Variant, audio []*rendition) {
	sum, where := r.with(audio), at(t.masterPath)
	peak, average := int64(v.Bandwidth), int64(v.AverageBandwidth)
	b.holds("apple-9.13", peak > 0 && peak*10 >= sum.average*9, where, "%s says %d, measured was %d on average", v.URI, peak, sum.average)
	switch {
	case t.onAir():
		t.judgeLiveRates(b, v, sum)
		b.skip("live", "apple-1.26", "apple-1.27", "apple-1.30")
	case !t.complete():
		b.skip("not at its end", "apple-1.26", "apple-1.27", "apple-1.30")
	default:
		b.skip("VOD", "apple-1.28", "apple-1.29")
		b.holds("apple-1.26", distance(sum.average, average)*10 <= average, where, "%s says %d, measured was %d", v.URI, average, sum.average)
		b.holds("apple-1.27", distance(sum.peak, peak)*10 <= peak, where, "%s says %d, measured was %d", v.URI, peak, sum.peak)
		b.holds("apple-1.30", sum.peak <= 2*sum.average, at(r.path), "peak %d, average %d", sum.peak, sum.average)
	}
}

// with is the rates of the rendition and the largest audio that may play with
// it. Of an audio-only variant one of the group plays, not two.
func (r *rendition) with(audio []*rendition) rates {
	sum := r.rates()
	var extra rates
	for _, a := range audio {
		m := a.rates()
		extra.peak, extra.average = max(extra.peak, m.peak), max(extra.average, m.average)
	}
	if r.video() {
		return rates{sum.peak + extra.peak, sum.average + extra.average}
	}
	return rates{max(sum.peak, extra.peak), max(sum.average, extra.average)}
}

// longPeriod is what an average over a long period is taken over at least.
const longPeriod = 600_000_000

func (t *tree) judgeLiveRates(b *book, v *m3u8.Variant, sum rates) {
	where := at(t.masterPath)
	b.holds("apple-1.29", sum.peak*100 < int64(v.Bandwidth)*125, where, "%s says %d, measured was %d", v.URI, v.Bandwidth, sum.peak)
	if t.renditions[0].list.total() < longPeriod {
		b.skip("the window is shorter than ten minutes", "apple-1.28")
		return
	}
	b.holds("apple-1.28", sum.average*100 < int64(v.AverageBandwidth)*110, where, "%s says %d, measured was %d", v.URI, v.AverageBandwidth, sum.average)
}

// group is the audio renditions of a group; none for "".
func (t *tree) group(id string) []*rendition {
	var out []*rendition
	for _, r := range t.renditions {
		if id != "" && len(r.segments) > 0 && slices.ContainsFunc(r.alts, func(a *m3u8.Alternative) bool { return a.GroupId == id }) {
			out = append(out, r)
		}
	}
	return out
}

// codecs of all init segments that the rendition used.
func (r *rendition) codecs() []string {
	var out []string
	for _, s := range r.segments {
		if !slices.Contains(out, s.init.codec) {
			out = append(out, s.init.codec)
		}
	}
	return out
}

func sameCodecs(said, real []string) bool {
	norm := func(in []string) []string {
		var out []string
		for _, s := range in {
			out = append(out, strings.ToLower(strings.TrimSpace(s)))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(norm(said), norm(real))
}
