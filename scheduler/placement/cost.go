package placement

import (
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// The reference is 8-bit H.264 at the ladder's preset "fast"; factors are in
// thousandths of it, as the software encoders behave to within a third. A
// calibrated table takes their place.
var presetFactor = map[string]int64{"fastest": 600, "fast": 1000, "balanced": 1800, "quality": 4000}

var codecFactor = map[string]int64{"h264": 1000, "hevc": 2500, "av1": 2000}

// gpuFactor is the same for NVENC, whose presets are P1, P3, P5 and P7: the frames per
// second of NVIDIA's application note for Video Codec SDK 13.0 (VBR, high quality),
// H.264 at P3 divided by each, of the generation from Turing on where that is
// dearest.
var gpuFactor = map[string]map[string]int64{
	"h264": {"fastest": 750, "fast": 1000, "balanced": 2330, "quality": 3120},
	"hevc": {"fastest": 660, "fast": 1110, "balanced": 1850, "quality": 3920},
	"av1":  {"fastest": 880, "fast": 1180, "balanced": 1480, "quality": 2010},
}

// Cost is what a ladder takes of a device.
type Cost struct {
	// Pixels per second of the reference preset.
	Pixels int64
	// Sessions is one per video rendition.
	Sessions int
	// Host is what is done on the processor of a GPU's host, in the pixels per second of
	// its reference: decoding, and the sound. On the CPU it is in Pixels.
	Host int64
}

// decodeFactor is what decoding a picture takes, in thousandths of what the reference
// takes in all. Measured with FFmpeg 9.0 in processor time: 90 (MPEG-2, 576i) and 140 to
// 320 (H.264 of 2 to 12 Mbit/s at 720p, HEVC, 1080p of much texture), 340 for HEVC in
// 10 bits; bwdif adds 30 to 70.
const decodeFactor = 250

// channelCost is what encoding a channel of sound takes of the reference, measured
// likewise: 2.5 % of a core for AAC in stereo, decoding included.
const channelCost = 500_000

// CostOf is what the renditions take at the pace of the source.
func CostOf(source ladders.Source, renditions []ladders.Rendition, rate timeline.Rate, cpu bool) Cost {
	var c Cost
	for _, r := range renditions {
		if r.Audio != nil && !r.Audio.Passthrough && !cpu {
			c.Host += int64(r.Audio.Channels) * channelCost
		}
		if r.Video == nil {
			continue
		}
		c.Sessions++
		c.Pixels += videoCost(r.Video, rate, cpu)
	}
	if v := source.Video; v != nil && !cpu {
		c.Host += int64(v.Width) * int64(v.Height) * v.Rate.Num / max(v.Rate.Den, 1) * decodeFactor / 1000
	}
	return c
}

// videoCost rounds up.
func videoCost(v *ladders.Video, rate timeline.Rate, cpu bool) int64 {
	pixels := int64(v.Width) * int64(v.Height) * rate.Num
	per := max(rate.Den*max(v.Divisor, 1), 1)
	perSecond := (pixels + per - 1) / per
	if !cpu {
		return perSecond * factor(gpuFactor[v.Codec], v.Preset) / 1000
	}
	return perSecond * factor(presetFactor, v.Preset) / 1000 * factor(codecFactor, v.Codec) / 1000
}

func factor(table map[string]int64, key string) int64 {
	if f, ok := table[key]; ok {
		return f
	}
	return 1000
}

// encoders are the rows of the encoder table by codec.
var cpuEncoders = map[string]string{"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}

func encoderFor(codec string, cpu bool) string {
	if cpu {
		return cpuEncoders[codec]
	}
	return codec + "_nvenc"
}
