package encoders

import (
	"strconv"

	"github.com/galafarm/gala/ladders"
)

func x265(r Rung) []Option {
	of := part("x265-params")
	o := []Option{
		{Key: "preset", Value: preset(r.Preset, "ultrafast", "superfast", "medium", "slow"), Reason: presetReason},
		{Key: "profile", Value: r.Profile, Reason: "from the ladder: main is 8 bits, main10 is 10"},
		{Key: "threads", Value: strconv.Itoa(r.frameThreads()), Reason: "frame threads, each a frame of latency and of memory; VBV is less exact with many"},
		{Key: "forced-idr", Value: "1", Reason: "a forced I frame must be an IDR, or a segment could not start there"},
		captions(),
		{Key: "udu_sei", Value: "0", Reason: "notes of the source's encoder are not ours to repeat"},
		of("keyint", number(r.GOP), "GOPs by the grid"),
		of("min-keyint", number(r.GOP), "no IDR between those of the grid"),
		of("scenecut", "0", "IDRs only on the grid"),
		of("open-gop", "0", "closed GOPs: no leading pictures that need the segment before"),
		of("repeat-headers", "0", "parameter sets live in the init segment (hvc1)"),
		of("aud", "0", "delimiters are for transport streams"),
		of("info", "0", "no SEI with the encoder's settings: it is bytes in each segment"),
		of("pools", strconv.Itoa(r.pool()), "rows of one picture that are encoded at once: as many as its height and the machine allow; every encoder would otherwise take all CPUs"),
		of("log-level", "error", "the worker's log is for what went wrong"),
	}
	if r.Level != "" {
		o = append(o, of("level-idc", r.Level, "declared in CODECS, so it must be what the stream says"),
			of("high-tier", "0", "declared as main tier (L in CODECS)"))
	}
	if r.Live {
		o = append(o, of("rc-lookahead", number(r.lookahead()), liveReason))
	}
	return append(o, r.x265HDR(of)...)
}

// x265HDR: mastering display and content light level are not settings; they come
// from the pictures' own side data, and x265 writes SEI where there are any.
func (r Rung) x265HDR(of func(key, value, reason string) Option) []Option {
	if r.Range != ladders.PQ {
		return nil
	}
	return []Option{of("hdr10-opt", "1", "PQ spends code values differently: quantisers follow luma and chroma of BT.2020")}
}

// pool is x265's thread pool. A row of coding units waits for two of the row
// above, so about half of a picture's rows can be worked on at once.
func (r Rung) pool() int {
	rows := (r.Height + 63) / 64
	return max(1, min(r.CPUs, rows/2, 2*r.wide()))
}

// frameThreads fill a wide machine where rows alone do not, and only where
// latency does not count.
func (r Rung) frameThreads() int {
	if r.Live || r.CPUs < 4 || r.wide() == 1 {
		return 1
	}
	return min(3, r.CPUs/4+1)
}
