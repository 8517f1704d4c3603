package timeline

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func anyBase(t *rapid.T) Timebase {
	return Timebase{1, rapid.SampledFrom([]int64{1000, 48000, 90000, 1_000_000, 1_000_000_000}).Draw(t, "ticks")}
}

// Time and Nearest are inverse wherever the source's clock is finer than a frame.
func TestTimeOfAFrameIsNearestToIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		a := Anchor{Source: rapid.Int64Range(-1e15, 1e15).Draw(t, "source"), Base: anyBase(t), Frame: rapid.Int64Range(0, 3e11).Draw(t, "frame")}
		n := a.Frame + rapid.Int64Range(-1e9, 1e9).Draw(t, "n")
		if got := a.Nearest(a.Time(n, rate), rate); got != n {
			t.Errorf("frame %d is at %d, which is nearest to %d", n, a.Time(n, rate), got)
		}
	})
}

func TestOffsetAgreesWithNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		a := Anchor{Base: anyBase(t)}
		at := rapid.Int64Range(-1e14, 1e14).Draw(t, "t")
		if d := distance(a.Offset(at, rate), a.Nearest(at, rate)*Fine); d > Fine/2+1 {
			t.Errorf("offset %d is %d from its nearest frame", a.Offset(at, rate), d)
		}
	})
}

func TestHostileTimestampsDoNotWrapAround(t *testing.T) {
	a := Anchor{Source: math.MinInt64, Base: Timebase{1<<31 - 1, 1}, Frame: math.MaxInt64}
	if n := a.Nearest(math.MaxInt64, Rate{120, 1}); n != math.MaxInt64 {
		t.Errorf("nearest is %d", n)
	}
	if n := a.Offset(math.MaxInt64, Rate{120, 1}); n != math.MaxInt64 {
		t.Errorf("offset is %d", n)
	}
}

// DESIGN §3, Anchors: on an index, on a boundary where nothing binds it, never
// before the end of what was published.
func TestSnap(t *testing.T) {
	g, _ := NewGrid(Rate{25, 1}, 2*time.Second, 1) // 50 frames a segment
	for _, c := range []struct {
		name  string
		start Start
		want  int64
	}{
		{"clip from its start", Start{}, 0},
		{"free: the segment on air", Start{Wall: 2999 * time.Millisecond}, 50},
		{"free: exactly on a boundary", Start{Wall: 4 * time.Second}, 100},
		{"free: that segment is published", Start{Wall: 2999 * time.Millisecond, Bound: 100}, 100},
		{"free: half of that segment is published", Start{Wall: 2999 * time.Millisecond, Bound: 51}, 100},
		{"free: the bound is long past", Start{Wall: 9 * time.Second, Bound: 50}, 200},
		{"free: the bound is ahead of the clock", Start{Wall: 1 * time.Second, Bound: 500}, 500},
		{"clocked: nearest index", Start{Wall: 2999 * time.Millisecond, Clocked: true}, 75},
		{"clocked: half a frame goes up", Start{Wall: 20 * time.Millisecond, Clocked: true}, 1},
		{"clocked: after the bound", Start{Wall: 2999 * time.Millisecond, Bound: 90, Clocked: true}, 90},
	} {
		c.start.Source, c.start.Base = 12345, Timebase{1, 90000}
		a := g.Snap(c.start, 3)
		if a.Frame != c.want || a.Source != 12345 || a.Base != c.start.Base || a.Generation != 3 {
			t.Errorf("%s: %+v, want frame %d", c.name, a, c.want)
		}
	}
}

func TestSnapNeverGoesBeforeTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGrid(t)
		s := Start{Base: Timebase{1, 90000}, Source: rapid.Int64().Draw(t, "source"), Clocked: rapid.Bool().Draw(t, "clocked"),
			Wall: time.Duration(rapid.Int64Range(0, 2e18).Draw(t, "wall")), Bound: rapid.Int64Range(0, 1e11).Draw(t, "bound")}
		a := g.Snap(s, 1)
		if a.Frame < s.Bound {
			t.Errorf("frame %d is before the bound %d", a.Frame, s.Bound)
		}
		if !s.Clocked && a.Frame%g.FramesPerSegment() != 0 {
			t.Errorf("frame %d is not a boundary", a.Frame)
		}
		if !s.Clocked && a.Frame > max(g.FrameAt(s.Wall), s.Bound+g.FramesPerSegment()-1) {
			t.Errorf("frame %d is later than it needs to be", a.Frame)
		}
		if n := a.Nearest(s.Source, g.Rate); n != a.Frame {
			t.Errorf("the source frame is on %d, not %d", n, a.Frame)
		}
	})
}
