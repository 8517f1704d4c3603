package packager_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
)

// watcher checks on every playlist that what it lists is already there.
type watcher struct {
	*memory
	t *testing.T
}

func (w watcher) Put(ctx context.Context, path string, body []byte) error {
	if dir, ok := strings.CutSuffix(path, "/media.m3u8"); ok {
		m, err := hls.ParseMedia(body)
		if err != nil {
			w.t.Error(err)
			return err
		}
		for _, s := range m.Segments {
			if !s.Gap && (!w.has(dir+"/"+s.URI) || !w.has(dir+"/"+s.Map)) {
				w.t.Errorf("%s lists %s before it is there", path, s.URI)
			}
		}
	}
	return w.memory.Put(ctx, path, body)
}

// twoSeconds is a clip's grid: segments of two one-second GOPs at 25 fps.
func twoSeconds(t testing.TB) media.Spec {
	video, audio := clip(t)
	return vodSpec(grid(t, "25", time.Second, 2), "mem", videoRendition("v", video), audioRendition("a", audio))
}

func TestClip(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	var j journal
	p := open(t, twoSeconds(t), j.add, watcher{s, t})
	feed(t, p, "v", video, pictures(0, 260, 25, 1)) // 10.4 s
	feed(t, p, "a", audio, sounds(0, 480))          // 10.24 s
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := list(t, s)
	if !v.Ended || len(v.Segments) != 6 || v.Duration() != 10_400_000 || v.Target != 2 {
		t.Errorf("video: %+v", v)
	}
	a, err := hls.ParseMedia([]byte(s.text("a/media.m3u8")))
	if err != nil || !a.Ended || a.Duration() != 10_240_000 || a.Target != v.Target {
		t.Errorf("audio: %+v, %v", a, err)
	}
	if !strings.Contains(s.text("v/media.m3u8"), "#EXT-X-PLAYLIST-TYPE:VOD") {
		t.Error(s.text("v/media.m3u8"))
	}
	if got := j.segments(packager.Published); len(got) != len(v.Segments)+len(a.Segments) {
		t.Errorf("%d published", len(got))
	}
	rates := v.Rates()
	if !strings.Contains(s.text("master.m3u8"), "#EXT-X-STREAM-INF:BANDWIDTH=") || strings.Contains(s.text("master.m3u8"), "BANDWIDTH=340000") {
		t.Errorf("not measured (peak %d): %s", rates.Peak, s.text("master.m3u8"))
	}
}

// The multivariant playlist appears once every rendition has a segment, with
// the declared rates, and not before.
func TestMasterWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, audio := clip(t)
		s := newMemory()
		p := open(t, twoSeconds(t), nil, s)
		feed(t, p, "v", video, pictures(0, 100, 25, 1))
		synctest.Wait()
		if s.has("master.m3u8") || !s.has("v/media.m3u8") {
			t.Error("master.m3u8 is there before the audio, or the video is not")
		}
		feed(t, p, "a", audio, sounds(0, 100))
		synctest.Wait()
		if m := s.text("master.m3u8"); !strings.Contains(m, "BANDWIDTH=340000,AVERAGE-BANDWIDTH=230000") {
			t.Errorf("declared rates missing: %s", m)
		}
		if m := s.text("v/media.m3u8"); !strings.Contains(m, "#EXT-X-PLAYLIST-TYPE:EVENT") || strings.Contains(m, "ENDLIST") {
			t.Errorf("while it encodes: %s", m)
		}
	})
}

func TestWithoutManifestLease(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	spec := twoSeconds(t)
	spec.WritesManifest = false
	p := open(t, spec, nil, s)
	feed(t, p, "v", video, pictures(0, 50, 25, 1))
	feed(t, p, "a", audio, sounds(0, 50))
	if err := p.Finish(t.Context()); err != nil || s.has("master.m3u8") {
		t.Errorf("%v; master written: %v", err, s.has("master.m3u8"))
	}
}

