package timeline

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// observe places every timestamp and tells, per timestamp, its index or -1.
func observe(p *Placer, times []int64) []int64 {
	out := make([]int64, len(times))
	for i, t := range times {
		n, ok := p.Place(t)
		if out[i] = n; !ok {
			out[i] = -1
		}
	}
	return out
}

// repair counts how many indexes were left empty and how many frames dropped.
func repair(placed []int64) (doubled, dropped int) {
	last := int64(-1)
	for i, n := range placed {
		switch {
		case n < 0:
			dropped++
			continue
		case i > 0 && last >= 0:
			doubled += int(n - last - 1)
		}
		last = n
	}
	return doubled, dropped
}

// frames are the timestamps of count frames of a source at rate, the first at
// phase/1000 of a frame after the anchor, each read off a clock of base ticks
// after straying by jitter(i) ticks of a microsecond.
func frames(rate Rate, base Timebase, count int, phase int64, jitter func(i int) int64) []int64 {
	micro := Timebase{1, 1_000_000}
	out := make([]int64, count)
	for i := range out {
		at := mulDivRound(int64(i)*1000+phase, rate.Den, 1_000_000, rate.Num, 1000)
		out[i] = Rescale(at+jitter(i), micro, base)
	}
	return out
}

func none(int) int64 { return 0 }

// alternate strays by ±d microseconds, the hardest pattern for rounding.
func alternate(d int64) func(int) int64 {
	return func(i int) int64 { return d * int64(1-2*(i%2)) }
}

var usual = []Rate{{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {30, 1}, {50, 1}, {60000, 1001}, {60, 1}, {100, 1}, {120000, 1001}, {120, 1}}

var bases = map[string]Timebase{"flv and mkv": {1, 1000}, "ts": {1, 90000}, "us": {1, 1_000_000}, "ns": {1, 1_000_000_000}}

// DESIGN §3, Frames: "a source that jitters around half a frame neither doubles
// nor drops", here at every phase, half a frame above all. Before the first
// block is over the phase is not known, so the source is given two seconds.
func TestJitterAtTheWorstPhaseDoublesAndDropsNothing(t *testing.T) {
	for _, rate := range usual {
		for name, base := range bases {
			for _, phase := range []int64{0, 250, 480, 499, 500, 501, 520, 750, 999} {
				for _, d := range []int64{0, 100, 500, 1000} {
					t.Run(fmt.Sprintf("%v/%s/phase %d/%dus", rate, name, phase, d), func(t *testing.T) {
						p := Placer{Anchor: Anchor{Base: base}, Rate: rate}
						times := frames(rate, base, 20*int(blockFrames(rate)), phase, alternate(d))
						placed := observe(&p, times)
						settled := placed[2*blockFrames(rate):]
						if doubled, dropped := repair(settled); doubled+dropped > 0 {
							t.Errorf("%d doubled, %d dropped of %d", doubled, dropped, len(settled))
						}
					})
				}
			}
		}
	}
}

// Random jitter that sits on the half for ever, which no snapped anchor gives,
// costs at most one frame a block where plain rounding costs every third.
func TestStandingOnTheHalfCostsOneFrameABlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		p := Placer{Anchor: Anchor{Base: Timebase{1, 90000}}, Rate: rate}
		times := frames(rate, p.Anchor.Base, 12*int(blockFrames(rate)), 500, func(int) int64 {
			return rapid.Int64Range(-1000, 1000).Draw(t, "jitter")
		})
		doubled, dropped := repair(observe(&p, times)[blockFrames(rate)+1:])
		if doubled+dropped > 12 {
			t.Errorf("%d doubled, %d dropped in 12 blocks", doubled, dropped)
		}
	})
}

// On an anchor that Snap made, nothing is doubled or dropped from the first
// frame on, for jitter up to a quarter of a frame either way.
func TestSnappedSourceIsPlacedOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		quarter := 1_000_000*rate.Den/rate.Num/4 - 600 // the clock takes half a millisecond
		times := frames(rate, Timebase{1, 1000}, 500, 0, func(i int) int64 {
			return rapid.Int64Range(-quarter, quarter).Draw(t, "jitter") / 2
		})
		g, _ := NewGrid(rate, 2e9, 1)
		a := g.Snap(Start{Source: times[0], Base: Timebase{1, 1000}, Wall: 1e18}, 1)
		p := Placer{Anchor: a, Rate: rate}
		for i, n := range observe(&p, times) {
			if n != a.Frame+int64(i) {
				t.Fatalf("frame %d is at %d, not %d", i, n-a.Frame, i)
			}
		}
	})
}

// A clock that runs fast or slow against the grid costs one frame per frame of
// drift, not a flurry of them around the half.
func TestDriftCostsWhatTheGridAsks(t *testing.T) {
	for _, c := range []struct {
		source, grid Rate
		asks         int // frames too many (or too few) in the run
	}{
		{Rate{30, 1}, Rate{30000, 1001}, 3},
		{Rate{30000, 1001}, Rate{30, 1}, 3},
		{Rate{29976, 1000}, Rate{30000, 1001}, 1}, // 100 s at 0.2 parts per thousand: 0.6 frames
		{Rate{60, 1}, Rate{60000, 1001}, 3},
		{Rate{25, 1}, Rate{24, 1}, 120},
		{Rate{24, 1}, Rate{25, 1}, 125},
	} {
		for _, base := range []Timebase{{1, 1000}, {1, 90000}} {
			p := Placer{Anchor: Anchor{Base: base}, Rate: c.grid}
			doubled, dropped := repair(observe(&p, frames(c.source, base, 3000, 0, none)))
			if got := doubled + dropped; got > c.asks+1 {
				t.Errorf("%v on %v: %d doubled and %d dropped, the grid asks %d", c.source, c.grid, doubled, dropped, c.asks)
			}
		}
	}
}

