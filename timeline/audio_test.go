package timeline

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// DESIGN §3, Audio: AAC frame k covers samples [1024k, 1024k+1024) of the
// epoch; a segment holds the frames that start inside the video segment.
func TestAudioBoundaries(t *testing.T) {
	aac := AudioGrid{SampleRate: 48000, FrameSize: 1024}
	live, _ := NewGrid(Rate{25, 1}, 2*time.Second, 1)
	ntsc, _ := NewGrid(Rate{30000, 1001}, 2*time.Second, 1)
	for _, c := range []struct {
		audio  AudioGrid
		video  Grid
		number int64
		first  int64
	}{
		{aac, live, 0, 0}, {aac, live, 1, 94}, {aac, live, 2, 188}, {aac, live, 3, 282}, {aac, live, 4, 375}, {aac, live, -1, -93},
		{aac, ntsc, 1, 94}, // 96096 samples: ⌈93.84⌉
		{AudioGrid{48000, 960}, live, 1, 100},
		{aac, live, 900_000_000, 84_375_000_000}, // at the epoch's distance, to the sample
	} {
		if got := c.audio.FirstFrame(c.video, c.number); got != c.first {
			t.Errorf("segment %d of %v opens with audio frame %d, want %d", c.number, c.video.Rate, got, c.first)
		}
	}
}

func TestEveryAudioFrameIsInOneSegment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGrid(t)
		a := AudioGrid{rapid.SampledFrom([]int64{22050, 44100, 48000}).Draw(t, "rate"), rapid.SampledFrom([]int64{960, 1024, 2048}).Draw(t, "size")}
		k := rapid.Int64Range(-1e8, 9e10).Draw(t, "frame")
		s := a.Segment(g, k)
		if first, next := a.FirstFrame(g, s), a.FirstFrame(g, s+1); k < first || k >= next {
			t.Errorf("audio frame %d is in segment %d, which holds [%d,%d)", k, s, first, next)
		}
		// The frame starts inside the video segment, compared without division.
		start, lo := a.Sample(k)*g.Timescale, s*g.SegmentTicks()*a.SampleRate
		if k >= 0 && k < 1e6 && (start < lo || start >= lo+g.SegmentTicks()*a.SampleRate) {
			t.Errorf("audio frame %d does not start inside segment %d", k, s)
		}
	})
}

func TestSampleAt(t *testing.T) {
	a := AudioGrid{48000, 1024}
	for _, c := range []struct{ ticks, scale, want int64 }{{0, 25, 0}, {1, 25, 1920}, {1001, 30000, 1602}, {-1001, 30000, -1602}} {
		if got := a.SampleAt(c.ticks, c.scale); got != c.want {
			t.Errorf("%d/%d is sample %d, want %d", c.ticks, c.scale, got, c.want)
		}
	}
}
