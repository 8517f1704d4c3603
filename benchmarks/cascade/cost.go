package cascade

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/galafarm/gala/benchmarks/harness"
)

// Cost is what scaling a whole ladder takes, by a plan and directly.
type Cost struct {
	Clip   string `json:"clip"`
	Ladder string `json:"ladder"`
	// Plan says what each size is scaled from.
	Plan string  `json:"plan"`
	Runs []Round `json:"runs"`
}

// Round is CPU time of one run of each, one right after the other, in seconds.
type Round struct {
	Direct  float64 `json:"direct"`
	Planned float64 `json:"planned"`
	Idle    float64 `json:"pictures_alone"` // reading them and throwing them away
	Whole   float64 `json:"scaling_and_encoding"`
}

// ratio of scaling alone.
func (r Round) ratio() float64 { return (r.Planned - r.Idle) / max(1e-3, r.Direct-r.Idle) }

// saved is the share of all work.
func (r Round) saved() float64 { return (r.Direct - r.Planned) / r.Whole }

// share of scaling in all work.
func (r Round) share() float64 { return (r.Direct - r.Idle) / r.Whole }

// costs measures every ladder on the first clip of each size: by all cascades
// whatever they lose, which is the most that can be saved, and by those that
// pass.
func (o Options) costs(ctx context.Context, clips []*clip, passed func(way) bool) (all []Cost, err error) {
	done := map[int]bool{}
	for _, c := range clips {
		if done[c.height] {
			continue
		}
		done[c.height] = true
		for _, name := range ladderNames() {
			rungs, err := sizesOf(name, c.width, c.height, c.rate)
			if err != nil {
				return nil, err
			}
			plans := [][]way{cheapest(rungs, func(way) bool { return true })}
			if p := cheapest(rungs, passed); describe(p) != "" {
				plans = append(plans, p)
			}
			for _, p := range plans {
				cost := Cost{Clip: c.name(), Ladder: name, Plan: describe(p)}
				if cost.Runs, err = o.rounds(ctx, c, rungs, p); err != nil {
					return nil, err
				}
				fmt.Fprintf(o.Log, "cascade: %s, %s: %s: %+.3f\n", cost.Clip, name, cost.Plan, cost.Runs[0])
				all = append(all, cost)
			}
		}
	}
	return all, nil
}

func (o Options) rounds(ctx context.Context, c *clip, rungs []rung, plan []way) (out []Round, err error) {
	direct := cheapest(rungs, func(way) bool { return false })
	whole, err := c.wholeArgs(direct)
	if err != nil {
		return nil, err
	}
	for i := range o.Runs {
		var r Round
		steps := []struct {
			to   *float64
			args []string
		}{{&r.Direct, c.scaleArgs(graph(direct), len(rungs))}, {&r.Planned, c.scaleArgs(graph(plan), len(rungs))}, {&r.Idle, c.scaleArgs(idle(len(rungs)), len(rungs))}, {&r.Whole, whole}}
		for k := range steps {
			s := steps[(i+k)%len(steps)]
			u, err := harness.Measure(ctx, harness.Command{Path: c.ffmpeg, Args: s.args})
			if err != nil {
				return nil, err
			}
			*s.to = u.CPU()
		}
		out = append(out, r)
	}
	return out, nil
}

var quiet = []string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-filter_complex_threads", "1"}

func (c *clip) scaleArgs(graph string, n int) []string {
	args := slices.Concat(quiet, c.pictures(), []string{"-filter_complex", graph})
	for i := range n {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i))
	}
	return append(args, "-f", "null", "-")
}

// wholeArgs scale and encode the ladder, with the preset of the encodes.
func (c *clip) wholeArgs(plan []way) ([]string, error) {
	args := slices.Concat(quiet, c.pictures(), []string{"-filter_complex", graph(plan)})
	for i, w := range plan {
		o, err := encoder(w.to, i)
		if err != nil {
			return nil, err
		}
		args = append(append(args, "-map", fmt.Sprintf("[v%d]", i)), o...)
	}
	return append(args, "-f", "null", "-"), nil
}

// graph makes [v0], [v1] … of the ways, which stand in one order with their
// rungs; a rung that others are scaled from passes its pictures on.
func graph(plan []way) string {
	var g strings.Builder
	fmt.Fprintf(&g, "[0:v]%s%s", labelled, fanned("s", plan, nil))
	for i, w := range plan {
		in := fmt.Sprintf("s%d", i)
		if w.from != nil {
			in = fmt.Sprintf("x%d", i)
		}
		fmt.Fprintf(&g, ";[%s]%s", in, scaled(w.to))
		if children := fanned("x", plan, &w.to); children == "" {
			fmt.Fprintf(&g, "[v%d]", i)
		} else {
			fmt.Fprintf(&g, "%s[v%d]", children, i)
		}
	}
	return g.String()
}

// fanned splits pictures for all that are scaled from a rung (nil: the source),
// and for the rung itself.
func fanned(label string, plan []way, from *rung) string {
	var out string
	n := 0
	for i, w := range plan {
		if from == nil && w.from == nil || from != nil && w.from != nil && w.from.size() == from.size() {
			out += fmt.Sprintf("[%s%d]", label, i)
			n++
		}
	}
	if n == 0 {
		return ""
	}
	if from != nil {
		n++
	}
	return fmt.Sprintf(",split=%d%s", n, out)
}

func idle(n int) string {
	g := fmt.Sprintf("[0:v]split=%d", n)
	for i := range n {
		g += fmt.Sprintf("[v%d]", i)
	}
	return g
}

// cheapest is the plan that reads the fewest pixels: every rung from the source,
// or from the smallest larger one that may feed it and is scaled from the source
// itself.
func cheapest(rungs []rung, may func(way) bool) []way {
	var best []way
	for feeding := range 1 << len(rungs) {
		plan := planned(rungs, may, feeding)
		if best == nil || reads(plan) < reads(best) {
			best = plan
		}
	}
	return best
}

// planned is the plan when only the rungs of a set of bits may feed others.
func planned(rungs []rung, may func(way) bool, feeding int) []way {
	var out []way
	for i, r := range rungs {
		w := way{to: r}
		for k := i - 1; k >= 0 && feeding>>i&1 == 0; k-- {
			from := way{r, &rungs[k]}
			if feeding>>k&1 == 1 && r.ratio(rungs[k]) >= least && r.ratio(rungs[k]) <= widest && may(from) {
				w = from
				break
			}
		}
		out = append(out, w)
	}
	return out
}

// reads is how many pixels a plan reads beside those of the source.
func reads(plan []way) (n int) {
	for _, w := range plan {
		if w.from == nil {
			n += 1 << 24 // more than any rung has
		} else {
			n += w.from.area()
		}
	}
	return n
}

// describe names the cascades of a plan, "" for none.
func describe(plan []way) string {
	var out []string
	for _, w := range plan {
		if w.from != nil {
			out = append(out, w.String())
		}
	}
	return strings.Join(out, ", ")
}
