package libav

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// linesOf decodes an AAC rendition, a line for each channel.
func linesOf(t *testing.T, cfg media.CodecConfig, packets []media.Packet) (out [][]float32) {
	t.Helper()
	framesOf(t, astiav.CodecIDAac, cfg, packets, func(f *astiav.Frame) {
		lines, err := planar(f)
		if err != nil {
			t.Fatal(err)
		}
		if out == nil {
			out = make([][]float32, len(lines))
		}
		for i, l := range lines {
			out[i] = append(out[i], l...)
		}
	})
	return out
}

// apart is how far b is from gain times a, in dB below a.
func apart(a, b []float32, gain float64) float64 {
	var sum, off float64
	for i := range min(len(a), len(b)) {
		x := gain * float64(a[i])
		sum, off = sum+x*x, off+(x-float64(b[i]))*(x-float64(b[i]))
	}
	return 10 * math.Log10(sum/(off+1e-12))
}

func aac(name string, edit func(*ladders.Audio)) ladders.Rendition {
	r := sound(name)
	r.Audio.Channels, r.Audio.Bitrate = 2, 256_000
	edit(r.Audio)
	return r
}

// soundOnly is a VOD job of some audio renditions.
func soundOnly(t *testing.T, file string, rs ...ladders.Rendition) (*collector, Status) {
	t.Helper()
	name := filepath.Join(mediaDir(t), file)
	facts, err := Probe(t.Context(), name, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	spec.Renditions = rs
	return play(t, Options{Spec: spec})
}

func TestLoudnessIsBroughtToTheTarget(t *testing.T) {
	for _, c := range []struct {
		file   string
		target ladders.Decibel
		says   string
	}{
		{"sintel_cea608_170p24.ts", -2300, "brought to -23 LUFS by 1."},           // louder, without a peak too high
		{"chaplin_360p25_longgop_mp3.mp4", -2300, "brought to -23 LUFS by -6."},   // softer
		{"chaplin_360p25_longgop_mp3.mp4", -1000, "dB, peaks limited to -1 dBTP"}, // louder than its peaks allow
		{"bbb_720p25_aac51.mp4", -2300, "brought to -23 LUFS by "},                // mixed down first
	} {
		target := c.target
		t.Run(c.file+" "+target.String(), func(t *testing.T) {
			out, st := soundOnly(t, c.file,
				aac("a", func(a *ladders.Audio) { a.Loudness = &ladders.Loudness{Target: target, TruePeak: -100} }))
			m := loudnessOf(t, out.configs["a"], out.packets["a"])
			t.Logf("%s: came out at %s; notes %q", target, m, st.Notes)
			if d := m.lufs - float64(target)/100; math.Abs(d) > 0.3 {
				t.Errorf("%.2f LUFS, want %s", m.lufs, target)
			}
			// Lossy coding moves peaks a little.
			if m.peak > -0.5 {
				t.Errorf("true peak of %.2f dBTP", m.peak)
			}
			wantNote(t, st, c.says)
		})
	}
}

func loudnessOf(t *testing.T, cfg media.CodecConfig, packets []media.Packet) measured {
	t.Helper()
	m := meter{a: ladders.Audio{Channels: 2, SampleRate: 48000}, heard: new(atomic.Int64), base: timeline.Timebase{Num: 1, Den: 48000}}
	at := int64(0)
	framesOf(t, astiav.CodecIDAac, cfg, packets, func(f *astiav.Frame) {
		f.SetPts(at)
		at += int64(f.NbSamples())
		if err := m.take(f); err != nil {
			t.Fatal(err)
		}
	})
	if err := m.finish(); err != nil {
		t.Fatal(err)
	}
	m.g.Close()
	return m.found
}

func wantNote(t *testing.T, st Status, says string) {
	t.Helper()
	for _, n := range st.Notes {
		if strings.HasPrefix(n, "loudness of a: ") && strings.Contains(n, says) {
			return
		}
	}
	t.Errorf("notes %q, want one that says %q", st.Notes, says)
}

func TestChannelsAreMapped(t *testing.T) {
	out, _ := soundOnly(t, "sintel_cea608_170p24.ts",
		aac("plain", func(*ladders.Audio) {}),
		aac("swapped", func(a *ladders.Audio) { a.Map = []ladders.Channel{{Channel: 2}, {Channel: 1}} }),
		aac("left", func(a *ladders.Audio) { a.Map = []ladders.Channel{{Channel: 1}, {Channel: 1}} }),
		aac("soft", func(a *ladders.Audio) { a.Gain = -600 }))
	heard := map[string][][]float32{}
	for name := range out.packets {
		heard[name] = linesOf(t, out.configs[name], out.packets[name])
	}
	l, r := heard["plain"][0], heard["plain"][1]
	if apart(l, r, 1) > 20 {
		t.Fatal("both channels of the clip are alike: it proves nothing")
	}
	for _, c := range []struct {
		name     string
		from, to []float32
		gain     float64
	}{
		{"swapped left", r, heard["swapped"][0], 1}, {"swapped right", l, heard["swapped"][1], 1},
		{"left left", l, heard["left"][0], 1}, {"left right", l, heard["left"][1], 1},
		{"soft", l, heard["soft"][0], math.Pow(10, -6.0/20)},
	} {
		if d := apart(c.from, c.to, c.gain); d < 18 {
			t.Errorf("%s: what is off is only %.1f dB below it", c.name, d)
		}
	}
}

// Eight channels are 7.1, each where the map says: from one track, and joined.
func TestEightChannels(t *testing.T) {
	heard := func(file string, rs ...ladders.Rendition) (lines [2][][]float32) {
		out, _ := soundOnly(t, file, rs...)
		for i, r := range rs {
			lines[i] = linesOf(t, out.configs[r.Name], out.packets[r.Name])
		}
		return lines
	}
	eight := func(name string, m ...ladders.Channel) ladders.Rendition {
		return aac(name, func(a *ladders.Audio) { a.Channels, a.Bitrate, a.Map = len(m), 1_000_000, m })
	}
	const lfe = 3 // keeps only what is low
	for file, from := range map[string]func(n int) ladders.Channel{
		"bbb_720p25_aac51.mp4":          func(n int) ladders.Channel { return ladders.Channel{Channel: n%2 + 1} },
		"svt_testcard_720p50_8mono.mp4": func(n int) ladders.Channel { return ladders.Channel{Track: n%2*2 + 1, Channel: 1} },
	} {
		t.Run(file, func(t *testing.T) {
			m := make([]ladders.Channel, 8)
			for i := range m {
				m[i] = from(i / 2)
			}
			lines := heard(file, aac("pair", func(a *ladders.Audio) { a.Map = []ladders.Channel{from(0), from(1)} }), eight("eight", m...))
			if len(lines[1]) != 8 {
				t.Fatalf("%d channels", len(lines[1]))
			}
			for i, got := range lines[1] {
				if d := apart(lines[0][i/2%2], got, 1); i != lfe && d < 15 {
					t.Errorf("channel %d: what is off is only %.1f dB below it", i+1, d)
				}
			}
		})
	}
}

// Opus of more than two channels says in its box how they lie in its streams:
// six are four streams, two of them stereo (RFC 7845 §5.1.1.2).
func TestOpusOfSixChannels(t *testing.T) {
	r := aac("a", func(a *ladders.Audio) { a.Codec, a.Channels, a.Bitrate = "opus", 6, 256_000 })
	out, _ := soundOnly(t, "bbb_720p25_aac51.mp4", r)
	want := []byte{0, 6, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5}
	if got := out.configs["a"].Extradata; !bytes.Equal(got, want) {
		t.Errorf("dOps is %x, want %x", got, want)
	}
}

func TestTracksAreJoined(t *testing.T) {
	mono := func(name string, track int) ladders.Rendition {
		return aac(name, func(a *ladders.Audio) { a.Channels, a.Bitrate, a.Track = 1, 128_000, track })
	}
	var alone []ladders.Rendition
	for i := range 3 {
		alone = append(alone, mono(fmt.Sprint(i), i))
	}
	silent := aac("silent", func(a *ladders.Audio) {
		a.Map, a.Track = []ladders.Channel{{Track: 1, Channel: 1}, {Track: 2, Channel: 1}}, 0
	})
	pair := aac("pair", func(a *ladders.Audio) {
		a.Map, a.Track = []ladders.Channel{{Track: 1, Channel: 1}, {Track: 3, Channel: 1}}, 0
	})
	turned := aac("turned", func(a *ladders.Audio) {
		a.Map, a.Track = []ladders.Channel{{Track: 3, Channel: 1}, {Track: 1, Channel: 1}}, 2
	})
	out, _ := soundOnly(t, "svt_testcard_720p50_8mono.mp4", append(alone, pair, turned, silent)...)
	heard := func(name string) [][]float32 { return linesOf(t, out.configs[name], out.packets[name]) }
	if l := level(heard("1")[0]); l > -100 {
		t.Errorf("track 2 is silent in the clip, here it has %.1f dB", l)
	}
	one, two := heard("0")[0], heard("2")[0]
	for i, c := range []struct {
		want, got []float32
	}{{one, heard("pair")[0]}, {two, heard("pair")[1]}, {two, heard("turned")[0]}, {one, heard("turned")[1]}, {one, heard("silent")[0]}} {
		if d := apart(c.want, c.got, 1); d < 15 {
			t.Errorf("%d: what is off is only %.1f dB below it", i, d)
		}
	}
	if a, b := len(out.packets["pair"]), len(out.packets["0"]); a != b {
		t.Errorf("%d frames joined, %d of one track", a, b)
	}
}

func level(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(max(1, len(x)))+1e-12)
}

