package vod

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/galafarm/gala/benchmarks/harness"
)

func (b *bench) record() harness.Record {
	b.around.End(harness.ThisHost().Cores, 0)
	stem := strings.TrimSuffix(filepath.Base(b.Ladder), ".yaml")
	r := harness.Record{
		Name:  "vod-" + stem,
		Title: "VOD: one worker against one ffmpeg process, ladder " + stem,
		What: "A clip is turned into an HLS ladder on disk by `gala-worker` and by one `ffmpeg` process of the same build: one decode, the same scaler, the same encoders with the same options and threads, key frames at the same frames. " +
			"Ratios are worker / ffmpeg of runs that followed each other; below 1 the worker is cheaper.",
		How: []string{
			fmt.Sprintf("%d pairs in one run, the order turned from pair to pair.", len(b.raw.Worker)),
			"Wall time from start to exit. CPU is user and system time of the whole process tree, memory the largest resident set, both as the kernel reports them at wait4. Memory of its own leaves out the pages of the program file, which all processes of one program share; it is sampled 50 times a second.",
			"The worker of a clip asks the kernel for long turns of the processor (SCHED_BATCH, 50 ms: agent/worker/turns.go), as it always does; ffmpeg runs as people run it.",
			"The whole farm is `gala vod queue CLIP --wait` against a running `gala up` with output at its own origin over HTTP: its CPU is that of the command, scheduler, origin, agent, Redis, probe and worker.",
			"Separate processes are one ffmpeg for each video rendition, all at once, the sound with the first. Encoders alone are one ffmpeg that reads pictures which lie scaled on disk, and the sound as PCM; decoding and scaling alone are ffmpeg with its pictures thrown away. Where the ladder scales a rung from a larger one's pictures, worker, ffmpeg and the pictures on disk do, and a process of its own, which has no larger one, scales from the source. What sharing one decode can save is (N·D+S+E)/(D+S+E) of the CPU times of one round; the worker's saving is held against it.",
			"Start-up is the first five frames of the clip as a clip of their own.",
			"Pictures of the last pair are decoded and compared with the source scaled by the same scaler (XPSNR of luma), and hashed.",
		},
		Command: b.Command, Host: harness.ThisHost(), Around: *b.around, Versions: b.versions, Settings: b.settings(),
		Figures: append(b.costs(), b.pictures()...), Findings: []string{b.sameness()},
		NotMeasured: []string{
			"GPU encoders: nothing here has one.",
			"Sound quality: same encoder and bitrate, not compared.",
			"Page cache effects: the clip was read before; nothing was synced to disk.",
		},
		Raw: b.raw,
	}
	return r
}

func (b *bench) costs() []harness.Figure {
	pairs := b.raw.Worker
	ratio := func(group string, pairs []harness.Pair, name string, of func(harness.Usage) float64) harness.Figure {
		return harness.Figure{Group: group + " / ffmpeg", Name: name, Unit: "x", Dist: harness.Describe(harness.Ratios(pairs, of))}
	}
	figures := []harness.Figure{
		ratio("worker", pairs, "wall", wall).Bound("p50", 1), ratio("worker", pairs, "CPU", harness.Usage.CPU).Bound("p50", 1),
		ratio("worker", pairs, "peak memory", peak).Bound("p50", 1), ratio("worker", pairs, "peak memory of its own (anonymous)", private),
	}
	if farm := b.raw.Farm; len(farm) > 0 {
		figures = append(figures, ratio("whole farm", farm, "wall, from `gala vod queue --wait` to its end", wall), ratio("whole farm", farm, "CPU of all its processes", harness.Usage.CPU))
	}
	figures = append(figures, b.parts()...)
	if starts := b.raw.Starts; len(starts) > 0 {
		figures = append(figures, ratio("five frames: worker", starts, "wall", wall), ratio("five frames: worker", starts, "CPU", harness.Usage.CPU))
	}
	for _, side := range []struct {
		group string
		of    func(harness.Pair) harness.Usage
	}{{"worker", func(p harness.Pair) harness.Usage { return p.A }}, {"ffmpeg", func(p harness.Pair) harness.Usage { return p.B }}} {
		one := func(name, unit string, of func(harness.Usage) float64) harness.Figure {
			var sample []float64
			for _, p := range pairs {
				sample = append(sample, of(side.of(p)))
			}
			return harness.Figure{Group: side.group, Name: name, Unit: unit, Dist: harness.Describe(sample)}
		}
		figures = append(figures, one("wall", "s", wall), one("user", "s", func(u harness.Usage) float64 { return u.User }),
			one("system", "s", func(u harness.Usage) float64 { return u.System }), one("peak memory", "MB", peak), one("peak memory of its own (anonymous)", "MB", private),
			one("voluntary switches", "", func(u harness.Usage) float64 { return float64(u.Switches) }))
	}
	return figures
}

