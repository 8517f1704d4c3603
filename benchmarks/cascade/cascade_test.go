package cascade

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/timeline"
)

func rungsOf(t *testing.T, ladder string) []rung {
	t.Helper()
	rungs, err := sizesOf(ladder, 1920, 1080, timeline.Rate{Num: 25, Den: 1})
	if err != nil {
		t.Fatal(err)
	}
	return rungs
}

func TestWaysAreOfOneLadderAndOneStep(t *testing.T) {
	all, err := waysOf(1920, 1080, timeline.Rate{Num: 25, Den: 1})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, w := range all {
		if seen[w.String()] {
			t.Errorf("%s twice", w)
		}
		seen[w.String()] = true
		if w.from != nil && (w.to.ratio(*w.from) < least || w.from.ladder != w.to.ladder || !seen[w.to.size()]) {
			t.Errorf("%s: %.2f, of %s and %s", w, w.to.ratio(*w.from), w.from.ladder, w.to.ladder)
		}
	}
	for _, want := range []string{"640x360", "640x360 from 1280x720", "426x240 from 854x480"} {
		if !seen[want] {
			t.Errorf("%s is not measured", want)
		}
	}
	for _, not := range []string{"1920x1080", "1280x720"} {
		if seen[not] {
			t.Errorf("%s has nothing to be compared with", not)
		}
	}
}

func TestCheapestPlan(t *testing.T) {
	rungs := rungsOf(t, "hd")
	all := func(way) bool { return true }
	for _, c := range []struct {
		name string
		may  func(way) bool
		want string
	}{
		{"none", func(way) bool { return false }, ""},
		{"all", all, "768x432 from 1280x720, 640x360 from 960x540, 416x234 from 960x540"},
		{"halves", func(w way) bool { return w.to.ratio(*w.from) == 2 }, "640x360 from 1280x720"},
	} {
		if got := describe(cheapest(rungs, c.may)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestGraphPassesPicturesOn(t *testing.T) {
	rungs := rungsOf(t, "mini")
	g := graph(cheapest(rungs, func(w way) bool { return true }))
	for _, want := range []string{"split=1[s0];[s0]zscale=w=854:h=480", "setsar=1,split=3[x1][x2][v0]", ";[x1]zscale=w=640:h=360", ";[x2]zscale=w=426:h=240"} {
		if !strings.Contains(g, want) {
			t.Errorf("no %q in %s", want, g)
		}
	}
}

func TestFiguresAreReadByName(t *testing.T) {
	said := "[xpsnr@neutral0 @ 0x1] XPSNR  y: 31.5  u: 40.0  v: 41.0  (minimum: 31.5)\n[psnr@plain0 @ 0x3] PSNR y:28.125 u:47.7 v:44.0 average:29.0 min:28 max:29\n[xpsnr@screen0 @ 0x2] XPSNR  y: 22.25  u: 1.0  v: 1.0\n"
	got, err := figures([]byte(said), 1)
	if err != nil || got[0] != (seen{22.25, 28.125, 31.5}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := figures([]byte(said), 2); err == nil {
		t.Error("a file without a figure")
	}
}

func TestQualityForARate(t *testing.T) {
	// Half the bits for 5 steps.
	trials, got := []float64{24, 34}, []float64{4e6, 1e6}
	for rate, want := range map[float64]float64{4e6: 24, 2e6: 29, 1e6: 34, 0.5e6: 39, 1: 46, 1e9: 14} {
		if q := qualityFor(rate, trials, got); q != want {
			t.Errorf("%g bit/s: %g, want %g", rate, q, want)
		}
	}
}

func TestTheGateIsTheWorstClip(t *testing.T) {
	rungs := rungsOf(t, "mini")
	small, large := rungs[1], rungs[0]
	all := []Result{
		{Clip: "a", Size: small.size(), From: large.size(), ScreenBD: -3},
		{Clip: "b", Size: small.size(), From: large.size(), ScreenBD: 0.6, NeutralBD: -9},
	}
	if passing(all)(way{small, &large}) {
		t.Error("0.6 % passes")
	}
	all[1].ScreenBD = 0.4
	if !passing(all)(way{small, &large}) {
		t.Error("0.4 % does not pass")
	}
	all[0].PlainBD = 1
	if passing(all)(way{small, &large}) {
		t.Error("1 % of PSNR passes")
	}
	if passing(nil)(way{small, &large}) {
		t.Error("what was not measured passes")
	}
}

func TestFindingsAreMadeOfTheFigures(t *testing.T) {
	got := strings.Join(findings(raw{
		Results: []Result{
			{Clip: "a", Size: "1x1"},
			{Clip: "a", Size: "1x1", From: "2x2", Ratio: 2, ScreenBD: -3, PlainBD: 0.25},
			{Clip: "a", Size: "1x1", From: "3x3", Ratio: 3, ScreenBD: -9, PlainBD: 4, NeutralBD: 1},
		},
		Costs: []Cost{{Clip: "a", Ladder: "mini", Plan: "1x1 from 2x2", Runs: []Round{{Direct: 3, Planned: 2, Idle: 1, Whole: 10}}}},
	}), "\n")
	for _, want := range []string{
		"1 of 2 cascades cost at most 0.5 % of bits on every clip", "XPSNR alone 2 would pass, by PSNR alone 1, by XPSNR at the rung's size 1",
		"1x1 from 2x2 (2.00) passes: +0.25 % at worst", "In 2 of 2 cases XPSNR finds", "1x1 from 2x2 would save 10.0 % of scaling and encoding, of which scaling is 20.0 %",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}
