package encoders

import "strconv"

// x264 encodes 8 bits only: players cannot play High 10.
func x264(r Rung) []Option {
	of := part("x264-params")
	o := []Option{
		{Key: "preset", Value: preset(r.Preset, "superfast", "veryfast", "medium", "slow"), Reason: presetReason},
		{Key: "profile", Value: r.Profile, Reason: "from the ladder"},
		{Key: "level", Value: r.Level, Reason: "declared in CODECS, so it must be what the stream says"},
		{Key: "threads", Value: strconv.Itoa(min(r.wide(), 4)), Reason: "many narrow encoders beat few wide ones; frame threads are frames of latency"},
		{Key: "forced-idr", Value: "1", Reason: "a forced I frame must be an IDR, or a segment could not start there"},
		captions(),
		of("keyint", number(2*r.GOP), "IDRs are forced; the encoder's own limit lies beyond, or it would argue about each"),
		of("min-keyint", "1", "no forced IDR is too early"),
		of("scenecut", "0", "IDRs only on the grid"),
		of("open-gop", "0", "closed GOPs"),
		of("stitchable", "1", "segments of two encoders may follow each other: nothing is optimised for one stream"),
		of("repeat-headers", "0", "parameter sets live in the init segment (avc1)"),
	}
	if r.Live {
		o = append(o, of("sync-lookahead", "0", liveReason), of("rc-lookahead", number(r.lookahead()), liveReason))
	}
	return o
}