// parts are the figures of the rounds.
func (b *bench) parts() []harness.Figure {
	if len(b.raw.Rounds) == 0 {
		return nil
	}
	one := func(group, name, unit string, of func(Round) float64) harness.Figure {
		var sample []float64
		for _, r := range b.raw.Rounds {
			sample = append(sample, of(r))
		}
		return harness.Figure{Group: group, Name: name, Unit: unit, Dist: harness.Describe(sample)}
	}
	n := fmt.Sprintf("%d separate processes / worker", len(b.plan.video()))
	return []harness.Figure{
		one(n, "CPU", "x", Round.saved),
		one(n, "what sharing one decode allows, (N·D+S+E)/(D+S+E)", "x", Round.allowed),
		one(n, "share of it that is reached", "x", func(r Round) float64 { return r.saved() / r.allowed() }).Reach("p50", 0.98),
		one("worker / encoders alone", "wall", "x", func(r Round) float64 { return r.Worker.Wall / r.Encoders.Wall }),
		one("worker / encoders alone", "CPU", "x", func(r Round) float64 { return r.Worker.CPU() / r.Encoders.CPU() }),
		one("parts", "decoding alone, CPU", "s", func(r Round) float64 { return r.Decode.CPU() }),
		one("parts", "scaling alone, CPU", "s", func(r Round) float64 { return r.DecodeScale.CPU() - r.Decode.CPU() }),
		one("parts", "encoders and files alone, CPU", "s", func(r Round) float64 { return r.Encoders.CPU() }),
	}
}

func wall(u harness.Usage) float64    { return u.Wall }
func peak(u harness.Usage) float64    { return float64(u.Peak) / 1e6 }
func private(u harness.Usage) float64 { return float64(u.Private) / 1e6 }

func (b *bench) pictures() []harness.Figure {
	var figures []harness.Figure
	one := func(name, unit string, x float64) {
		figures = append(figures, harness.Figure{Group: "pictures", Name: name, Unit: unit, Dist: harness.Describe([]float64{x})})
	}
	for i, ours := range b.raw.Ours {
		peer := b.raw.Peer[i]
		one(ours.Rendition+": frames, both", "", float64(ours.Frames))
		one(ours.Rendition+": XPSNR, worker", "dB", ours.XPSNR)
		one(ours.Rendition+": XPSNR, worker − ffmpeg", "dB", ours.XPSNR-peer.XPSNR)
		one(ours.Rendition+": bytes, worker / ffmpeg", "x", float64(ours.Bytes)/float64(peer.Bytes))
	}
	return figures
}

// sameness says how equal the outputs are.
func (b *bench) sameness() string {
	same := 0
	for i, ours := range b.raw.Ours {
		if ours.MD5 == b.raw.Peer[i].MD5 {
			same++
		}
	}
	return fmt.Sprintf("Of %d video renditions %d decode to the same pictures, bit for bit, on both sides; all have the same number of frames and lie within %.2f dB.", len(b.raw.Ours), same, equal)
}
