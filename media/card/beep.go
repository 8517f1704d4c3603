package card

import (
	"math"
	"time"
)

// SampleRate of the card's audio, in hertz.
const SampleRate = 48000

// flashLength is how long flash and beep last.
const flashLength = 80 * time.Millisecond

// second is the full second that frame n shows.
func (c *Card) second(n int64) int64 { return n * c.Rate.Den / c.Rate.Num }

// firstFrame is the first frame that shows second s.
func (c *Card) firstFrame(s int64) int64 { return (s*c.Rate.Num + c.Rate.Den - 1) / c.Rate.Den }

// beepStart is the sample at which the first frame of second s comes on screen.
func (c *Card) beepStart(s int64) int64 {
	ticks := c.firstFrame(s) * c.Rate.Den // 1/Num seconds
	return ticks/c.Rate.Num*SampleRate + ticks%c.Rate.Num*SampleRate/c.Rate.Num
}

// Flash tells whether frame n is part of a flash: the first frame of a second,
// and those that begin within flashLength with a whole frame to go.
func (c *Card) Flash(n int64) bool {
	frames := max(1, int64(flashLength)*c.Rate.Num/(c.Rate.Den*int64(time.Second)))
	return n >= 0 && n-c.firstFrame(c.second(n)) < frames
}

// Audio fills mono samples [first, first+len(out)) since the epoch: a 1 kHz
// beep that starts with the first frame of every second, silence between.
func (c *Card) Audio(first int64, out []float32) {
	clear(out)
	end := first + int64(len(out))
	for s := max(first/SampleRate-1, 0); s <= end/SampleRate; s++ {
		start := c.beepStart(s)
		for i := max(start, first); i < min(start+beepSamples, end); i++ {
			out[i-first] = tone(i - start)
		}
	}
}

// beepSamples is a whole number of periods: it ends without a click.
const beepSamples = int64(flashLength) * SampleRate / int64(time.Second)

func tone(i int64) float32 {
	return 0.25 * float32(math.Sin(2*math.Pi*float64(i%48)/48))
}