func TestOneKindOnly(t *testing.T) {
	video, audio := clip(t)
	t.Run("video", func(t *testing.T) {
		s := newMemory()
		p := open(t, vodSpec(grid(t, "25", time.Second, 2), "mem", videoRendition("v", video)), nil, s)
		feed(t, p, "v", video, pictures(0, 30, 25, 1))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := s.text("master.m3u8"); strings.Contains(m, "AUDIO=") || !strings.Contains(m, `CODECS="avc1.64000A"`) {
			t.Error(m)
		}
	})
	t.Run("audio", func(t *testing.T) {
		s := newMemory()
		p := open(t, vodSpec(grid(t, "25", time.Second, 2), "mem", audioRendition("a", audio)), nil, s)
		feed(t, p, "a", audio, sounds(0, 200))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := s.text("master.m3u8"); strings.Contains(m, "RESOLUTION") || !strings.Contains(m, `CODECS="mp4a.40.2"`) || !strings.Contains(m, "\na/media.m3u8") {
			t.Error(m)
		}
		if s.has("a/iframes.m3u8") {
			t.Error("audio has no I-frames")
		}
	})
}

// Each playlist is true to its own samples.
func TestUnequalLengths(t *testing.T) {
	video, audio := clip(t)
	for name, c := range map[string]struct{ frames, sounds, videoSegments, audioSegments int64 }{
		"audio longer": {50, 470, 1, 6}, "audio shorter": {250, 47, 5, 1}, "one frame": {1, 1, 1, 1}, "exact": {100, 188, 2, 3},
	} {
		s := newMemory()
		p := open(t, twoSeconds(t), nil, s)
		feed(t, p, "v", video, pictures(0, c.frames, 25, 1))
		feed(t, p, "a", audio, sounds(0, c.sounds))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, err := hls.ParseMedia([]byte(s.text("a/media.m3u8")))
		if err != nil {
			t.Fatal(err)
		}
		v := list(t, s)
		if int64(len(v.Segments)) != c.videoSegments || v.Duration() != hls.Micros(c.frames*40_000) || a.Duration() != hls.Between(0, c.sounds*1024, 48000) {
			t.Errorf("%s: video %d segments of %d µs, audio %d of %d µs", name, len(v.Segments), v.Duration(), len(a.Segments), a.Duration())
		}
	}
}

func TestEmptyRenditions(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	var j journal
	p := open(t, twoSeconds(t), j.add, s)
	feed(t, p, "v", video, pictures(0, 50, 25, 1))
	feed(t, p, "a", audio, nil)
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := s.text("master.m3u8"); strings.Contains(m, "a/media.m3u8") || !strings.Contains(m, "v/media.m3u8") {
		t.Errorf("an empty rendition is listed: %s", m)
	}
	if len(j.segments(packager.Empty)) != 1 {
		t.Error("the empty rendition was not told")
	}
	nothing := open(t, twoSeconds(t), nil, newMemory())
	mustBe(t, nothing.Finish(t.Context()), media.SourceError, "no frame")
}

func TestClipNeedsItsSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		good, bad := newMemory(), newMemory()
		bad.setGate(func(_ context.Context, op, path string) error {
			if path == "v/2.m4s" {
				return publish.Status{Code: 507}
			}
			return nil
		})
		spec := vodSpec(grid(t, "25", time.Second, 2), "good", videoRendition("v", video))
		spec.Outputs = append(spec.Outputs, "http://bad")
		p := open(t, spec, nil, good, bad)
		if err := p.Init("v", video.Config); err != nil {
			t.Fatal(err)
		}
		var err error
		for _, pkt := range pictures(0, 1000, 25, 1) {
			if err = p.Write(t.Context(), "v", pkt); err != nil {
				break
			}
			synctest.Wait()
		}
		mustBe(t, err, media.SinkError, "output http://bad")
		var typed *media.Error
		if errors.As(err, &typed) && !typed.Retryable {
			t.Error("a full disk may be emptied: the error should be retryable")
		}
		mustBe(t, p.Finish(t.Context()), media.SinkError, "507")
		if strings.Contains(good.text("v/media.m3u8"), "ENDLIST") {
			t.Log("the good sink ended; its tree is whole only up to the error")
		}
	})
}

// A clip waits for a slow sink: nothing is dropped and memory stays bounded.
func TestClipWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		s.setGate(func(_ context.Context, _, path string) error {
			if strings.HasSuffix(path, ".m4s") {
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		var j journal
		p := open(t, vodSpec(grid(t, "25", time.Second, 2), "mem", videoRendition("v", video)), j.add, s)
		begin := time.Now()
		feed(t, p, "v", video, pictures(0, 500, 25, 1)) // 10 segments
		if d := time.Since(begin); d < 50*time.Second {
			t.Errorf("the encoder was held for %v only", d)
		}
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := j.segments(packager.Published); !slices.Equal(got, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Errorf("published %v", got)
		}
		// Playlists that a newer one replaced at once were not put.
		if n := strings.Count(strings.Join(s.history(), "\n"), "v/media.m3u8"); n > 7 {
			t.Errorf("%d playlists for 10 segments", n)
		}
	})
}

func TestFinishHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		s.setGate(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		p := open(t, vodSpec(grid(t, "25", time.Second, 2), "mem", videoRendition("v", video)), nil, s)
		feed(t, p, "v", video, pictures(0, 60, 25, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := p.Finish(ctx)
		mustBe(t, err, media.SinkError, "in time")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// crash runs a clip of 25-fps frames until it is cut off after some segments.
func crash(t *testing.T, s media.Sink, segments int64) {
	t.Helper()
	video, audio := clip(t)
	p := open(t, twoSeconds(t), nil, s)
	feed(t, p, "v", video, pictures(0, segments*50, 25, 1))
	feed(t, p, "a", audio, sounds(0, segments*94+20))
	if err := p.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestResumeClip(t *testing.T) {
	video, audio := clip(t)
	s := newMemory()
	crash(t, s, 3)
	before := len(s.history())
	old := s.text("v/2.m4s")
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 2 // the other rendition had only 2
	var j journal
	p := open(t, spec, j.add, watcher{s, t})
	feed(t, p, "v", video, append(pictures(100, 100+50, 25, 1), pictures(150, 310, 25, 1)...))
	feed(t, p, "a", audio, sounds(188, 580))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, frames := range map[string]int64{"v": 210, "a": 392} { // one segment of pictures was there already
		if pr := p.Progress()[name]; pr.Segments != 5 || pr.Frames != frames || pr.LastSegment != 6 {
			t.Errorf("%s: %+v", name, pr)
		}
	}
	m := list(t, s)
	if len(m.Segments) != 7 || m.Duration() != 12_400_000 || !m.Ended || m.Epoch != 2 {
		t.Errorf("%+v", m)
	}
	if slices.ContainsFunc(m.Segments, func(e hls.Segment) bool { return e.Discontinuity || e.Gap || e.Size == 0 }) {
		t.Errorf("not seamless: %+v", m.Segments)
	}
	if slices.Contains(s.history()[before:], "put v/2.m4s") || s.text("v/2.m4s") != old {
		t.Error("a segment that viewers know was written again")
	}
	if n := strings.Count(s.text("v/iframes.m3u8"), "#EXT-X-BYTERANGE"); n != 13 {
		t.Errorf("%d I-frames listed, want all 13", n)
	}
	if err := (scene{grid: spec.Grid, divisor: 1, frames: 310}).check(s); err != nil {
		t.Error(err)
	}
}

// A crash after the last segment leaves only the end to be written.
func TestResumeWithNothingLeft(t *testing.T) {
	s := newMemory()
	crash(t, s, 3)
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 3
	p := open(t, spec, nil, s)
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := list(t, s); !m.Ended || len(m.Segments) != 3 {
		t.Errorf("%+v", m)
	}
	if m := s.text("master.m3u8"); !strings.Contains(m, "v/media.m3u8") || !strings.Contains(m, "a/media.m3u8") {
		t.Error(m)
	}
}

// Another device's encoder: a new map behind a discontinuity, also in a clip.
func TestResumeOnAnotherEncoder(t *testing.T) {
	video, _ := clip(t)
	s := newMemory()
	crash(t, s, 2)
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 2
	spec.Renditions = spec.Renditions[:1]
	p := open(t, spec, nil, s)
	video.Config.FullRange = true
	feed(t, p, "v", video, pictures(100, 200, 25, 1))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := list(t, s)
	if !m.Segments[2].Discontinuity || m.Segments[2].Map == m.Segments[1].Map || !s.has("v/"+m.Segments[1].Map) || !s.has("v/"+m.Segments[2].Map) {
		t.Errorf("%+v", m.Segments)
	}
}

func TestResumeRefuses(t *testing.T) {
	video, audio := clip(t)
	run := func(s media.Sink, change func(*media.Spec)) error {
		spec := twoSeconds(t)
		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 2
		change(&spec)
		p := open(t, spec, nil, s)
		from := spec.FirstSegment
		err := errors.Join(p.Init("v", video.Config), p.Init("a", audio.Config))
		for _, pkt := range pictures(from*50, from*50+50, 25, 1) {
			err = errors.Join(err, p.Write(t.Context(), "v", pkt))
		}
		return errors.Join(err, p.Finish(t.Context()))
	}
	t.Run("nothing there", func(t *testing.T) {
		mustBe(t, run(newMemory(), func(*media.Spec) {}), media.SinkError, "not at the destination")
	})
	t.Run("hole", func(t *testing.T) {
		s := newMemory()
		crash(t, s, 2)
		mustBe(t, run(s, func(spec *media.Spec) { spec.FirstSegment = 4 }), media.SinkError, "segment 4 would follow 1")
	})
	t.Run("a newer writer was here", func(t *testing.T) {
		s := newMemory()
		crash(t, s, 2)
		mustBe(t, run(s, func(spec *media.Spec) { spec.Epoch = 0 }), media.Superseded, "epoch 1, ours is 0")
	})
	t.Run("not our playlist", func(t *testing.T) {
		s := newMemory()
		if err := s.Put(t.Context(), "v/media.m3u8", []byte("<html>")); err != nil {
			t.Fatal(err)
		}
		mustBe(t, run(s, func(*media.Spec) {}), media.SinkError, "not a playlist")
	})
	t.Run("from the start", func(t *testing.T) {
		if err := run(newMemory(), func(spec *media.Spec) { spec.FirstSegment = 0 }); err != nil {
			t.Errorf("a job that died before its first segment: %v", err)
		}
	})
}

// A segment that no playlist lists is what a crash left: it is replaced, since
// its init segment may have been another's.
func TestUnlistedSegmentIsReplaced(t *testing.T) {
	video, _ := clip(t)
	dir := t.TempDir()
	sink, err := publish.OpenDir(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Put(t.Context(), "v/0.m4s", []byte("left over")); err != nil {
		t.Fatal(err)
	}
	p := open(t, vodSpec(grid(t, "25", time.Second, 2), dir, videoRendition("v", video)), nil, sink)
	feed(t, p, "v", video, pictures(0, 50, 25, 1))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, _ := sink.Get(t.Context(), "v/0.m4s"); string(b) == "left over" {
		t.Error("the left-over segment is what viewers get")
	}
}

// Variants and groups as the ladder combines them, with what was produced.
func TestMasterOfALadder(t *testing.T) {
	video, audio := clip(t)
	g := grid(t, "25", time.Second, 2)
	german := audioRendition("stereo-de", audio)
	german.Audio.Group, german.Audio.Language, german.Audio.Label, german.Audio.Default = "stereo", "de", "Deutsch", false
	english := audioRendition("stereo-en", audio)
	english.Audio.Group = "stereo"
	half := videoRendition("half", video)
	half.Video.Divisor, half.Video.Width, half.Video.Height = 5, 48, 32
	rungs := []ladders.Rendition{videoRendition("full", video), half, english, german}
	s := newMemory()
	p := open(t, vodSpec(g, "mem", rungs...), nil, s)
	var wg sync.WaitGroup // encoders write at the same time
	for _, r := range rungs {
		wg.Go(func() {
			switch {
			case r.Audio != nil:
				feed(t, p, r.Name, audio, sounds(0, 200))
			default:
				feed(t, p, r.Name, video, pictures(0, 100, 25, r.Video.Divisor))
			}
		})
	}
	wg.Wait()
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := s.text("master.m3u8")
	for _, want := range []string{
		`TYPE=AUDIO,GROUP-ID="stereo",NAME="English",LANGUAGE="en",DEFAULT=YES`, `NAME="Deutsch",LANGUAGE="de",DEFAULT=NO`,
		"FRAME-RATE=25.000", "FRAME-RATE=5.000", "RESOLUTION=48x32", `URI="full/iframes.m3u8"`, `URI="half/iframes.m3u8"`,
		`CODECS="avc1.64000A,mp4a.40.2"`, `AUDIO="stereo"`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("%s is missing in\n%s", want, m)
		}
	}
	if n := strings.Count(m, "#EXT-X-STREAM-INF"); n != 2 {
		t.Errorf("%d variants\n%s", n, m)
	}
}

func TestHDRIsTold(t *testing.T) {
	for transfer, want := range map[int]string{16: "VIDEO-RANGE=PQ", 18: "VIDEO-RANGE=HLG", 1: "VIDEO-RANGE=SDR"} {
		video, _ := clip(t)
		video.Config.Transfer = transfer
		s := newMemory()
		p := open(t, vodSpec(grid(t, "25", time.Second, 2), "mem", videoRendition("v", video)), nil, s)
		feed(t, p, "v", video, pictures(0, 50, 25, 1))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := s.text("master.m3u8"); strings.Count(m, want) != 2 {
			t.Errorf("transfer %d: %s", transfer, m)
		}
	}
}
