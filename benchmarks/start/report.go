package start

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
)

// The bars of DESIGN §12.
const (
	firstWithin = 3.0 // s, p99
	shareMost   = 1.0 // % of the worker's CPU, agent and scheduler together
)

func (b *bench) record() harness.Record {
	return harness.Record{
		Name:  "start-" + b.Ladder,
		Title: "Submit to first segment, live, ladder " + b.Ladder,
		What: "A live job is submitted over gRPC to a running farm (`gala up`: scheduler, origin, agent, Redis, all on this machine), and its first segment is read at the farm's origin: " +
			"GET of the multivariant playlist, of a media playlist, of the segment that it lists. The source is the test card, **which is paced in real time from the moment that the worker opens it**: " +
			"a segment of 2 s cannot exist sooner than 2 s after that. What is left is the farm's.",
		How: []string{
			fmt.Sprintf("%d jobs, one at a time, each stopped and ended before the next. Time counts from the call of SubmitLive.", len(b.raw.Runs)),
			fmt.Sprintf("The player looks every %d ms, which adds half of that on the average. \"First\" is the first rendition that can be played, \"all\" the last of them, sound included.", look/time.Millisecond),
			"The phases are cut at the times of the job's own events and at the anchor, which says when the card's first frame was due; they add up to \"first\".",
			fmt.Sprintf("Shares: CPU time from /proc over %v of one job that nobody looks at. `gala` is scheduler, origin and page in one process; the bar counts all of it and the agent, Redis apart.", b.Steady),
		},
		Command: b.Command, Host: harness.ThisHost(), Around: *b.around, Versions: b.versions,
		Settings: []harness.Setting{
			{Key: "ladder", Value: b.Ladder + ", live segments of 2 s of one GOP"}, {Key: "source", Value: "testcard: (1280x720, 25 fps)"},
			{Key: "anchor", Value: "the farm's: proposed by the worker, fixed by the scheduler"},
		},
		Figures: append(b.times(), b.shares()...), Findings: b.findings(),
		NotMeasured: []string{
			"Sources other than the test card: a network source adds its own connect and probe time, and a key frame may be a GOP away.",
			"Hosts apart from each other: agent, scheduler and origin share one machine and its cores here.",
			"GPU start-up: nothing here has one.",
			"Scheduler and origin apart: in `gala up` they are one process.",
		},
		Raw: b.raw,
	}
}

func (b *bench) of(group, name string, value func(Run) float64) harness.Figure {
	sample := make([]float64, len(b.raw.Runs))
	for i, r := range b.raw.Runs {
		sample[i] = value(r)
	}
	return harness.Figure{Group: group, Name: name, Unit: "s", Dist: harness.Describe(sample)}
}

func (b *bench) times() []harness.Figure {
	const total, phases = "from submit", "where the time goes"
	return []harness.Figure{
		b.of(total, "first segment", func(r Run) float64 { return r.First }).Bound("p99", firstWithin),
		b.of(total, "first segment of every rendition", func(r Run) float64 { return r.All }).Bound("p99", firstWithin),
		b.of(phases, "submit → accepted", func(r Run) float64 { return r.Accepted }),
		b.of(phases, "→ probed", func(r Run) float64 { return r.Probed }),
		b.of(phases, "→ placed", func(r Run) float64 { return r.Placed }),
		b.of(phases, "→ worker ready, anchor fixed", func(r Run) float64 { return r.Anchored }),
		b.of(phases, "→ the source has shown a segment (2 s from its first frame)", func(r Run) float64 { return r.Source }),
		b.of(phases, "→ encoded, published, found", func(r Run) float64 { return r.Tail }),
		b.load(),
	}
}

func (b *bench) load() harness.Figure {
	f := b.of("the machine", "load average at the start of a run", func(r Run) float64 { return r.Load })
	f.Unit = ""
	return f
}

func (b *bench) shares() []harness.Figure {
	const group = "cost around the worker"
	one := func(name, unit string, x float64) harness.Figure {
		return harness.Figure{Group: group, Name: name, Unit: unit, Dist: harness.Describe([]float64{x})}
	}
	s, total := b.raw.Steady, farm.Cost{}
	for _, r := range b.raw.Runs {
		total.Gala, total.Agent, total.Redis, total.Worker = total.Gala+r.Cost.Gala, total.Agent+r.Cost.Agent, total.Redis+r.Cost.Redis, total.Worker+r.Cost.Worker
	}
	return []harness.Figure{
		one("gala + agent, of the worker's CPU, on air", "%", 100*(s.Gala+s.Agent)/s.Worker).Bound("p50", shareMost),
		one("gala alone", "%", 100*s.Gala/s.Worker), one("agent alone", "%", 100*s.Agent/s.Worker), one("Redis", "%", 100*s.Redis/s.Worker),
		one("worker, on air, of a core", "%", 100*s.Worker/b.Steady.Seconds()),
		one("gala + agent + Redis, without a job, of a core", "%", 100*b.raw.Idle.All()/(b.Steady/2).Seconds()),
		one("gala + agent, of the workers' CPU, over all runs with the player looking", "%", 100*(total.Gala+total.Agent)/total.Worker),
		one("gala, peak memory", "MB", float64(b.raw.Gala)/1e6), one("agent, peak memory", "MB", float64(b.raw.Agent)/1e6),
	}
}

// findings say which phase a missed bar is due to.
func (b *bench) findings() []string {
	f := b.times()
	total := f[0]
	out := []string{fmt.Sprintf("Of the median of %.3f s, 2 s are the segment itself; the farm adds %.3f s, and %.3f s at p99.", total.Dist.P50, total.Dist.P50-2, total.Dist.P99-2)}
	var slow []Run
	for _, r := range b.raw.Runs {
		if r.First >= total.Dist.P99 {
			slow = append(slow, r)
		}
	}
	mean := func(value func(Run) float64) float64 {
		sum := 0.0
		for _, r := range slow {
			sum += value(r)
		}
		return sum / float64(max(1, len(slow)))
	}
	return append(out, fmt.Sprintf("The slowest %d (from the p99 on) had on the average: probe %.3f s, worker and anchor %.3f s, tail %.3f s, load average %.1f.", len(slow),
		mean(func(r Run) float64 { return r.Probed }), mean(func(r Run) float64 { return r.Anchored }), mean(func(r Run) float64 { return r.Tail }), mean(func(r Run) float64 { return r.Load })))
}
