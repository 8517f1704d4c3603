package packager_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/timeline"
)

// reordered draws a decode order with B-frames for the GOP of n frames that
// starts at from: the IDR, then runs of a P-frame and the B-frames before it.
func reordered(t *rapid.T, from, n, step int64) []media.Packet {
	out := []media.Packet{picture(from, true)}
	for at := int64(1); at < n; {
		run := min(rapid.Int64Range(1, 4).Draw(t, "run"), n-at)
		order := make([]int64, 0, run)
		for f := at; f < at+run-1; f++ {
			order = append(order, f)
		}
		out = append(out, picture(from+(at+run-1)*step, false))
		for _, f := range rapid.Permutation(order).Draw(t, "B") {
			out = append(out, picture(from+f*step, false))
		}
		at += run
	}
	return out
}

// scene is a random job: grid, place in time, length.
type scene struct {
	grid    timeline.Grid
	divisor int64
	live    bool
	first   int64 // segment
	frames  int64 // of the rendition
}

func drawScene(t *rapid.T) scene {
	rate := rapid.SampledFrom([]timeline.Rate{{Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 60000, Den: 1001}, {Num: 24000, Den: 1001}, {Num: 50, Den: 1}, {Num: 15, Den: 2}}).Draw(t, "rate")
	s := scene{divisor: rapid.Int64Range(1, 2).Draw(t, "divisor"), live: rapid.Bool().Draw(t, "live")}
	gop := time.Duration(rapid.IntRange(200, 1100).Draw(t, "gop ms")) * time.Millisecond
	g, err := timeline.NewGrid(rate, gop, rapid.Int64Range(1, 3).Draw(t, "GOPs"), s.divisor)
	if err != nil {
		t.Fatal(err)
	}
	s.grid = g
	if s.live {
		s.first = rapid.Int64Range(0, 2_000_000_000).Draw(t, "first")
	}
	s.frames = rapid.Int64Range(1, 4*g.FramesPerSegment()/s.divisor).Draw(t, "frames")
	return s
}

