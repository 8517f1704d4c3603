package libav

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/timeline"
)

// line runs deviations (in samples, one a frame of 1024 at 48 kHz) through a
// steady and gives where each frame was put against the plain count.
func line(devs []int64) []int64 {
	s, out := steady{rate: 48000}, []int64{}
	put := func(frames []steadyFrame) {
		for _, x := range frames {
			out = append(out, (x.at-int64(len(out))*x.length)>>steadyBits)
		}
	}
	for i, d := range devs {
		put(s.add(steadyFrame{at: (int64(i)*1024 + d) << steadyBits, length: 1024 << steadyBits}))
	}
	put(s.drain())
	return out
}

func repeat(d int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = d
	}
	return out
}

func join(parts ...[]int64) (out []int64) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestSoundIsCountedOn(t *testing.T) {
	quiet := repeat(0, 20)
	alternating := make([]int64, 62)
	for i := range alternating {
		alternating[i] = int64(i/2%2) * 1024
	}
	for _, c := range []struct {
		name       string
		devs, want []int64
	}{
		{"as it is", quiet, quiet},
		{"one timestamp strays", join(quiet, []int64{5000}, quiet), repeat(0, 41)},
		{"and back in time", join(quiet, []int64{-5000}, quiet), repeat(0, 41)},
		{"to both sides", join(quiet, []int64{3000, -3000, 3000, 3000, -900}, quiet), repeat(0, 45)},
		{"frames share their times", alternating, repeat(0, 62)},
		{"the first one is late", join([]int64{1024}, quiet), repeat(0, 21)},
		{"two frames are lost", join(quiet, repeat(2048, 20)), join(quiet, repeat(2048, 20))},
		{"and one more at once", join(quiet, repeat(2048, 2), repeat(3072, 20)), join(quiet, repeat(2048, 2), repeat(3072, 20))},
		{"a frame comes twice", join(quiet, repeat(-1024, 20)), join(quiet, repeat(-1024, 20))},
		{"lost at the end", join(quiet, repeat(4096, 2)), join(quiet, repeat(4096, 2))},
		{"lost at the start", join(repeat(0, 2), repeat(2048, 20)), join(repeat(0, 2), repeat(2048, 20))},
		{"a year ahead", join(quiet, repeat(48000*86400*365, 30)), repeat(0, 50)},
	} {
		if got := line(c.devs); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n%v\n%v, want\n%v", c.name, c.devs, got, c.want)
		}
	}
}

// No frame is lost or put before its predecessor's end by more than a cut, and
// whatever lasts is followed to within the bound.
func TestLineFollowsWhatLasts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var devs []int64
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			d := rapid.Int64Range(-9600, 96000).Draw(t, "deviation")
			devs = append(devs, repeat(d, rapid.IntRange(30, 80).Draw(t, "frames"))...)
		}
		got := line(devs)
		if len(got) != len(devs) {
			t.Fatalf("%d frames of %d", len(got), len(devs))
		}
		for i, d := range devs {
			if off := got[i] - d; i >= 30 && devs[i-30] == d && max(off, -off) > 48*12 {
				t.Errorf("frame %d is put at %d, its time says %d", i, got[i], d)
			}
		}
	})
}

// script is a source of sound alone: noise, in frames of 1024 whose times are
// their count by at.
type script struct {
	rate    int
	samples int64
	// at is the time of sample n, in 1/base seconds; ok false loses the frame.
	at   func(n int64) (pts int64, ok bool)
	base int64
}

func (s *script) info() Info {
	return Info{Chosen: -1, Audio: []AudioInfo{{SampleRate: s.rate, Channels: 1, Base: timeline.Timebase{Num: 1, Den: s.base}}}}
}
func (s *script) stats() sourceStats { return sourceStats{} }
func (s *script) close()             {}

func (s *script) run(_ context.Context, out sinks) error {
	noise := rand.New(rand.NewPCG(1, 2))
	slow := 0.0
	for n := int64(0); n < s.samples; n += 1024 {
		x := make([]float32, 1024)
		for i := range x {
			slow += 0.2 * (noise.Float64() - 0.5 - slow) // no sharp edges: AAC keeps it
			x[i] = float32(slow)
		}
		pts, ok := s.at(n)
		if !ok {
			continue
		}
		f := astiav.AllocFrame()
		f.SetSampleFormat(astiav.SampleFormatFlt)
		f.SetChannelLayout(astiav.ChannelLayoutMono)
		f.SetSampleRate(s.rate)
		f.SetNbSamples(1024)
		f.SetPts(pts)
		err := f.AllocBuffer(0)
		if err == nil {
			err = f.Data().SetBytes(floatBytes(x), 1)
		}
		if err == nil {
			err = out.audio[0](f)
		}
		f.Free()
		if err != nil {
			return err
		}
	}
	return nil
}

