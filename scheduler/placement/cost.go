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
}

// CostOf is what the renditions take at the pace of the source.
func CostOf(renditions []ladders.Rendition, rate timeline.Rate, cpu bool) Cost {
	var c Cost
	for _, r := range renditions {
		if r.Video == nil {
			continue
		}
		c.Sessions++
		c.Pixels += videoCost(r.Video, rate, cpu)
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
