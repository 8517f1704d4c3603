package encoders

import (
	"strconv"
)

// common is what libavcodec itself understands, for every encoder.
func common(r Rung) []Option {
	return []Option{
		{Key: "b", Value: number(r.Bitrate), Reason: "average, from the ladder"},
		{Key: "maxrate", Value: number(r.Maxrate), Reason: "peak, from the ladder"},
		{Key: "bufsize", Value: number(r.Bufsize), Reason: "the decoder's buffer, from the ladder"},
		{Key: "g", Value: number(r.GOP), Reason: "an IDR begins each GOP of the grid"},
		{Key: "flags", Value: "+cgop", Reason: "closed GOPs: a segment decodes without the one before"},
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// preset picks by the ladder's own scale: fastest, fast, balanced, quality.
func preset(name, fastest, fast, balanced, quality string) string {
	return graded(name, [4]string{fastest, fast, balanced, quality})
}

// graded is preset for what is no text.
func graded[T any](name string, by [4]T) T {
	switch name {
	case "fastest":
		return by[0]
	case "fast":
		return by[1]
	case "quality":
		return by[3]
	}
	return by[2]
}

const presetReason = "speed against quality, from the ladder"

func captions() Option {
	return Option{Key: "a53cc", Value: "0", Reason: "the engine puts captions into the packets itself, at the rendition's own frame rate"}
}

// part makes options of one parameter list.
func part(of string) func(key, value, reason string) Option {
	return func(key, value, reason string) Option { return Option{Key: key, Value: value, Of: of, Reason: reason} }
}

// lookahead of a live encoder, in frames. Frames that wait are latency: a
// segment is complete only when its last frame has left the encoder.
func (r Rung) lookahead() int64 { return min(10, r.GOP/2) }

const liveReason = "frames that wait are latency: a segment is complete when its last frame has left the encoder"

// wide is how many threads work on one picture. Many narrow encoders beat few
// wide ones; only a large picture gets more than one.
func (r Rung) wide() int {
	switch pixels := r.Width * r.Height; {
	case pixels < 1280*720:
		return 1
	case pixels <= 1920*1088:
		return min(r.CPUs, 4)
	}
	return min(r.CPUs, 8)
}
