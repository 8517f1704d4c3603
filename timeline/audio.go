package timeline

// AudioGrid is the frame grid of an audio codec: frame k covers samples
// [k·FrameSize, (k+1)·FrameSize) counted from the origin of the video grid.
type AudioGrid struct {
	SampleRate int64 // also the timescale
	FrameSize  int64 // 1024 for AAC, 960 for Opus at 48 kHz
}

// FirstFrame is the first audio frame that starts inside video segment number
// of g, so the segment holds frames [FirstFrame(N), FirstFrame(N+1)).
func (a AudioGrid) FirstFrame(g Grid, number int64) int64 {
	return a.FrameAtOrAfter(g.Ticks(g.FirstFrame(number)), g.Timescale)
}

// FrameAtOrAfter is the first audio frame that starts at or after ticks/timescale.
func (a AudioGrid) FrameAtOrAfter(ticks, timescale int64) int64 {
	return mulDivCeil(ticks, a.SampleRate, timescale*a.FrameSize)
}

// Segment is the video segment in which audio frame k starts.
func (a AudioGrid) Segment(g Grid, k int64) int64 {
	return mulDivFloor(k*a.FrameSize, g.Timescale, a.SampleRate*g.SegmentTicks())
}

// Sample is the first sample of frame k.
func (a AudioGrid) Sample(k int64) int64 { return k * a.FrameSize }

// SampleAt is the sample at ticks/timescale, rounded to nearest.
func (a AudioGrid) SampleAt(ticks, timescale int64) int64 {
	return mulDivRound(ticks, a.SampleRate, 1, timescale, 1)
}
