package encoders

import (
	"strconv"
	"strings"
)

// svtav1 cannot force a key frame per frame while it controls the bit rate: it
// is opened on a GOP boundary with a fixed period, and every packet is checked
// against the grid.
func svtav1(r Rung) []Option {
	of := part("svtav1-params")
	o := []Option{
		{Key: "preset", Value: preset(r.Preset, "12", "10", "8", "5"), Reason: presetReason},
		{Key: "err_detect", Value: "explode", Reason: "a setting that this version of the library does not know is an error, not a line in a log"},
		of("keyint", number(r.GOP), "key frames by the grid: a fixed period, since they cannot be forced"),
		of("scd", "0", "key frames only on the grid"),
		of("irefresh-type", "2", "closed GOPs"),
		of("rc", "1", "variable bit rate around the ladder's"),
		of("maxsection-pct", number(max(100, r.Maxrate*100/max(1, r.Bitrate))), "no GOP above the ladder's peak: under variable bit rate the encoder has no other peak"),
		of("pred-struct", "2", "pictures may refer to later ones: the only structure with variable bit rate"),
		of("hierarchical-levels", r.layers(), "pictures that wait for each other: 4 on air, 16 in a file"),
		of("lp", strconv.Itoa(r.wide()), "threads as the picture is large; every encoder would otherwise take all CPUs"),
		of("tier", "0", "declared as main tier (M in CODECS)"),
	}
	if r.Level != "" {
		o = append(o, of("level", strings.ReplaceAll(r.Level, ".", ""), "declared in CODECS, so it must be what the stream says"))
	}
	if r.Live {
		o = append(o, of("lookahead", "13", liveReason+"; 13 is the least that 4 pictures that wait for each other take"))
	}
	return o
}

// layers: two are mini-GOPs of 4 pictures, four of 16.
func (r Rung) layers() string {
	switch {
	case r.Live:
		return "2"
	case r.GOP < 16:
		return "3"
	}
	return "4"
}
