package cascade

import (
	"fmt"
	"slices"

	"github.com/galafarm/gala/benchmarks/harness"
)

// gate is the most that a cascade may cost in bits, on every clip, in per cent.
const gate = 0.5

func record(o Options, around harness.Around, versions harness.Versions, settings []harness.Setting, all raw) harness.Record {
	return harness.Record{
		Name: "cascade", Title: "Cascades: small rungs scaled from larger ones",
		What: "Each size of the shipped ladders is scaled from the source and from each larger size of its ladder, and encoded at four qualities around the rung's bit rate. BD-rate is how many per cent more bits the cascade takes for the same quality: below 0 it is better than the direct way.",
		How: []string{
			"At the source's size: decoded pictures are enlarged by zimg's bicubic, as a player does it, and compared with the source's own, by XPSNR and by PSNR of luma. The gate is held against the worse of the two.",
			"At the rung's size: decoded pictures are compared with the source scaled by spline36, which neither way uses.",
			"A cascade is one step deep, its intermediate picture has 8 bits, and all scaling is the engine's own filter with the rung's scaler.",
			"Encodes have the engine's options for the rung but the preset, with a constant quality (CRF) instead of its rate control, so that the points of a short clip lie on one curve. Curves are drawn through four points by piecewise cubics (JCTVC-L1100), over the qualities that both reach; ±100 stands for curves that have none in common.",
			"CPU time is that of one ffmpeg on decoded pictures, one filter thread. Scaling is what it takes less what the same takes without scaling; all work is scaling and encoding of one rung of each size, without decoding and with that preset: of a worker's it is less. A run of each in each round, the order turned.",
		},
		Command: o.Command, Host: harness.ThisHost(), Around: around, Versions: versions, Settings: settings,
		Figures: append(losses(all.Results), savings(all.Costs)...), Findings: findings(all),
		NotMeasured: []string{"Pictures as people judge them.", "Chroma.", "How far figures stray with other pictures of the same clips.", "Cascades of cascades.", "10-bit and HDR rungs.", "GPUs: scale_cuda, nothing here has one."},
		Raw:         all,
	}
}

// pair is a cascade, whatever the clip.
type pair struct {
	size, from string
	ratio      float64
}

func (p pair) String() string { return fmt.Sprintf("%s from %s (%.2f)", p.size, p.from, p.ratio) }

// pairs in the order in which they were measured.
func pairs(all []Result) (out []pair) {
	for _, r := range all {
		if p := (pair{r.Size, r.From, r.Ratio}); r.From != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// of is a figure of a pair on every clip.
func (p pair) of(all []Result, figure func(Result) float64) (out []float64) {
	for _, r := range all {
		if r.Size == p.size && r.From == p.from {
			out = append(out, figure(r))
		}
	}
	return out
}

func screen(r Result) float64  { return r.ScreenBD }
func plain(r Result) float64   { return r.PlainBD }
func neutral(r Result) float64 { return r.NeutralBD }

// gated is what the gate is held against.
func gated(r Result) float64 { return max(r.ScreenBD, r.PlainBD) }

func losses(all []Result) (out []harness.Figure) {
	for _, by := range []struct {
		group  string
		figure func(Result) float64
		gated  bool
	}{{"BD-rate by XPSNR at the source's size, over clips", screen, true}, {"BD-rate by PSNR at the source's size, over clips", plain, true}, {"BD-rate by XPSNR at the rung's size, over clips", neutral, false}} {
		for _, p := range pairs(all) {
			f := harness.Figure{Group: by.group, Name: p.String(), Unit: "%", Dist: harness.Describe(p.of(all, by.figure))}
			if by.gated {
				f = f.Bound("max", gate)
			}
			out = append(out, f)
		}
	}
	return out
}

// passing tells ways that pass the gate on every clip.
func passing(all []Result) func(way) bool {
	return func(w way) bool {
		p := pair{size: w.to.size(), from: w.from.size()}
		worst := p.of(all, gated)
		return len(worst) > 0 && slices.Max(worst) <= gate
	}
}

func savings(all []Cost) (out []harness.Figure) {
	one := func(c Cost, name, unit string, of func(Round) float64) {
		var v []float64
		for _, r := range c.Runs {
			v = append(v, of(r))
		}
		out = append(out, harness.Figure{Group: fmt.Sprintf("%s on %s: %s", c.Ladder, c.Clip, c.Plan), Name: name, Unit: unit, Dist: harness.Describe(v)})
	}
	for _, c := range all {
		one(c, "scaling, cascaded / direct", "x", Round.ratio)
		one(c, "scaling, share of all work", "%", func(r Round) float64 { return 100 * r.share() })
		one(c, "saved, share of all work", "%", func(r Round) float64 { return 100 * r.saved() })
	}
	return out
}

func findings(all raw) []string {
	every := pairs(all.Results)
	passed := passes(all.Results, gated)
	out := []string{fmt.Sprintf("%d of %d cascades cost at most %.1f %% of bits on every clip, by XPSNR and by PSNR. By XPSNR alone %d would pass, by PSNR alone %d, by XPSNR at the rung's size %d.",
		len(passed), len(every), gate, len(passes(all.Results, screen)), len(passes(all.Results, plain)), len(passes(all.Results, neutral)))}
	for _, p := range passed {
		out = append(out, fmt.Sprintf("%s passes: %+.2f %% at worst.", p, slices.Max(p.of(all.Results, gated))))
	}
	return append(append(out, disagreement(all.Results)...), saved(all.Costs)...)
}

// passes are the cascades that cost no more than the gate by a figure.
func passes(all []Result, figure func(Result) float64) (out []pair) {
	for _, p := range pairs(all) {
		if slices.Max(p.of(all, figure)) <= gate {
			out = append(out, p)
		}
	}
	return out
}

// disagreement says how often the two measures at the source's size contradict
// each other.
func disagreement(all []Result) []string {
	better := 0
	n := 0
	for _, r := range all {
		if r.From == "" {
			continue
		}
		n++
		if r.ScreenBD < 0 && r.PlainBD > 0 {
			better++
		}
	}
	return []string{fmt.Sprintf("In %d of %d cases XPSNR finds the cascade better and PSNR finds it worse. One measure alone would not do, so the gate asks both.", better, n)}
}

func saved(all []Cost) (out []string) {
	of := func(c Cost, figure func(Round) float64) float64 {
		var v []float64
		for _, r := range c.Runs {
			v = append(v, figure(r))
		}
		return harness.Describe(v).P50
	}
	for _, c := range all {
		out = append(out, fmt.Sprintf("%s on %s: %s would save %.1f %% of scaling and encoding, of which scaling is %.1f %%.", c.Ladder, c.Clip, c.Plan, 100*of(c, Round.saved), 100*of(c, Round.share)))
	}
	return out
}