// randomSource is a source in the wild: constant or variable rate, jitter,
// losses, repeats, drift; its timestamps never go back.
func randomSource(t *rapid.T) (Rate, Anchor, []int64) {
	grid := rapid.SampledFrom(usual).Draw(t, "grid")
	source := rapid.SampledFrom(usual).Draw(t, "source")
	base := Timebase{1, rapid.SampledFrom([]int64{1000, 90000, 1_000_000}).Draw(t, "ticks")}
	step := 1_000_000 * source.Den / source.Num
	at := rapid.Int64Range(-1e12, 1e12).Draw(t, "start")
	a := Anchor{Source: Rescale(at, Timebase{1, 1_000_000}, base), Base: base, Frame: rapid.Int64Range(-1e6, 5e10).Draw(t, "frame")}
	at += rapid.Int64Range(-step, step).Draw(t, "phase")
	stray := rapid.SampledFrom([]int64{0, 500, step / 4, step}).Draw(t, "stray")
	times := make([]int64, 0, 1500)
	last := int64(-1 << 62)
	for range 1500 {
		at += step
		if rapid.IntRange(0, 400).Draw(t, "gap") == 0 {
			at += step * rapid.Int64Range(1, 300).Draw(t, "lost")
		}
		ts := Rescale(at+rapid.Int64Range(-stray, stray).Draw(t, "jitter"), Timebase{1, 1_000_000}, base)
		last = max(last, ts)
		times = append(times, last)
	}
	return grid, a, times
}

// The key property of DESIGN §3: two observers of one source through one
// anchor, starting at any frame, agree on every index, boundary and name, from
// Lookback after the later one's start at the latest.
func TestObserversAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, a, times := randomSource(t)
		g, _ := NewGrid(rate, 2e9, 1)
		join := rapid.IntRange(0, len(times)-1).Draw(t, "join")
		first := Placer{Anchor: a, Rate: rate}
		second := Placer{Anchor: a, Rate: rate}
		want, got := observe(&first, times)[join:], observe(&second, times[join:])
		from := a.Nearest(times[join], rate) + Lookback(rate)
		for i, ts := range times[join:] {
			if a.Nearest(ts, rate) < from {
				continue
			}
			if want[i] != got[i] || g.Segment(want[i]) != g.Segment(got[i]) || g.IDR(want[i]) != g.IDR(got[i]) {
				t.Fatalf("timestamp %d is %d to one observer and %d to the other", ts, want[i], got[i])
			}
		}
	})
}

// A source at the grid's rate on a snapped anchor: a joiner agrees at once.
func TestObserversOfASnappedSourceAgreeAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		base := rapid.SampledFrom([]Timebase{{1, 1000}, {1, 90000}}).Draw(t, "base")
		d := rapid.Int64Range(0, 300).Draw(t, "jitter")
		times := frames(rate, base, 1000, 0, alternate(d))
		a := Anchor{Source: times[0], Base: base, Frame: 42}
		join := rapid.IntRange(0, 999).Draw(t, "join")
		first, second := Placer{Anchor: a, Rate: rate}, Placer{Anchor: a, Rate: rate}
		want, got := observe(&first, times)[join:], observe(&second, times[join:])
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("frame %d is %d to one observer and %d to the other", join+i, want[i], got[i])
			}
		}
	})
}

func TestIndexesOnlyGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, a, times := randomSource(t)
		p := Placer{Anchor: a, Rate: rate}
		last, have := int64(0), false
		for _, ts := range times {
			n, ok := p.Place(ts)
			if ok && have && n <= last {
				t.Fatalf("index %d after %d", n, last)
			}
			if ok {
				last, have = n, true
			}
			if d := distance(a.Nearest(ts, rate), n); d > 1 {
				t.Fatalf("timestamp %d is %d frames from where it belongs", ts, d)
			}
		}
	})
}

func TestResetForgetsTheSource(t *testing.T) {
	p := Placer{Anchor: Anchor{Base: Timebase{1, 1000}}, Rate: Rate{25, 1}}
	observe(&p, frames(p.Rate, p.Anchor.Base, 200, 300, none))
	b := Anchor{Generation: 2, Base: Timebase{1, 90000}, Frame: 7}
	p.Reset(b)
	if fresh := (Placer{Anchor: b, Rate: Rate{25, 1}}); p != fresh {
		t.Errorf("after a reset: %+v", p)
	}
	if n, ok := p.Place(0); n != 7 || !ok {
		t.Errorf("first frame of the new generation is %d, %v", n, ok)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add(int64(0), int64(1), int64(1000), int64(25), int64(1), int64(40), int64(80))
	f.Add(int64(-1<<63), int64(1<<31-1), int64(1), int64(1<<31-1), int64(1), int64(1<<63-1), int64(-1<<63))
	f.Fuzz(func(t *testing.T, source, bn, bd, rn, rd, t1, t2 int64) {
		rate, err := NewRate(rn, rd)
		if err != nil || bn <= 0 || bd <= 0 || bn > 1<<31-1 || bd > 1<<31-1 {
			return
		}
		p := Placer{Anchor: Anchor{Source: source, Base: Timebase{bn, bd}}, Rate: rate}
		n1, ok1 := p.Place(t1)
		n2, ok2 := p.Place(t2)
		if ok1 && ok2 && n2 <= n1 {
			t.Errorf("index %d after %d", n2, n1)
		}
	})
}