// Whatever the grid and the B-frames: what was given is what can be read, and
// each frame is where the grid has it.
func TestVideoOnAnyGrid(t *testing.T) {
	video, _ := clip(t)
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		sink := newMemory()
		r := videoRendition("v", video)
		r.Video.Divisor = s.divisor
		spec := vodSpec(s.grid, "mem", r)
		spec.Live, spec.Window = s.live, time.Hour
		p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{sink}, Log: quiet(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
		if err := p.Init("v", video.Config); err != nil {
			t.Fatal(err)
		}
		gop := s.grid.FramesPerGOP / s.divisor
		for at := int64(0); at < s.frames; at += gop {
			start := s.grid.FirstFrame(s.first) + at*s.divisor
			for _, pkt := range reordered(t, start, min(gop, s.frames-at), s.divisor) {
				if err := p.Write(t.Context(), "v", pkt); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.check(sink); err != nil {
			t.Fatal(err)
		}
	})
}

// check reads the tree back as a player would.
func (s scene) check(sink *memory) error {
	list, err := hls.ParseMedia([]byte(sink.text("v/media.m3u8")))
	if err != nil {
		return err
	}
	if err := list.AttachIFrames([]byte(sink.text("v/iframes.m3u8"))); err != nil {
		return err
	}
	track, err := cmaf.ParseInit([]byte(sink.text("v/" + list.Segments[0].Map)))
	if err != nil {
		return err
	}
	left, next := s.frames, s.grid.FirstFrame(s.first)
	for _, entry := range list.Segments {
		n := min(left, s.grid.FramesPerSegment()/s.divisor)
		if err := s.segment(track, entry, []byte(sink.text("v/"+entry.URI)), next, n); err != nil {
			return fmt.Errorf("segment %d: %w", entry.Number, err)
		}
		left, next = left-n, next+n*s.divisor
	}
	if want := hls.Between(s.grid.Ticks(s.grid.FirstFrame(s.first)), s.grid.Ticks(next), s.grid.Timescale); left != 0 || list.Duration() != want {
		return fmt.Errorf("%d frames missing; playlist of %d µs, want %d", left, list.Duration(), want)
	}
	return nil
}

func (s scene) segment(track *cmaf.Track, entry hls.Segment, b []byte, first, n int64) error {
	p, err := cmaf.Parse(track, b)
	if err != nil {
		return err
	}
	samples := p.Samples()
	if p.Decode() != s.grid.Ticks(first) || int64(len(samples)) != n {
		return fmt.Errorf("tfdt %d with %d frames, want %d with %d", p.Decode(), len(samples), s.grid.Ticks(first), n)
	}
	seen := map[int64]bool{}
	for i, f := range samples {
		index := int64(binary.BigEndian.Uint64(f.Data[5:]))
		idr := s.grid.IDR(index)
		if f.Presentation != s.grid.Ticks(index) || f.Decode != s.grid.Ticks(first+int64(i)*s.divisor) || f.IDR != idr || f.Sync != idr ||
			idr && f.Presentation != f.Decode || f.Duration != s.grid.FrameTicks()*s.divisor {
			return fmt.Errorf("frame %d: %+v", index, f)
		}
		seen[index] = true
	}
	if int64(len(seen)) != n {
		return fmt.Errorf("%d different frames of %d", len(seen), n)
	}
	var ranges []cmaf.Range
	for _, i := range entry.IFrames {
		ranges = append(ranges, cmaf.Range{Offset: i.Offset, Size: i.Size})
	}
	if !slices.Equal(ranges, p.IFrames()) {
		return fmt.Errorf("I-frames %v, want %v", ranges, p.IFrames())
	}
	return nil
}

// Audio segments hold the frames that start inside the video segment.
func TestAudioOnAnyGrid(t *testing.T) {
	_, audio := clip(t)
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		rate := rapid.SampledFrom([]int{48000, 44100, 22050}).Draw(t, "sample rate")
		a := timeline.AudioGrid{SampleRate: int64(rate), FrameSize: 1024}
		sink := newMemory()
		r := audioRendition("v", audio)
		r.Audio.SampleRate = rate
		spec := vodSpec(s.grid, "mem", r)
		spec.Live, spec.Window = s.live, time.Hour
		p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{sink}, Log: quiet(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
		if err := p.Init("v", audio.Config); err != nil {
			t.Fatal(err)
		}
		from := a.FirstFrame(s.grid, s.first)
		to := from + rapid.Int64Range(1, 300).Draw(t, "frames")
		early := from // live sources encode from a few frames early
		if s.live {
			early = max(0, from-rapid.Int64Range(0, 3).Draw(t, "early"))
		}
		for _, pkt := range sounds(early, to) {
			if err := p.Write(t.Context(), "v", pkt); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := hls.ParseMedia([]byte(sink.text("v/media.m3u8")))
		if err != nil {
			t.Fatal(err)
		}
		track, err := cmaf.ParseInit([]byte(sink.text("v/" + list.Segments[0].Map)))
		if err != nil {
			t.Fatal(err)
		}
		k := a.FirstFrame(s.grid, list.Segments[0].Number)
		if k != from && !(early < from && k == early) {
			t.Fatalf("began at frame %d, want %d", k, from)
		}
		for _, entry := range list.Segments {
			seg, err := cmaf.Parse(track, []byte(sink.text("v/"+entry.URI)))
			if err != nil {
				t.Fatal(err)
			}
			if k != a.FirstFrame(s.grid, entry.Number) {
				t.Fatalf("segment %d begins with frame %d", entry.Number, k)
			}
			for _, f := range seg.Samples() {
				if int64(binary.BigEndian.Uint64(f.Data)) != k || f.Presentation != a.Sample(k) {
					t.Fatalf("frame %d: %+v", k, f)
				}
				k++
			}
		}
		if k != to {
			t.Fatalf("ended before frame %d of %d", k, to)
		}
	})
}

// What breaks the grid is refused, by the frame's number.
func TestBrokenGrid(t *testing.T) {
	video, audio := clip(t)
	g := grid(t, "25", time.Second, 2) // GOP of 25, segment of 50
	for name, c := range map[string]struct {
		packets []media.Packet
		want    string
	}{
		"no IDR first":     {[]media.Packet{picture(0, false)}, "frame 0 "},
		"starts late":      {[]media.Packet{picture(25, true)}, "frame 0 belongs"},
		"frame twice":      {append(pictures(0, 3, 25, 1), picture(2, false)), "frame 2 came twice"},
		"frame lost":       {append(pictures(0, 10, 25, 1), pictures(11, 27, 25, 1)...), "frame 10 "},
		"open GOP":         {append(pictures(0, 25, 25, 1), picture(26, false)), "IDR of frame 25"},
		"IDR inside":       {append(pictures(0, 5, 25, 1), picture(5, true)), "frame 5 is an IDR inside"},
		"late IDR":         {append(pictures(0, 25, 25, 1), picture(25, false)), "frame 25 "},
		"key flag missing": {[]media.Packet{{Data: picture(0, true).Data}}, "frame 0 "},
		"start codes":      {[]media.Packet{{Data: []byte{0, 0, 0, 1, 0x65, 1, 2}, Key: true}}, "frame 0"},
		"next GOP early":   {append(pictures(0, 24, 25, 1), picture(25, true)), "frame 24 "},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, vodSpec(g, "mem", videoRendition("v", video)), nil, newMemory())
			if err := p.Init("v", video.Config); err != nil {
				t.Fatal(err)
			}
			var err error
			for _, pkt := range c.packets {
				if err = p.Write(t.Context(), "v", pkt); err != nil {
					break
				}
			}
			mustBe(t, err, media.EncoderError, c.want)
		})
	}
	t.Run("divisor", func(t *testing.T) {
		r := videoRendition("v", video)
		r.Video.Divisor = 5
		p := open(t, vodSpec(g, "mem", r), nil, newMemory())
		if err := p.Init("v", video.Config); err != nil {
			t.Fatal(err)
		}
		mustBe(t, p.Write(t.Context(), "v", picture(3, true)), media.EncoderError, "frame 3 is none of this rendition")
	})
	t.Run("audio hole", func(t *testing.T) {
		p := open(t, vodSpec(g, "mem", audioRendition("a", audio)), nil, newMemory())
		feed(t, p, "a", audio, sounds(0, 7))
		mustBe(t, p.Write(t.Context(), "a", sounds(8, 9)[0]), media.EncoderError, "audio frame 8 came where 7 belongs")
	})
	t.Run("hole at the end", func(t *testing.T) {
		p := open(t, vodSpec(g, "mem", videoRendition("v", video)), nil, newMemory())
		feed(t, p, "v", video, []media.Packet{picture(0, true), picture(2, false)})
		mustBe(t, p.Finish(t.Context()), media.EncoderError, "frame 1 never came")
	})
	t.Run("before its configuration", func(t *testing.T) {
		p := open(t, vodSpec(g, "mem", videoRendition("v", video)), nil, newMemory())
		mustBe(t, p.Write(t.Context(), "v", picture(0, true)), media.EncoderError, "before the decoder configuration")
	})
	t.Run("bad configuration", func(t *testing.T) {
		p := open(t, vodSpec(g, "mem", videoRendition("v", video)), nil, newMemory())
		mustBe(t, p.Init("v", media.CodecConfig{}), media.EncoderError, "global headers")
	})
}