// scripted is a job of one audio rendition.
func scripted(t *testing.T, s *script, resume int64) *Pipeline {
	t.Helper()
	spec := media.Spec{Job: "sound", Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 1), Renditions: []ladders.Rendition{sound("a")}, Resume: resume > 0, FirstSegment: resume}
	first, _ := s.at(0)
	return &Pipeline{o: Options{Spec: spec}, facts: s.info(), src: s, stop: math.MaxInt64, edge: math.MinInt64,
		anchor: timeline.Anchor{Generation: 1, Source: first, Base: s.info().Audio[0].Base}}
}

// clocked is sample n's time in 1/base s on a clock that runs at speed.
func clocked(rate int, base int64, speed float64) func(int64) (int64, bool) {
	return func(n int64) (int64, bool) {
		return int64(math.Round(float64(n) / float64(rate) * float64(base) * speed)), true
	}
}

// Sources that are hard on the line: the sound is where the timestamps say,
// throughout.
func TestHardSoundStaysInPlace(t *testing.T) {
	for _, c := range []struct {
		name    string
		seconds int64
		resume  int64
		source  script
	}{
		{"clock 0.1 % fast", 25, 0, script{rate: 48000, base: 90000, at: clocked(48000, 90000, 1.001)}},
		{"clock 0.1 % slow, 44.1 kHz", 25, 0, script{rate: 44100, base: 90000, at: clocked(44100, 90000, 0.999)}},
		{"milliseconds", 20, 0, script{rate: 44100, base: 1000, at: clocked(44100, 1000, 1)}},
		{"lost frames", 20, 0, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			return n * 90 / 48, n/1024%97 > 2
		}}},
		{"a gap of 3 s", 20, 0, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			return n * 90 / 48, n < 48000*5 || n > 48000*8
		}}},
		{"a step of 15 ms", 20, 0, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			return n*90/48 + max(0, min(1, n-48000*5))*1350, true
		}}},
		{"a step back of 60 ms", 20, 0, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			return n*90/48 - max(0, min(1, n-48000*5))*5400, true
		}}},
		{"strays by 40 ms", 20, 0, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			if n/1024%7 == 3 {
				return n*90/48 + 3600, true
			}
			return n * 90 / 48, true
		}}},
		{"joined in the middle of a frame", 20, 4, script{rate: 44100, base: 90000, at: clocked(44100, 90000, 1)}},
		{"joined after a step", 20, 3, script{rate: 48000, base: 90000, at: func(n int64) (int64, bool) {
			return n*90/48 + max(0, min(1, n-48000*5))*1800, true
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.source.samples = c.seconds * int64(c.source.rate)
			source, made := played(t, scripted(t, &c.source, c.resume))
			lags := measureLags(source, made, max(0.25, float64(c.seconds)/80))
			if len(lags) < 20 {
				t.Errorf("only %d points were measured", len(lags))
			}
			report(t, lags)
		})
	}
}

// The beep of every second begins on the very sample, in every codec: Opus and
// AC-3 are fed ahead by their delay, AAC's priming is dropped whole.
func TestBeepsBeginOnTheSample(t *testing.T) {
	for codec, as := range map[string]struct {
		id   astiav.CodecID
		size int
	}{"aac": {astiav.CodecIDAac, 1024}, "opus": {astiav.CodecIDOpus, 960}, "ac-3": {astiav.CodecIDAc3, 1536}, "ec-3": {astiav.CodecIDEac3, 1536}} {
		for _, r := range cardRates {
			spec := cardSpec5(t, r, sound("a"))
			spec.Renditions[0].Audio.Codec = codec
			out, _ := play(t, Options{Spec: spec})
			cfg := out.configs["a"]
			if codec != "aac" {
				if codec == "opus" && (len(cfg.Extradata) != 11 || cfg.Extradata[2] != 0 || cfg.Extradata[3] != 0) {
					t.Errorf("dOps % x has samples skipped", cfg.Extradata)
				}
				cfg.Extradata = nil
			}
			pcm := decodeSound(t, as.id, as.size, cfg, out.packets["a"], 0)
			c, err := card.New(160, 90, r)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]float32, len(pcm))
			c.Audio(0, want)
			for second := 1; second < 5; second++ { // the first begins at the join, where decoders fade in
				got, expected := begins(pcm, second), begins(want, second)
				if off := got - expected; max(off, -off) > 24 {
					t.Errorf("%s at %s: the beep of second %d begins %d samples off", codec, r, second, off)
				}
			}
		}
	}
}

// begins is the first loud sample around a full second.
func begins[F float32 | float64](pcm []F, second int) int {
	for i := max(0, second*48000-4800); i < min(len(pcm), second*48000+9600); i++ {
		if math.Abs(float64(pcm[i])) > 0.08 {
			return i
		}
	}
	return -1
}
