package twin

import (
	"maps"
	"slices"
	"strings"
)

// model is what the twin knows of a kind of card. Engines and rates are
// published figures; memory, clocks and power are what such cards show.
type model struct {
	name         string // as the driver gives it
	memoryMiB    int64
	nvenc, nvdec int // engines
	compute      [2]int
	watts, mhz   int
	capped       bool // consumer card: shares its host's session cap
	rates        rates
	scale        float64 // of the generation's rates; 0 is 1
}

// rates are 1080p frames per second of one engine at P1, P3, P5 and P7, from
// NVIDIA's NVENC application note for SDK 13.0 (VBR, high quality tuning).
type rates struct{ h264, hevc, av1 [4]float64 }

var (
	turing    = rates{h264: [4]float64{833, 602, 264, 207}, hevc: [4]float64{920, 552, 334, 171}}
	ampere    = rates{h264: [4]float64{846, 617, 266, 213}, hevc: [4]float64{939, 557, 335, 171}}
	ada       = rates{h264: [4]float64{885, 647, 283, 211}, hevc: [4]float64{1037, 706, 411, 181}, av1: [4]float64{741, 549, 440, 323}}
	blackwell = rates{h264: [4]float64{948, 708, 317, 227}, hevc: [4]float64{1119, 947, 521, 181}, av1: [4]float64{957, 678, 552, 401}}
)

// l4Scale: an L4's engine encodes 130 AV1 720p30 on two engines, by NVIDIA's
// product page, which is this much of the note's figure for the generation.
const l4Scale = 0.795

func models() map[string]model {
	return map[string]model{
		"t4":         {name: "Tesla T4", memoryMiB: 15360, nvenc: 1, nvdec: 2, compute: [2]int{7, 5}, watts: 70, mhz: 1590, rates: turing},
		"a10":        {name: "NVIDIA A10", memoryMiB: 23028, nvenc: 1, nvdec: 2, compute: [2]int{8, 6}, watts: 150, mhz: 1695, rates: ampere},
		"l4":         {name: "NVIDIA L4", memoryMiB: 23034, nvenc: 2, nvdec: 4, compute: [2]int{8, 9}, watts: 72, mhz: 2040, rates: ada, scale: l4Scale},
		"l40s":       {name: "NVIDIA L40S", memoryMiB: 46068, nvenc: 3, nvdec: 3, compute: [2]int{8, 9}, watts: 350, mhz: 2520, rates: ada},
		"rtx4090":    {name: "NVIDIA GeForce RTX 4090", memoryMiB: 24564, nvenc: 2, nvdec: 1, compute: [2]int{8, 9}, watts: 450, mhz: 3105, rates: ada, capped: true},
		"rtx5090":    {name: "NVIDIA GeForce RTX 5090", memoryMiB: 32607, nvenc: 3, nvdec: 2, compute: [2]int{12, 0}, watts: 575, mhz: 3090, rates: blackwell, capped: true},
		"rtxpro6000": {name: "NVIDIA RTX PRO 6000 Blackwell Server Edition", memoryMiB: 97887, nvenc: 4, nvdec: 4, compute: [2]int{12, 0}, watts: 600, mhz: 2430, rates: blackwell},
		"a100":       {name: "NVIDIA A100-SXM4-80GB", memoryMiB: 81920, nvdec: 5, compute: [2]int{8, 0}, watts: 400, mhz: 1410},
		"h100":       {name: "NVIDIA H100 80GB HBM3", memoryMiB: 81559, nvdec: 7, compute: [2]int{9, 0}, watts: 700, mhz: 1980},
		"h200":       {name: "NVIDIA H200", memoryMiB: 143771, nvdec: 7, compute: [2]int{9, 0}, watts: 700, mhz: 1980},
	}
}

func modelNames() string {
	return strings.Join(slices.Sorted(maps.Keys(models())), ", ")
}

// features are the words of the config file for what a card encodes. AV1 is
// never one of them: the twin has no encoder for it.
func (m model) features() string {
	if m.nvenc == 0 {
		return ""
	}
	return "h264 hevc hevc10 hevcb"
}
