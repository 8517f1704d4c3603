package encoders

// nvenc is one table for the three encoders of a GPU; they differ in what a
// codec has.
func nvenc(r Rung) []Option {
	o := []Option{
		{Key: "preset", Value: preset(r.Preset, "p1", "p3", "p5", "p7"), Reason: presetReason},
		{Key: "tune", Value: "hq", Reason: "segments of seconds gain nothing from the latency tunes, which have no B pictures and are no faster"},
		{Key: "level", Value: r.Level, Reason: "declared in CODECS, so it must be what the stream says"},
		r.nvencRate(),
		{Key: "multipass", Value: preset(r.Preset, "disabled", "disabled", "qres", "fullres"), Reason: "a first look at each picture, at a quarter or the whole of its size, holds the rate better"},
		{Key: "rc-lookahead", Value: number(r.nvencLookahead()), Spare: true, Reason: "bits for what comes; on air few, because frames that wait are latency"},
		{Key: "no-scenecut", Value: "1", Reason: "IDRs only on the grid, with lookahead too"},
		{Key: "forced-idr", Value: "1", Reason: "without it a forced picture is an I slice that is not an IDR"},
		{Key: "strict_gop", Value: "1", Reason: "the rate is held GOP by GOP, which segments need"},
		{Key: "bf", Value: number(r.bInARow()), Spare: true, Reason: "B pictures save a tenth and more; baseline and the oldest HEVC cards have none"},
		{Key: "b_ref_mode", Value: r.bReference(), Spare: true, Reason: "better B pictures where the card can refer to them"},
		{Key: "spatial-aq", Value: "1", Reason: "bits where the eye looks"},
		{Key: "aq-strength", Value: "8", Reason: "the middle of 1 to 15"},
		{Key: "temporal-aq", Value: r.temporalAQ(), Spare: true, Reason: "bits where the picture stays, for cards that can; a constant rate leaves it none to move"},
		{Key: "surfaces", Value: number(r.surfaces()), Reason: "pictures under way, which is what bounds the GPU's memory: two groups of B pictures for each of two engines, or what looking ahead holds"},
		{Key: "delay", Value: number(r.delay()), Reason: r.delayReason()},
	}
	switch r.Codec {
	case "h264":
		return append(o, nvencH264(r)...)
	case "hevc":
		return append(o, nvencHEVC(r)...)
	}
	return append(o, captions(), timeCodes(), r.splitFrame(),
		Option{Key: "tier", Value: "0", Reason: "declared as main tier (M in CODECS)"},
		Option{Key: "highbitdepth", Value: "0", Reason: "10-bit rungs come as 10-bit pictures; 8-bit ones stay 8"})
}

func nvencH264(r Rung) []Option {
	return append(nvencNAL(),
		Option{Key: "profile", Value: r.Profile, Reason: "from the ladder"},
		Option{Key: "coder", Value: map[string]string{"baseline": "cavlc"}[r.Profile], Reason: "baseline has no CABAC"})
}

func nvencHEVC(r Rung) []Option {
	return append(nvencNAL(), timeCodes(), r.splitFrame(),
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

// constant: the ladder leaves no room above the average.
func (r Rung) constant() bool { return r.Maxrate <= r.Bitrate }

func (r Rung) nvencRate() Option {
	if r.constant() {
		return Option{Key: "rc", Value: "cbr", Reason: "the ladder's peak is its average: a constant bit rate"}
	}
	return Option{Key: "rc", Value: "vbr", Reason: "bit rate and peak as the ladder says"}
}

func (r Rung) temporalAQ() string {
	if r.constant() || !r.card().TemporalAQ {
		return "0"
	}
	return "1"
}

func (r Rung) bReference() string {
	if r.bInARow() < 2 || !r.card().BReference {
		return "disabled"
	}
	return "middle"
}

func (r Rung) nvencLookahead() int64 {
	switch {
	case !r.card().Lookahead:
		return 0
	case r.Live:
		// Half a second, with what else waits.
		within := r.Rate.Num/(2*r.Rate.Den) - r.waiting()
		return max(0, min(graded(r.Preset, [4]int64{0, 8, 8, 8}), r.GOP/2, within))
	}
	return graded(r.Preset, [4]int64{0, 10, 20, 32})
}

// held is how many pictures libavcodec wants under way for the lookahead: those
// looked at, a group of B pictures and four more. With less it looks ahead less,
// or not at all, and only warns.
func (r Rung) held() int64 { return r.nvencLookahead() + r.waiting() }

// waiting are those of them that are not looked at ahead.
func (r Rung) waiting() int64 { return r.bInARow() + 1 + 4 }

func (r Rung) surfaces() int64 {
	return max(4, 4*(r.bInARow()+1), r.held()+1)
}

// delay is how many pictures are under way before one leaves.
func (r Rung) delay() int64 {
	switch {
	case r.Live && r.nvencLookahead() == 0:
		return 1
	case r.Live:
		return r.held()
	}
	return r.surfaces() - 1
}

func (r Rung) delayReason() string {
	if r.Live {
		return "on air a picture leaves as soon as it may: with less than this there is no looking ahead"
	}
	return "in a file as many as there are surfaces are under way"
}

// engine is what one encoder of an Ada card does, in pictures of 1920x1080 a
// second, tuned for quality (NVIDIA's NVENC application note, SDK 13.0); newer ones
// are no slower, older ones cannot split pictures.
func engine(codec, name string) int64 {
	if codec == "av1" {
		return graded(name, [4]int64{741, 549, 440, 323})
	}
	return graded(name, [4]int64{1039, 706, 411, 181})
}

// splitFrame has a picture encoded by several engines at once, which costs
// quality and makes a card no faster: only for a live rendition that a single
// engine cannot hold, with a fifth of it to spare.
func (r Rung) splitFrame() Option {
	pixels := int64(r.Width) * int64(r.Height) * r.Rate.Num
	holds := engine(r.Codec, r.Preset) * 1920 * 1080 * r.Rate.Den * 8 / 10
	if r.Live && pixels > holds && r.card().Engines > 1 {
		return Option{Key: "split_encode_mode", Value: "forced", Spare: true, Reason: "one engine does not hold this rendition on air: several share each picture"}
	}
	return Option{Key: "split_encode_mode", Value: "disabled", Reason: "a picture on several engines is worse, and the card no faster: they have other renditions"}
}