func mustBe(t *testing.T, err error, code media.Code, text string) {
	t.Helper()
	var typed *media.Error
	if !errors.As(err, &typed) || typed.Code != code || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %s with %q", err, code, text)
		return
	}
	if typed.Advice == "" || typed.Message == "" {
		t.Errorf("%v has no advice", err)
	}
}

func TestNewRefuses(t *testing.T) {
	video, audio := clip(t)
	g := grid(t, "25", time.Second, 1)
	v, a := videoRendition("v", video), audioRendition("a", audio)
	odd := videoRendition("odd", video)
	odd.Video.Divisor = 3
	for name, o := range map[string]packager.Options{
		"no sink":       {Spec: vodSpec(g, "mem", v)},
		"no renditions": {Spec: vodSpec(g, "mem"), Sinks: []media.Sink{newMemory()}},
		"same name":     {Spec: vodSpec(g, "mem", v, v), Sinks: []media.Sink{newMemory()}},
		"divisor":       {Spec: vodSpec(g, "mem", odd), Sinks: []media.Sink{newMemory()}},
		"neither":       {Spec: vodSpec(g, "mem", ladders.Rendition{Name: "x"}, a), Sinks: []media.Sink{newMemory()}},
	} {
		o.Log, o.Now = quiet(), time.Now
		if _, err := packager.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	p := open(t, vodSpec(g, "mem", v), nil, newMemory())
	if err := errors.Join(p.Init("x", video.Config), p.Write(t.Context(), "x", picture(0, true))); err == nil {
		t.Error("a rendition that does not exist was accepted")
	}
}
