package timeline

import (
	"testing"

	"pgregory.net/rapid"
)

func TestUnwrap33(t *testing.T) {
	var u Unwrap33
	for i, c := range []struct{ in, want int64 }{
		{wrap33 - 3003, wrap33 - 3003},
		{0, wrap33},                     // over the wrap
		{wrap33 - 1, wrap33 - 1},        // a B-frame from before it
		{6006, wrap33 + 6006},           // and on
		{wrap33 + 9009, wrap33 + 9009},  // bits above 33 do not count
		{wrap33 / 2, wrap33 + wrap33/2}, // nearly half way round
		{wrap33 - 1, 2*wrap33 - 1},
		{5, 2*wrap33 + 5}, // the second wrap
	} {
		if got := u.Next(c.in); got != c.want {
			t.Fatalf("step %d: %d became %d, want %d", i, c.in, got, c.want)
		}
	}
	var early Unwrap33
	early.Next(10)
	if got := early.Next(wrap33 - 20); got != -20 {
		t.Errorf("a frame from before the first became %d", got)
	}
}

// A source that moves less than half a wrap at a time keeps its distances.
func TestUnwrapKeepsDistances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(0, 1<<40).Draw(t, "start")
		var u Unwrap33
		shift := at - u.Next(at)
		for range 200 {
			at += rapid.Int64Range(-900000, wrap33/2-1).Draw(t, "step")
			if got := u.Next(at); got+shift != at {
				t.Fatalf("%d became %d, off by %d", at, got, at-got-shift)
			}
		}
	})
}

// "libavformat decides by the first packet it saw, so two joiners near a wrap
// would disagree": ours are seeded by the anchor and agree.
func TestJoinersNearAWrapAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(0, 1<<40).Draw(t, "time")
		guess := rapid.Int64Range(-wrap33/2+1, wrap33/2-1)
		var a, b Unwrap33
		a.Seed(at + guess.Draw(t, "one estimate"))
		b.Seed(at + guess.Draw(t, "the other"))
		if x, y := a.Next(at), b.Next(at); x != at || y != at {
			t.Errorf("%d is %d to one and %d to the other", at, x, y)
		}
	})
}

func FuzzUnwrap33(f *testing.F) {
	f.Add(int64(0), int64(wrap33-1), int64(5))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		var u Unwrap33
		last := u.Next(a)
		for _, v := range []int64{b, c} {
			got := u.Next(v)
			if (got-v)&(wrap33-1) != 0 || distance(got, last) > wrap33/2 {
				t.Errorf("%d after %d became %d", v, last, got)
			}
			last = got
		}
	})
}