func TestPicturesAreCroppedAndPadded(t *testing.T) {
	name := filepath.Join(mediaDir(t), "wave_croatia_1080p25_qr.mp4")
	facts, err := Probe(t.Context(), name, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	r := small("v")
	r.Video.Width, r.Video.Height = 640, 360
	// The middle square, with bars at its sides.
	r.Video.Picture = &ladders.Picture{Crop: &ladders.Rect{W: 1080, H: 1080, X: 420}, Pad: ladders.Aspect{W: 16, H: 9}, Denoise: ladders.DenoiseLight}
	spec.Renditions = []ladders.Rendition{r}
	out, _ := play(t, Options{Spec: spec})
	pics := pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"])
	if len(pics) != 50 {
		t.Errorf("%d pictures, want 50", len(pics))
	}
	for _, p := range pics {
		for y := 20; y < p.h-20; y += 40 {
			row := p.luma[y*p.w : (y+1)*p.w]
			// The square is 360 wide: bars are 140.
			if row[10] > 20 || row[130] > 24 || row[p.w-131] > 24 || row[p.w-10] > 20 {
				t.Fatalf("picture %d: no bars at line %d", p.index, y)
			}
		}
		if inner := p.luma[180*p.w+150 : 180*p.w+490]; spread(inner) < 10 {
			t.Fatalf("picture %d: nothing in the middle", p.index)
		}
	}
}

func spread(x []byte) int {
	low, high := byte(255), byte(0)
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return int(high) - int(low)
}

func TestFramesOnAFastGridRepeatWhereFieldsAreNotWanted(t *testing.T) {
	name := filepath.Join(mediaDir(t), "svt_576i25_tff_mpeg2_mp2.ts")
	for _, fields := range []bool{true, false} {
		facts, err := Probe(t.Context(), name, anything)
		if err != nil {
			t.Fatal(err)
		}
		spec := clipSpec(t, name, facts)
		r := small("v")
		r.Video.Picture = &ladders.Picture{Fields: fields}
		spec.Grid, spec.Renditions = newGrid(t, timeline.Rate{Num: 50, Den: 1}, 2e9, 3), []ladders.Rendition{r}
		out, st := play(t, Options{Spec: spec})
		pics := pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"])
		if fields && st.Doubled > 2 || !fields && st.Doubled < 100 {
			t.Errorf("fields %t: %d of %d pictures are repeated", fields, st.Doubled, len(pics))
		}
	}
}
