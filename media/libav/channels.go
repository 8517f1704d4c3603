package libav

import (
	"fmt"
	"math"
	"strings"

	"github.com/galafarm/gala/ladders"
)

// mapped is the filter that makes a rendition's channels of its track's, with
// the comma after it; "" for the track as it is. Channels of several tracks
// come in the right order already (joiner).
func mapped(a ladders.Audio) string {
	if len(a.Map) == 0 || joins(a) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pan=%s", layout(a.Channels))
	for i, c := range a.Map {
		fmt.Fprintf(&b, "|c%d=c%d", i, c.Channel-1)
	}
	return b.String() + ","
}

// lastTrack is the highest index of a track that a rendition is made of.
func lastTrack(a ladders.Audio) int {
	last := a.Track
	for _, c := range a.Map {
		last = max(last, c.Track-1)
	}
	return last
}

// mixed resamples, and mixes down as ITU-R BS.775 has it: centre and surrounds
// at -3 dB, no LFE. Nothing is scaled down for sums that would not fit: dialogue
// stays as loud as it was.
func mixed(rate int, more string) string {
	return fmt.Sprintf("aresample=%d:center_mix_level=0.7071:surround_mix_level=0.7071:lfe_mix_level=0:rematrix_maxval=1000%s", rate, more)
}

// levelled is a gain and, where it is wanted, a limiter that looks at four times
// the samples, so that it sees what lies between them; with the comma before it.
// What resampling back adds to a peak is kept free. "" changes nothing.
func levelled(gain ladders.Decibel, limit bool, peak ladders.Decibel, rate int) string {
	out := ""
	if gain != 0 {
		out = fmt.Sprintf(",volume=%sdB:precision=float", gain)
	}
	if limit {
		out += fmt.Sprintf(",aresample=%d,alimiter=limit=%.4f:attack=5:release=50:level=0:latency=1,aresample=%d", 4*rate, math.Pow(10, (float64(peak)/100-limitMargin)/20), rate)
	}
	return out
}

const limitMargin = 0.2 // dB
