package faults

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
)

func (b *bench) record() harness.Record {
	return harness.Record{
		Name:  "faults",
		Title: "What faults cost the viewers of a live job",
		What: "A live job of two rungs and sound runs on a farm of one machine (`gala up`), or, for kinds that begin with `hosts/`, `replicas/` and `inputs/`, on hosts in network namespaces, " +
			"and writes to an origin of the benchmark's. Faults are injected one at a time, and the origin is watched as a player does: every playlist ten times a second, every new segment read whole.",
		How: []string{
			fmt.Sprintf("%d faults of each kind are wanted, mixed by a seed, at most %d in one job. Each waits %v, a quarter more or less, and until three segments in a row of every rendition have come as they usually do.", b.Each, b.PerJob, b.Every),
			"Missing: numbers that are listed as gaps, or never listed, in any rendition. Late: segments that came more than their length later than usual.",
			"Gap: the longest time between two new segments of a rendition less the segment's length. First: from the fault to the segment that ended the longest pause that began within two segments of it, or to the first one where there was no pause. Edge: from the fault until every rendition came as usual again, to half a segment; 0 where none had left it.",
			fmt.Sprintf("Several at once on one machine, each on a farm, an origin and a viewer of its own. So that a fault meets room to catch up, it waits until %.0f %% of the machine have been idle for %v, and %v for the one before it.", 100*b.Room, roomFor, roomApart),
			"Agent back: from the end of an agent until another one is attached in its place; what runs it starts it again at once (`gala up`), or after a second (`replicas/`, as systemd would).",
			"Noticed: from the fault to the first event on the record of the job, of those faults that have one. `hosts/`: the source is a stream that is sent to both hosts; the one that does not encode holds it, and `host-cut-cold` kills what it holds. `replicas/`: two runs of one job; of each number the one that came first counts.",
			"Made in several calls, at the commits and on the machines that the settings list; host, versions and the shares of others are those of the last one. Each fault has the idle share that it met; `faults.jsonl` has them all.",
			"The last observation of a fault is when the next one is injected or the programme is steady.",
		},
		Command: b.Command, Host: harness.ThisHost(), Around: *b.around, Versions: b.versions,
		Settings: append(b.calls(), []harness.Setting{
			{Key: "ladder", Value: "180p and 120p H.264, stereo AAC; live segments of 2 s of one GOP"}, {Key: "source", Value: "the test card at 320x180; for faults of the source, a job of its own that is pulled as a playlist"},
			{Key: "origin", Value: "the farm's own kind, in the benchmark's process, kept by its NoSync"},
		}...),
		Figures: b.figures(), Findings: b.findings(),
		NotMeasured: []string{
			"Machines apart from each other: scheduler, agents, workers, origin and viewer share one machine and its cores.",
			"GPUs: a driver that hangs, a device that is lost.",
		},
	}
}

// told are the kinds of the record: those that were asked for, and those that earlier
// calls measured.
func (b *bench) told() []string {
	all := slices.Clone(b.Kinds)
	for _, r := range b.ledger.Runs {
		if !slices.Contains(all, r.Kind) {
			all = append(all, r.Kind)
		}
	}
	return all
}

// calls are where and with what the faults were measured, and how many each time.
func (b *bench) calls() (all []harness.Setting) {
	counts := map[Made]int{}
	var order []Made
	for _, r := range b.ledger.Runs {
		if counts[r.By]++; counts[r.By] == 1 {
			order = append(order, r.By)
		}
	}
	for _, m := range order {
		all = append(all, harness.Setting{Key: fmt.Sprintf("%d faults", counts[m]), Value: m.String()})
	}
	return all
}

func (b *bench) figures() (all []harness.Figure) {
	for _, kind := range b.told() {
		k, err := ParseKind(kind)
		if err != nil {
			continue // Measure has looked
		}
		of := func(name, unit string, value func(Observation) float64) harness.Figure {
			var sample []float64
			for _, r := range b.ledger.Runs {
				if v := value(r); r.Kind == kind && !math.IsNaN(v) { // it has none
					sample = append(sample, v)
				}
			}
			return harness.Figure{Group: kind + ": " + k.Fault.What, Name: name, Unit: unit, Dist: harness.Describe(sample)}
		}
		bound := func(f harness.Figure, of string, most time.Duration) harness.Figure {
			if most <= 0 {
				return f
			}
			return f.Bound(of, ms(most))
		}
		bar := barsOf(kind)
		all = append(all,
			of("segments missing", "", func(r Observation) float64 { return float64(r.Missing) }).Bound(map[bool]string{true: "max", false: "p99"}[bar.missing == 0], float64(bar.missing)),
			of("segments late", "", func(r Observation) float64 { return float64(r.Late) }),
			bound(of("noticed", "ms", func(r Observation) float64 {
				if len(r.Events) == 0 {
					return math.NaN()
				}
				return r.NoticedMS
			}), "p99", bar.noticed),
			of("gap", "ms", func(r Observation) float64 { return r.GapMS }),
			bound(of("first new segment", "ms", func(r Observation) float64 { return r.FirstMS }), "p99", bar.first),
			bound(of("live edge", "ms", func(r Observation) float64 { return r.EdgeMS }), "p99", bar.edge),
			bound(of("agent back", "ms", func(r Observation) float64 {
				if r.BackMS == 0 {
					return math.NaN()
				}
				return r.BackMS
			}), "p99", bar.back),
			of("not back at the edge", "", func(r Observation) float64 {
				if r.Recovered {
					return 0
				}
				return 1
			}).Bound("max", 0),
			of("machine idle before", "%", func(r Observation) float64 { return 100 * r.IdleBefore }),
			of("machine idle meanwhile", "%", func(r Observation) float64 { return 100 * r.Idle }))
	}
	// What no fault of a kind has is no figure.
	return slices.DeleteFunc(all, func(f harness.Figure) bool { return f.Dist.N == 0 })
}

func ms(d time.Duration) float64 { return float64(d.Milliseconds()) }

func (b *bench) findings() (said []string) {
	told := b.told()
	if short := slices.DeleteFunc(slices.Clone(told), func(kind string) bool { return b.count(kind) >= b.Each }); len(short) > 0 {
		said = append(said, fmt.Sprintf("Not done yet: %d of %d kinds have fewer than %d faults (%s).", len(short), len(told), b.Each, strings.Join(short, ", ")))
	}
	for _, kind := range told {
		n, missing, faults := 0, 0, 0
		for _, r := range b.ledger.Runs {
			if r.Kind != kind {
				continue
			}
			n++
			if missing += r.Missing; r.Missing > 0 {
				faults++
			}
		}
		said = append(said, fmt.Sprintf("%s: %d faults, %d segments missing after %d of them.", kind, n, missing, faults))
	}
	return said
}
