package encoders

// nvenc is one table for the three encoders of a GPU; they differ in what a
// codec has.
func nvenc(r Rung) []Option {
	o := []Option{
		{Key: "preset", Value: preset(r.Preset, "p1", "p3", "p5", "p7"), Reason: presetReason},
		{Key: "tune", Value: "hq", Reason: "segments of seconds gain nothing from the latency tunes"},
		{Key: "level", Value: r.Level, Reason: "declared in CODECS, so it must be what the stream says"},
		{Key: "rc", Value: "vbr", Reason: "bit rate and peak as the ladder says"},
		{Key: "multipass", Value: preset(r.Preset, "disabled", "disabled", "qres", "fullres"), Reason: "a first look at each picture, at a quarter or the whole of its size, holds the rate better"},
		{Key: "rc-lookahead", Value: r.nvencLookahead(), Reason: "bits for what comes; on air few, because frames that wait are latency"},
		{Key: "no-scenecut", Value: "1", Reason: "IDRs only on the grid, with lookahead too"},
		{Key: "forced-idr", Value: "1", Reason: "without it a forced picture is an I slice that is not an IDR"},
		{Key: "strict_gop", Value: "1", Reason: "the rate is held GOP by GOP, which segments need"},
		{Key: "bf", Value: "3", Spare: true, Reason: "B pictures save a tenth and more; the oldest HEVC cards have none"},
		{Key: "b_ref_mode", Value: "middle", Spare: true, Reason: "better B pictures where the card can refer to them"},
		{Key: "spatial-aq", Value: "1", Reason: "bits where the eye looks"},
		{Key: "aq-strength", Value: "8", Reason: "the middle of 1 to 15"},
		{Key: "temporal-aq", Value: "1", Spare: true, Reason: "bits where the picture stays, for cards that can"},
		{Key: "surfaces", Value: r.surfaces(), Reason: "pictures under way: enough for lookahead and B pictures, and GPU memory for no more"},
		{Key: "delay", Value: r.delay(), Reason: "on air a picture leaves as soon as its successor is in; in a file as many as there are surfaces are under way"},
	}
	switch r.Codec {
	case "h264":
		return append(o, nvencH264(r)...)
	case "hevc":
		return append(o, nvencHEVC(r)...)
	}
	return append(o, captions(), timeCodes(),
		Option{Key: "tier", Value: "0", Reason: "declared as main tier (M in CODECS)"},
		Option{Key: "highbitdepth", Value: "0", Reason: "10-bit rungs come as 10-bit pictures; 8-bit ones stay 8"})
}

func nvencH264(r Rung) []Option {
	return append(nvencNAL(),
		Option{Key: "profile", Value: r.Profile, Reason: "from the ladder"},
		Option{Key: "coder", Value: map[string]string{"baseline": "cavlc"}[r.Profile], Reason: "baseline has no CABAC"})
}

func nvencHEVC(r Rung) []Option {
	return append(nvencNAL(), timeCodes(),
		Option{Key: "profile", Value: r.Profile, Reason: "from the ladder: main is 8 bits, main10 is 10"},
		Option{Key: "tier", Value: "main", Reason: "declared as main tier (L in CODECS)"})
}

func timeCodes() Option {
	return Option{Key: "s12m_tc", Value: "0", Reason: "time codes of the source do not count on the grid, and repeated pictures would repeat them"}
}

// nvencNAL is what streams of NAL units carry beside the pictures.
func nvencNAL() []Option {
	return []Option{
		captions(),
		{Key: "udu_sei", Value: "0", Reason: "notes of the source's encoder are not ours to repeat"},
		{Key: "aud", Value: "0", Reason: "delimiters are for transport streams"},
	}
}

func (r Rung) nvencLookahead() string {
	if r.Live {
		return number(min(8, r.GOP/2))
	}
	return preset(r.Preset, "0", "10", "20", "32")
}

func (r Rung) surfaces() string {
	if r.Live {
		return number(min(8, r.GOP/2) + 8)
	}
	return "" // the encoder counts them from lookahead and B pictures
}

func (r Rung) delay() string {
	if r.Live {
		return "1"
	}
	return ""
}
