package ladders

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/timeline"
)

// level is one row of a codec's level table, in the codec's own unit of area:
// macroblocks for H.264, luma samples for HEVC and AV1.
type level struct {
	name string
	// area of one picture, and area per second.
	area, rate int64
	// bits per second and bits of buffer at the lowest profile or tier.
	bits, buffer int64
	// dpb is the decoded picture buffer in macroblocks, H.264 only.
	dpb int64
	// width and height are AV1's explicit limits.
	width, height int64
}

// h264Levels is ISO/IEC 14496-10 table A-1, bit rates for Baseline and Main.
func h264Levels() []level {
	row := func(name string, rate, area, dpb, kbits, kbuffer int64) level {
		return level{name: name, rate: rate, area: area, dpb: dpb, bits: kbits * 1000, buffer: kbuffer * 1000}
	}
	return []level{
		row("1.0", 1485, 99, 396, 64, 175), row("1.1", 3000, 396, 900, 192, 500),
		row("1.2", 6000, 396, 2376, 384, 1000), row("1.3", 11880, 396, 2376, 768, 2000),
		row("2.0", 11880, 396, 2376, 2000, 2000), row("2.1", 19800, 792, 4752, 4000, 4000),
		row("2.2", 20250, 1620, 8100, 4000, 4000), row("3.0", 40500, 1620, 8100, 10000, 10000),
		row("3.1", 108000, 3600, 18000, 14000, 14000), row("3.2", 216000, 5120, 20480, 20000, 20000),
		row("4.0", 245760, 8192, 32768, 20000, 25000), row("4.1", 245760, 8192, 32768, 50000, 62500),
		row("4.2", 522240, 8704, 34816, 50000, 62500), row("5.0", 589824, 22080, 110400, 135000, 135000),
		row("5.1", 983040, 36864, 184320, 240000, 240000), row("5.2", 2073600, 36864, 184320, 240000, 240000),
		row("6.0", 4177920, 139264, 696320, 240000, 240000), row("6.1", 8355840, 139264, 696320, 480000, 480000),
		row("6.2", 16711680, 139264, 696320, 800000, 800000),
	}
}

// hevcLevels is ISO/IEC 23008-2 tables A.8 and A.9, Main tier.
func hevcLevels() []level {
	row := func(name string, area, rate, kbits int64) level {
		return level{name: name, area: area, rate: rate, bits: kbits * 1000, buffer: kbits * 1000}
	}
	return []level{
		row("1.0", 36864, 552960, 128), row("2.0", 122880, 3686400, 1500), row("2.1", 245760, 7372800, 3000),
		row("3.0", 552960, 16588800, 6000), row("3.1", 983040, 33177600, 10000),
		row("4.0", 2228224, 66846720, 12000), row("4.1", 2228224, 133693440, 20000),
		row("5.0", 8912896, 267386880, 25000), row("5.1", 8912896, 534773760, 40000), row("5.2", 8912896, 1069547520, 60000),
		row("6.0", 35651584, 1069547520, 60000), row("6.1", 35651584, 2139095040, 120000), row("6.2", 35651584, 4278190080, 240000),
	}
}

// av1Levels is annex A.3 of the AV1 bitstream specification, Main tier, display rate.
func av1Levels() []level {
	row := func(name string, area, width, height, rate, kbits int64) level {
		return level{name: name, area: area, width: width, height: height, rate: rate, bits: kbits * 1000, buffer: kbits * 1000}
	}
	return []level{
		row("2.0", 147456, 2048, 1152, 4423680, 1500), row("2.1", 278784, 2816, 1584, 8363520, 3000),
		row("3.0", 665856, 4352, 2448, 19975680, 6000), row("3.1", 1065024, 5504, 3096, 31950720, 10000),
		row("4.0", 2359296, 6144, 3456, 70778880, 12000), row("4.1", 2359296, 6144, 3456, 141557760, 20000),
		row("5.0", 8912896, 8192, 4352, 267386880, 30000), row("5.1", 8912896, 8192, 4352, 534773760, 40000),
		row("5.2", 8912896, 8192, 4352, 1069547520, 60000), row("5.3", 8912896, 8192, 4352, 1069547520, 60000),
		row("6.0", 35651584, 16384, 8704, 1069547520, 60000), row("6.1", 35651584, 16384, 8704, 2139095040, 100000),
		row("6.2", 35651584, 16384, 8704, 4278190080, 160000),
	}
}

func levels(codec string) []level {
	switch codec {
	case "hevc":
		return hevcLevels()
	case "av1":
		return av1Levels()
	}
	return h264Levels()
}

func levelNames(codec string) []string {
	all := levels(codec)
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.name
	}
	return out
}

func knownLevel(codec, name string) bool { return slices.Contains(levelNames(codec), name) }

// minReferences is how many pictures the decoder must hold: enough for every
// preset's B-pyramid.
const minReferences = 4

// lowestLevel is the lowest level of v's codec that holds v at rate. Beyond
// the table it is the highest; ok is then false.
func lowestLevel(v Video, rate timeline.Rate) (name string, ok bool) {
	all := levels(v.Codec)
	for _, l := range all {
		if l.holds(v, rate) {
			return l.name, true
		}
	}
	return all[len(all)-1].name, false
}

func (l level) holds(v Video, rate timeline.Rate) bool {
	w, h := int64(v.Width), int64(v.Height)
	if v.Codec == "h264" {
		w, h = (w+15)/16, (h+15)/16
	}
	return l.holdsArea(w, h) && w*h*rate.Num <= l.rate*rate.Den && l.holdsBits(v)
}

// holdsArea: H.264 and HEVC limit a side to √(8·area), AV1 states both sides.
func (l level) holdsArea(w, h int64) bool {
	switch {
	case w*h > l.area:
		return false
	case l.dpb > 0 && l.dpb/(w*h) < minReferences:
		return false
	case l.width > 0:
		return w <= l.width && h <= l.height
	}
	return max(w, h)*max(w, h) <= 8*l.area
}

// holdsBits: the High profile of H.264 has a quarter more than the table.
func (l level) holdsBits(v Video) bool {
	scale := int64(4)
	if v.Profile == "high" {
		scale = 5
	}
	return v.Maxrate*4 <= l.bits*scale && v.Bufsize*4 <= l.buffer*scale
}

// levelNumbers splits "4.1".
func levelNumbers(name string) (major, minor int, err error) {
	a, b, _ := strings.Cut(name, ".")
	if major, err = strconv.Atoi(a); err != nil {
		return 0, 0, fmt.Errorf("level %q: %w", name, err)
	}
	if b == "" {
		return major, 0, nil
	}
	if minor, err = strconv.Atoi(b); err != nil {
		return 0, 0, fmt.Errorf("level %q: %w", name, err)
	}
	return major, minor, nil
}
