package ladders

import (
	"fmt"

	"github.com/galafarm/gala/timeline"
)

// videoCodecs is the RFC 6381 string of v as the software encoders write it:
// the constraint bits are those of x264, x265 and SVT-AV1. An init segment's
// own configuration outranks it.
func videoCodecs(v Video) string {
	major, minor, err := levelNumbers(v.Level)
	if err != nil {
		return ""
	}
	switch v.Codec {
	case "hevc":
		return hevcCodecs(v.Profile, major*30+minor*3)
	case "av1":
		return fmt.Sprintf("av01.0.%02dM.%02d%s", (major-2)*4+minor, max(8, v.Depth), av1Colour(v.Range))
	}
	return fmt.Sprintf("avc1.%s%02X", h264Profile(v.Profile), major*10+minor)
}

// av1Colour is the optional end of the string (AV1 in ISOBMFF §5), left out for
// BT.709 since that is its default: 4:2:0, the place of the chroma samples, the
// three code points, limited range. HDR pictures have their chroma at the top
// left (BT.2100).
func av1Colour(r Range) string {
	if !r.HDR() {
		return ""
	}
	primaries, transfer, matrix := r.CodePoints()
	return fmt.Sprintf(".0.112.%02d.%02d.%02d.0", primaries, transfer, matrix)
}

// h264Profile is profile_idc and the constraint_set flags in hex.
func h264Profile(profile string) string {
	switch profile {
	case "baseline":
		return "42C0" // constrained: set0 and set1
	case "main":
		return "4D40" // set1
	}
	return "6400"
}

// hevcCodecs is ISO/IEC 14496-15 annex E: profile, compatibility flags in
// reverse bit order, tier and level, constraint bytes. 90: progressive, frames only.
func hevcCodecs(profile string, level int) string {
	if profile == "main10" {
		return fmt.Sprintf("hvc1.2.4.L%d.90", level)
	}
	return fmt.Sprintf("hvc1.1.6.L%d.90", level)
}

// audioCodecs is the RFC 6381 string of a.
func audioCodecs(codec string) string {
	if codec == "aac" {
		return "mp4a.40.2" // low complexity
	}
	return codec
}

// FirstFrame is the first frame of a segment in the rendition's own count, 0 of
// subtitles.
func (r Rendition) FirstFrame(g timeline.Grid, segment int64) int64 {
	switch {
	case r.Video != nil && r.Video.Divisor > 0:
		return g.FirstFrame(segment) / r.Video.Divisor
	case r.Audio != nil && r.Audio.SampleRate > 0:
		return timeline.AudioGrid{SampleRate: int64(r.Audio.SampleRate), FrameSize: audioFrame(*r.Audio)}.FirstFrame(g, segment)
	}
	return 0
}

// audioFrame is the samples in one coded frame.
func audioFrame(a Audio) int64 {
	switch a.Codec {
	case "opus":
		return 960
	case "ac-3", "ec-3":
		return 1536
	}
	return 1024
}
