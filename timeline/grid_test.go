package timeline

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// DESIGN §3, Segments: live 2 s of one GOP, VOD 6 s of three; 2.002 s at
// 30000/1001, and so on.
func TestDefaultSegments(t *testing.T) {
	for _, c := range []struct {
		rate     Rate
		divisors []int64
		gop      int64
		live     time.Duration
	}{
		{Rate{24000, 1001}, nil, 48, 2002 * time.Millisecond},
		{Rate{25, 1}, nil, 50, 2 * time.Second},
		{Rate{30000, 1001}, []int64{1, 2}, 60, 2002 * time.Millisecond},
		{Rate{50, 1}, []int64{1, 2}, 100, 2 * time.Second},
		{Rate{60000, 1001}, []int64{1, 2}, 120, 2002 * time.Millisecond},
		{Rate{25, 1}, []int64{1, 2}, 50, 2 * time.Second},
		{Rate{25, 1}, []int64{1, 2, 3}, 48, 1920 * time.Millisecond},
		{Rate{25, 2}, nil, 25, 2 * time.Second},
		{Rate{1, 10}, nil, 1, 10 * time.Second},
	} {
		live, err := NewGrid(c.rate, 2*time.Second, 1, c.divisors...)
		if err != nil {
			t.Fatal(err)
		}
		vod, _ := NewGrid(c.rate, 2*time.Second, 3, c.divisors...)
		if live.FramesPerGOP != c.gop || live.TimeOf(live.FramesPerSegment()) != c.live {
			t.Errorf("%v: %d frames, %v", c.rate, live.FramesPerGOP, live.TimeOf(live.FramesPerSegment()))
		}
		if vod.FramesPerSegment() != 3*c.gop || vod.TimeOf(vod.FramesPerSegment()) != 3*c.live {
			t.Errorf("%v VOD: %d frames, %v", c.rate, vod.FramesPerSegment(), vod.TimeOf(vod.FramesPerSegment()))
		}
	}
}

func TestUnusableGrids(t *testing.T) {
	for _, c := range []struct {
		rate     Rate
		gop      time.Duration
		gops     int64
		divisors []int64
	}{
		{Rate{}, time.Second, 1, nil}, {Rate{25, 1}, 0, 1, nil}, {Rate{25, 1}, -1, 1, nil}, {Rate{25, 1}, time.Second, 0, nil},
		{Rate{25, 1}, time.Second, 1, []int64{0}}, {Rate{25, 1}, time.Second, 1, []int64{-2}},
		{Rate{25, 1}, time.Second, 1, []int64{1 << 40}}, {Rate{25, 1}, time.Second, 1, []int64{997, 991}},
	} {
		if _, err := NewGrid(c.rate, c.gop, c.gops, c.divisors...); !errors.Is(err, ErrBadGrid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func anyGrid(t *rapid.T) Grid {
	rate := rapid.SampledFrom(usual).Draw(t, "rate")
	g, err := NewGrid(rate, time.Duration(rapid.Int64Range(1, 1e10).Draw(t, "gop")), rapid.Int64Range(1, 5).Draw(t, "gops"),
		rapid.SliceOfN(rapid.Int64Range(1, 4), 0, 3).Draw(t, "divisors")...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// DESIGN §3, Names and Ticks: N = n / framesPerSegment for ever; an IDR opens
// every segment; boundaries are where every rung has a frame; ticks are whole.
func TestEveryFrameHasOnePlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGrid(t)
		n := rapid.Int64Range(-1e9, 3e11).Draw(t, "frame")
		s := g.Segment(n)
		if first := g.FirstFrame(s); n < first || n >= g.FirstFrame(s+1) || !g.IDR(first) {
			t.Errorf("frame %d is in segment %d from %d, IDR %v", n, s, first, g.IDR(first))
		}
		if g.Ticks(g.FirstFrame(s)) != s*g.SegmentTicks() {
			t.Errorf("segment %d starts at %d ticks, not %d", s, g.Ticks(g.FirstFrame(s)), s*g.SegmentTicks())
		}
		if g.FrameTicks()*g.Rate.Num != g.Timescale*g.Rate.Den {
			t.Errorf("a frame of %v is %d ticks of 1/%d", g.Rate, g.FrameTicks(), g.Timescale)
		}
	})
}

// A rung at rate/k shows every k-th frame of the grid: its boundaries are the
// same instants.
func TestRungsShareBoundaries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, k := rapid.SampledFrom(usual).Draw(t, "rate"), rapid.Int64Range(1, 6).Draw(t, "k")
		g, err := NewGrid(rate, 2*time.Second, 1, 1, k)
		if err != nil {
			t.Fatal(err)
		}
		if g.FramesPerGOP%k != 0 {
			t.Errorf("a GOP of %d frames is not whole at a %dth of the rate", g.FramesPerGOP, k)
		}
	})
}

func TestFrameAtIsTheInverseOfTimeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGrid(t)
		n := rapid.Int64Range(-1e9, 3e10).Draw(t, "frame")
		at := g.TimeOf(n)
		if g.FrameAt(at) != n || g.FrameAt(at-1) != n-1 {
			t.Errorf("frame %d at %d ns, where %d is, after %d", n, at, g.FrameAt(at), g.FrameAt(at-1))
		}
	})
}
