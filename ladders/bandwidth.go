package ladders

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/galafarm/gala/timeline"
)

// What CMAF adds to the coded frames, generously: one trun entry a frame, one
// styp + prft + moof + mdat header a segment.
const (
	videoFrameBytes = 16
	audioFrameBytes = 8
	segmentBytes    = 320
	// Captions: 600 triplets a second at the most, and what carries them.
	captionRate       = 600 * 3 * 8
	captionFrameBytes = 20
)

// videoBandwidth is what a video rendition takes on the wire.
//
// A segment of T seconds never exceeds maxrate·T + bufsize. Apple allows a live
// peak of 125 % of BANDWIDTH (1.29), so four fifths of that bound keep the rule
// whatever the picture does without declaring more than players would see.
func videoBandwidth(v Video, rate timeline.Rate, g timeline.Grid) (peak, average int64) {
	extra := overhead(rate.Num, rate.Den, videoFrameBytes, g)
	if len(v.Captions) > 0 {
		extra += captionRate + 8*captionFrameBytes*rate.Num/rate.Den
	}
	bound := v.Maxrate + v.Bufsize*g.Timescale/g.SegmentTicks()
	return roundUp(max(v.Maxrate, bound*4/5) + extra), roundUp(v.Bitrate + extra)
}

// audioBandwidth: AAC and Opus of the farm are coded at a constant rate but
// for a bit reservoir of less than a frame per channel.
func audioBandwidth(a Audio, g timeline.Grid) (peak, average int64) {
	extra := overhead(int64(a.SampleRate), audioFrame(a), audioFrameBytes, g)
	return roundUp(a.Bitrate + a.Bitrate/20 + extra), roundUp(a.Bitrate + extra)
}

// overhead is container bits per second at num/den frames per second.
func overhead(num, den, frameBytes int64, g timeline.Grid) int64 {
	return 8*frameBytes*num/den + 8*segmentBytes*g.Timescale/g.SegmentTicks() + 1
}

// roundUp to whole kilobits: the third digit says nothing.
func roundUp(rate int64) int64 { return (rate + 999) / 1000 * 1000 }

// Bandwidth is a pair of bit rates, declared or measured.
type Bandwidth struct{ Peak, Average int64 }

// Finding is a broken rule, by its number in Apple's HLS authoring specification.
type Finding struct{ Rule, Message string }

// CheckBandwidth holds what was produced against what was declared. Measured
// over a whole VOD asset, or over the last hour of a live one.
func CheckBandwidth(kind Kind, declared, measured Bandwidth) []Finding {
	if kind == Live {
		return findings(
			limit("1.28", "average", measured.Average, "AVERAGE-BANDWIDTH", declared.Average, 0, 110),
			limit("1.29", "peak", measured.Peak, "BANDWIDTH", declared.Peak, 0, 125),
		)
	}
	return findings(
		limit("1.26", "average", measured.Average, "AVERAGE-BANDWIDTH", declared.Average, 90, 110),
		limit("1.27", "peak", measured.Peak, "BANDWIDTH", declared.Peak, 90, 110),
		limit("1.30", "peak", measured.Peak, "the measured average", measured.Average, 0, 200),
	)
}

// limit checks that got is between low and high per cent of want.
func limit(rule, what string, got int64, name string, want, low, high int64) Finding {
	if 100*got >= low*want && 100*got <= high*want {
		return Finding{}
	}
	text := fmt.Sprintf("measured %s of %d bit/s is not within %d–%d %% of %s, %d bit/s", what, got, low, high, name, want)
	if low == 0 {
		text = fmt.Sprintf("measured %s of %d bit/s is above %d %% of %s, %d bit/s", what, got, high, name, want)
	}
	return Finding{rule, text}
}

func findings(all ...Finding) []Finding {
	var broken []Finding
	for _, f := range all {
		if f.Rule != "" {
			broken = append(broken, f)
		}
	}
	return broken
}

// SegmentSize is one produced segment: its bytes and its length in ticks.
type SegmentSize struct{ Bytes, Ticks int64 }

// Measure is the peak and average of consecutive segments as RFC 8216bis
// §4.4.6.2 defines them: the peak is the highest rate of any run of segments
// that lasts between a half and one and a half target durations.
func Measure(segments []SegmentSize, timescale, target int64) Bandwidth {
	var b Bandwidth
	var bytes, ticks int64
	for i, s := range segments {
		bytes, ticks = bytes+s.Bytes, ticks+s.Ticks
		b.Peak = max(b.Peak, peakFrom(segments[i:], timescale, target))
	}
	b.Average = bitRate(bytes, ticks, timescale)
	if b.Peak == 0 {
		b.Peak = b.Average // shorter than half a target duration in all
	}
	return b
}

func peakFrom(segments []SegmentSize, timescale, target int64) (peak int64) {
	var bytes, ticks int64
	for _, s := range segments {
		bytes, ticks = bytes+s.Bytes, ticks+s.Ticks
		if 2*ticks > 3*target*timescale {
			return peak
		}
		if 2*ticks >= target*timescale {
			peak = max(peak, bitRate(bytes, ticks, timescale))
		}
	}
	return peak
}

func bitRate(bytes, ticks, timescale int64) int64 {
	if ticks <= 0 {
		return 0
	}
	// The product passes 63 bits for long assets.
	hi, lo := bits.Mul64(uint64(8*bytes), uint64(timescale))
	if hi >= uint64(ticks) {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, uint64(ticks))
	return int64(min(rate, math.MaxInt64))
}
