package libav

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// Row is one encoder: what it is called in libavcodec and how a rendition
// becomes its options.
type Row struct {
	Name   string
	Codec  string // h264, hevc, av1
	GPU    bool
	format string // pixel format of 8-bit pictures
	opts   func(encodeContext) []Option
}

// Option is one private option of an encoder, with the reason it is set.
type Option struct{ Key, Value, Reason string }

// encodeContext is what an option may depend on.
type encodeContext struct {
	ladders.Video
	rate timeline.Rate // of this rendition
	gop  int64         // frames of this rendition in one GOP
	live bool
}

// Encoders is the encoder table. The GPU rows are run for real where there is
// a device.
func Encoders() []Row {
	return []Row{
		{Name: "libx264", Codec: "h264", format: "yuv420p", opts: x264Options},
		{Name: "libx265", Codec: "hevc", format: "yuv420p", opts: x265Options},
		{Name: "libsvtav1", Codec: "av1", format: "yuv420p", opts: svtav1Options},
		{Name: "h264_nvenc", Codec: "h264", GPU: true, format: "yuv420p", opts: nvencOptions},
		{Name: "hevc_nvenc", Codec: "hevc", GPU: true, format: "yuv420p", opts: nvencOptions},
		{Name: "av1_nvenc", Codec: "av1", GPU: true, format: "yuv420p", opts: nvencOptions},
	}
}

// row finds the table row of a rendition: by name, else the CPU row of its codec.
func row(v ladders.Video) (Row, error) {
	for _, r := range Encoders() {
		if r.Name == v.Encoder || v.Encoder == "" && r.Codec == v.Codec && !r.GPU {
			return r, nil
		}
	}
	return Row{}, &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("no encoder %q for codec %q", v.Encoder, v.Codec), Advice: "use codec h264, hevc or av1 in the ladder"}
}

// preset picks by the ladder's own scale: fastest, fast, balanced, quality.
func preset(name, fastest, fast, balanced, quality string) string {
	switch name {
	case "fastest":
		return fastest
	case "fast":
		return fast
	case "quality":
		return quality
	}
	return balanced
}

func x264Options(c encodeContext) []Option {
	o := []Option{
		{"preset", preset(c.Preset, "superfast", "veryfast", "medium", "slow"), "speed against quality, from the ladder"},
		{"profile", c.Profile, "from the ladder"},
		{"forced-idr", "1", "a forced I frame must be an IDR, or a segment could not start there"},
		{"x264-params", x264Params(c), "GOPs by the grid: fixed length, closed, no scene-cut IDRs"},
	}
	if c.Level != "" {
		o = append(o, Option{"level", c.Level, "declared in CODECS, so it must be what the stream says"})
	}
	return o
}

func x264Params(c encodeContext) string {
	// IDRs are forced; x264's own limit lies beyond, or it would argue about
	// each of them in the log.
	p := "keyint=" + strconv.FormatInt(2*c.gop, 10) + ":min-keyint=1:scenecut=0:open-gop=0:stitchable=1:repeat-headers=0"
	if c.live {
		// Frames that wait for lookahead are latency: a segment is complete only
		// when its last frame has left the encoder.
		p += ":sync-lookahead=0:rc-lookahead=" + strconv.FormatInt(min(10, c.gop/2), 10)
	}
	return p
}

func x265Options(c encodeContext) []Option {
	gop := strconv.FormatInt(c.gop, 10)
	params := "keyint=" + gop + ":min-keyint=" + gop + ":scenecut=0:open-gop=0:repeat-headers=0:log-level=error"
	if c.Level != "" {
		// Declared in CODECS: level and tier must be what the stream says.
		params += ":level-idc=" + c.Level + ":high-tier=0"
	}
	if c.live {
		params += ":rc-lookahead=" + strconv.FormatInt(min(10, c.gop/2), 10)
	}
	return []Option{
		{"preset", preset(c.Preset, "ultrafast", "superfast", "medium", "slow"), "speed against quality, from the ladder"},
		{"profile", c.Profile, "from the ladder"},
		{"forced-idr", "1", "a forced I frame must be an IDR, or a segment could not start there"},
		{"x265-params", params, "GOPs by the grid: fixed length, closed, no scene-cut IDRs"},
	}
}

func svtav1Options(c encodeContext) []Option {
	params := fmt.Sprintf("keyint=%d:scd=0:irefresh-type=2:rc=1", c.gop)
	if c.Level != "" {
		params += ":level=" + strings.ReplaceAll(c.Level, ".", "")
	}
	return []Option{
		{"preset", preset(c.Preset, "12", "10", "8", "5"), "speed against quality, from the ladder"},
		{"svtav1-params", params, "a key frame cannot be forced per frame: a fixed period, closed GOPs, output checked against the grid"},
	}
}

func nvencOptions(c encodeContext) []Option {
	o := []Option{
		{"preset", preset(c.Preset, "p1", "p3", "p5", "p7"), "speed against quality, from the ladder"},
		{"tune", "hq", "segments of seconds gain nothing from the latency tunes"},
		{"forced-idr", "1", "without it NVENC writes an I slice that is not an IDR"},
		{"no-scenecut", "1", "IDRs only on the grid"},
		{"strict_gop", "1", "the GOP length holds under lookahead"},
		{"rc", "vbr", "bitrate and maxrate as the ladder says"},
		{"spatial-aq", "1", "bits where the eye looks"},
		{"b_ref_mode", "middle", "better B frames where the card can"},
		{"level", c.Level, "declared in CODECS, so it must be what the stream says"},
	}
	if c.Codec == "av1" { // its encoder has neither option: 8 bits are profile main
		return o
	}
	return append(o, Option{"profile", c.Profile, "from the ladder"})
}

// threads for one encoder. Many narrow encoders beat few wide ones, and frame
// threads are frames of latency; only a large picture gets more than one.
func threads(v ladders.Video) int {
	if v.Width*v.Height < 1280*720 {
		return 1
	}
	return min(runtime.NumCPU(), 4)
}
