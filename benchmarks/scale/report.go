package scale

import (
	"fmt"

	"github.com/galafarm/gala/benchmarks/harness"
)

func record(o Options, around harness.Around, versions harness.Versions, settings []harness.Setting, all []Result) harness.Record {
	return harness.Record{
		Name: "scale", Title: "Scalers: what they keep and what they cost",
		What: "1080p pictures of real clips are scaled down by each candidate and enlarged again, as a player does it, and compared with the original: XPSNR of luma, and of chroma (the mean of both planes). Cost is CPU time for each picture on one thread.",
		How: []string{
			"Enlarged by zimg's bicubic for every candidate, with chroma sited to the left as MPEG has it. A scaler that moves chroma loses by it here as it does on a screen.",
			"User time of one `ffmpeg` process of the farm's own build on decoded pictures, less the least of the same without a scaler; the minimum is the figure, since other load only adds.",
		},
		Command: o.Command, Host: harness.ThisHost(), Around: around, Versions: versions, Settings: settings,
		Figures: tables(all), Findings: findings(all),
		NotMeasured: []string{"Pictures as people judge them.", "What is left after an encoder: sharper pictures cost it more bits.", "scale_cuda: nothing here has a GPU."},
		Raw:         all,
	}
}

func tables(all []Result) (out []harness.Figure) {
	one := func(group, name, unit string, v ...float64) {
		out = append(out, harness.Figure{Group: group, Name: name, Unit: unit, Dist: harness.Describe(v)})
	}
	for _, r := range all {
		one(r.Case, r.Filter+", cost", "ms", r.Cost...)
	}
	for _, r := range all {
		one(r.Case+", kept", r.Filter+", luma", "dB", r.XPSNR[0])
		one(r.Case+", kept", r.Filter+", chroma", "dB", (r.XPSNR[1]+r.XPSNR[2])/2)
	}
	return out
}

// findings hold the default against what it replaced.
func findings(all []Result) (out []string) {
	for _, r := range all {
		if r.Filter != "zimg lanczos" {
			continue
		}
		for _, o := range all {
			if o.Case != r.Case || o.Filter != "libswscale bicubic" && o.Filter != "zimg bicubic" {
				continue
			}
			out = append(out, fmt.Sprintf("%s: lanczos by zimg keeps %+.2f dB of luma and %+.2f dB of chroma beside %s, at %.2f times its cost.",
				r.Case, r.XPSNR[0]-o.XPSNR[0], (r.XPSNR[1]+r.XPSNR[2]-o.XPSNR[1]-o.XPSNR[2])/2, o.Filter,
				harness.Describe(r.Cost).Min/max(0.001, harness.Describe(o.Cost).Min)))
		}
	}
	return out
}
