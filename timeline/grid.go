package timeline

import (
	"fmt"
	"time"
)

// Grid is the constant-frame-rate grid that every rendition of a job shares.
// Frame n is presented n/Rate seconds after the origin (live: the Unix epoch,
// VOD: the start of the clip); a GOP is FramesPerGOP frames and a segment
// GOPsPerSegment of those.
type Grid struct {
	Rate           Rate
	FramesPerGOP   int64
	GOPsPerSegment int64
	// Timescale is video ticks per second; every rung's frame is whole in it.
	Timescale int64
}

// maxDivisor bounds what the rungs of one ladder may divide the rate by,
// together: far above any ladder, far below overflow.
const maxDivisor = 1 << 10

// NewGrid makes the grid of a rate whose GOP is as near as whole frames allow
// to gop (ties go up), and divisible by every divisor (a rung at rate/k shows
// frames n ≡ 0 mod k). 2 s gives 50 frames at 25, 60 (2.002 s) at 30000/1001.
func NewGrid(rate Rate, gop time.Duration, gopsPerSegment int64, divisors ...int64) (Grid, error) {
	if !rate.Valid() || gop <= 0 || gopsPerSegment <= 0 {
		return Grid{}, fmt.Errorf("rate %v, GOP %v, %d GOPs in a segment: %w", rate, gop, gopsPerSegment, ErrBadGrid)
	}
	step := int64(1)
	for _, k := range divisors {
		if k <= 0 || k > maxDivisor {
			return Grid{}, fmt.Errorf("frame rate divisor %d: %w", k, ErrBadGrid)
		}
		if step = step / gcd(step, k) * k; step > maxDivisor {
			return Grid{}, fmt.Errorf("frame rate divisors %v: %w", divisors, ErrBadGrid)
		}
	}
	// frames = gop·rate, to the nearest multiple of step.
	steps := mulDivRound(int64(gop), rate.Num, 1, rate.Den*step, int64(time.Second))
	frames := max(steps, 1) * step
	return Grid{Rate: rate, FramesPerGOP: frames, GOPsPerSegment: gopsPerSegment, Timescale: rate.Num}, nil
}

// FramesPerSegment is a whole number of GOPs.
func (g Grid) FramesPerSegment() int64 { return g.FramesPerGOP * g.GOPsPerSegment }

// FrameTicks is the length of one grid frame in ticks.
func (g Grid) FrameTicks() int64 { return g.Timescale / g.Rate.Num * g.Rate.Den }

// SegmentTicks is the length of a segment in ticks.
func (g Grid) SegmentTicks() int64 { return g.FramesPerSegment() * g.FrameTicks() }

// Ticks is when frame n is presented, in Timescale ticks since the origin.
func (g Grid) Ticks(n int64) int64 { return n * g.FrameTicks() }

// Segment is the number of the segment that holds frame n: its name, its media
// sequence number and its DASH $Number$.
func (g Grid) Segment(n int64) int64 { return floorDiv(n, g.FramesPerSegment()) }

// FirstFrame is the first frame of segment number.
func (g Grid) FirstFrame(number int64) int64 { return number * g.FramesPerSegment() }

// IDR tells whether frame n starts a GOP.
func (g Grid) IDR(n int64) bool { return n%g.FramesPerGOP == 0 }

// FrameAt is the frame on screen at t since the origin.
func (g Grid) FrameAt(t time.Duration) int64 {
	return mulDivFloor(int64(t), g.Rate.Num, g.Rate.Den*int64(time.Second))
}

// TimeOf is the first nanosecond since the origin at which frame n is on
// screen, so that FrameAt(TimeOf(n)) is n.
func (g Grid) TimeOf(n int64) time.Duration {
	return time.Duration(mulDivCeil(n, g.Rate.Den*int64(time.Second), g.Rate.Num))
}
