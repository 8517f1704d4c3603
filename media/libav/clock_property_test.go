package libav

import (
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/timeline"
)

var ninety = timeline.Timebase{Num: 1, Den: 90000}

// newTestClock keeps the time of n streams at 90 kHz.
func newTestClock(wraps bool, n int) *clock {
	c := &clock{wraps: wraps, streams: map[int]*trackClock{}}
	for i := range n {
		c.streams[i] = &trackClock{base: ninety}
	}
	return c
}

// tick gives the clock one packet and returns its fixed timestamps.
func (c *clock) tick(stream int, pts, dts, duration int64) (int64, int64) {
	p := astiav.AllocPacket()
	defer p.Free()
	p.SetStreamIndex(stream)
	p.SetPts(pts)
	p.SetDts(dts)
	p.SetDuration(duration)
	c.fix(p)
	return p.Pts(), p.Dts()
}

// A 33-bit clock that starts anywhere goes on for ever, B frames and all.
func TestClockUnwraps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newTestClock(true, 1)
		start := rapid.Int64Range(0, 1<<33-1).Draw(t, "start")
		want := start
		for i := range rapid.IntRange(1, 200).Draw(t, "packets") {
			step := rapid.Int64Range(1500, 7200).Draw(t, "step")
			delay := rapid.Int64Range(0, 4*3600).Draw(t, "delay")
			pts, dts := c.tick(0, (want+delay)&(1<<33-1), want&(1<<33-1), step)
			if i == 0 { // the first is taken as it is
				want = dts
			}
			if dts != want || pts != want+delay {
				t.Fatalf("packet %d: %d/%d, want %d/%d", i, pts, dts, want+delay, want)
			}
			want += step
		}
		if len(c.notes.list) != 0 {
			t.Fatalf("notes about nothing: %q", c.notes.list)
		}
	})
}

// A jump is closed for all streams by the same amount, nothing falls on what
// was there, and sound keeps its distance from the picture.
func TestClockClosesJumps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newTestClock(false, 2)
		jump := rapid.SampledFrom([]int64{-5000, -60, -11, 12, 60, 5000}).Draw(t, "seconds") * 90000
		distance := rapid.Int64Range(-20000, 20000).Draw(t, "sound before picture")
		at := rapid.Int64Range(6000, 100000).Draw(t, "start") * 90000
		var end int64
		both := func(i int64) (v, a int64) {
			v, _ = c.tick(0, at+i*3600, at+i*3600, 3600)
			a, _ = c.tick(1, at+i*3600+distance, at+i*3600+distance, 3600)
			return v, a
		}
		for i := range int64(20) {
			v, a := both(i)
			if end = max(v, a) + 3600; a-v != distance {
				t.Fatalf("before the jump sound is at %d", a-v)
			}
		}
		at += 20*3600 + jump
		for i := range int64(20) {
			v, a := both(i)
			if off := a - v - distance; off < -2 || off > 2 {
				t.Fatalf("after the jump sound strays by %d ticks", off)
			}
			if v < end-2 || v > end+i*3600+5 {
				t.Fatalf("picture %d after the jump is at %d, what was before ends at %d", i, v, end)
			}
		}
		if len(c.notes.list) != 1 || !strings.Contains(c.notes.list[0], "joined without a gap") {
			t.Fatalf("notes: %q", c.notes.list)
		}
	})
}

// What a programme does is no jump: gaps of seconds, packets without times.
func TestClockLeavesGaps(t *testing.T) {
	c := newTestClock(false, 1)
	c.tick(0, 0, 0, 3600)
	if pts, _ := c.tick(0, 9*90000, 9*90000, 3600); pts != 9*90000 {
		t.Errorf("a gap of 9 s became %d ticks", pts)
	}
	if pts, dts := c.tick(0, noPTS, noPTS, 3600); pts != noPTS || dts != noPTS {
		t.Errorf("a packet without times got %d/%d", pts, dts)
	}
	if pts, dts := c.tick(0, 10*90000, noPTS, 3600); pts != 10*90000 || dts != noPTS {
		t.Errorf("a packet without decode time got %d/%d", pts, dts)
	}
	if pts, _ := c.tick(7, 1<<40, 1<<40, 0); pts != 1<<40 {
		t.Errorf("a stream that is not kept was changed to %d", pts)
	}
	if len(c.notes.list) != 0 {
		t.Errorf("notes: %q", c.notes.list)
	}
}

// After a seek the clock counts the wraps that it would have seen.
func TestClockResets(t *testing.T) {
	c := newTestClock(true, 1)
	c.reset(time.Duration(1<<33/90000+100) * time.Second)
	want := int64(1<<33/90000+100) * 90000
	if pts, _ := c.tick(0, want&(1<<33-1), want&(1<<33-1), 3600); pts != want {
		t.Errorf("after the seek %d, want %d", pts, want)
	}
}

func TestNotesAreSaidOnce(t *testing.T) {
	n := notes{}
	for i := range 100 {
		n.add("same")
		n.add(strings.Repeat("x", i))
	}
	if len(n.list) != maxNotes || n.list[0] != "same" {
		t.Errorf("%d notes, first %q", len(n.list), n.list[0])
	}
}
