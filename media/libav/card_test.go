package libav

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/timeline"
)

var cardRates = []timeline.Rate{{Num: 24000, Den: 1001}, {Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 50, Den: 1}, {Num: 60000, Den: 1001}}

// cardSpec5 is five seconds of card at a rate, as a clip.
// A clip of an odd number of frames ends on the same tick at every rate: the last
// picture stands a frame longer.
func TestRungsOfEveryRateEndTogether(t *testing.T) {
	r := timeline.Rate{Num: 50, Den: 1}
	half, third := small("half"), small("third")
	half.Video.Divisor, third.Video.Divisor = 2, 3
	out, _ := play(t, Options{Spec: media.Spec{
		Job: "card", Input: "testcard:?size=640x360&fps=50&duration=1.02s",
		Grid: newGrid(t, r, 3*time.Second, 1, 2, 3), Renditions: []ladders.Rendition{small("v"), half, third},
	}})
	for name, want := range map[string]int{"v": 54, "half": 27, "third": 18} {
		if got := len(out.packets[name]); got != want {
			t.Errorf("%s has %d frames, want %d", name, got, want)
		}
	}
}

func cardSpec5(t *testing.T, r timeline.Rate, renditions ...ladders.Rendition) media.Spec {
	t.Helper()
	return media.Spec{
		Job: "card", Input: "testcard:?size=640x360&duration=5s&fps=" + r.String(),
		Grid: newGrid(t, r, time.Second, 2), Renditions: renditions,
	}
}

// The card through encoder and decoder: every frame once, in order, and the
// beep with the flash.
func TestCardFramesAndBeeps(t *testing.T) {
	for _, r := range cardRates {
		t.Run(r.String(), func(t *testing.T) {
			spec := cardSpec5(t, r, small("v"), sound("a"))
			out, st := play(t, Options{Spec: spec})
			frames := spec.Grid.FrameAt(5*time.Second + time.Duration(r.Den)*time.Second/time.Duration(2*r.Num))
			out.wantRun(t, "v", spec.Grid, 0, frames, 1)
			if st.Doubled != 0 || st.Dropped != 0 {
				t.Errorf("%d doubled, %d dropped", st.Doubled, st.Dropped)
			}
			pics := pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"])
			if int64(len(pics)) != frames {
				t.Errorf("%d pictures decode, want %d", len(pics), frames)
			}
			wantCards(t, pics, 0)
			wantSync(t, spec.Grid, pics, decodeAAC(t, out.configs["a"], out.packets["a"], 0), 0)
		})
	}
}

// wantSync checks that every flash comes with its beep; sample 0 of pcm lies at
// audio frame from of the grid.
func wantSync(t *testing.T, g timeline.Grid, pics []picture, pcm []float64, from int64) {
	t.Helper()
	flashes := 0
	for i := 1; i < len(pics); i++ {
		if pics[i].flash < 128 || pics[i-1].flash >= 128 {
			continue
		}
		at := time.Duration(timeline.Rescale(g.Ticks(pics[i].index), timeline.Timebase{Num: 1, Den: g.Timescale}, nanoseconds) -
			timeline.Rescale(from*1024, timeline.Timebase{Num: 1, Den: card.SampleRate}, nanoseconds))
		beep, ok := onset(pcm, at)
		if !ok {
			if at+200*time.Millisecond < time.Duration(len(pcm))*time.Second/card.SampleRate {
				t.Errorf("no beep at the flash of frame %d (%v)", pics[i].index, at)
			}
			continue
		}
		flashes++
		if lag := beep - at; lag.Abs() > 5*time.Millisecond {
			t.Errorf("the beep comes %v after the flash of frame %d", lag, pics[i].index)
		}
	}
	if flashes < 2 {
		t.Errorf("only %d flashes with a beep", flashes)
	}
}

var nanoseconds = timeline.Timebase{Num: 1, Den: int64(time.Second)}

// onset is when sound begins near at.
func onset(pcm []float64, at time.Duration) (time.Duration, bool) {
	centre := int(at * card.SampleRate / time.Second)
	for i := max(centre-4800, 0); i < min(centre+4800, len(pcm)); i++ {
		if math.Abs(pcm[i]) > 0.1 {
			return time.Duration(i) * time.Second / card.SampleRate, true
		}
	}
	return 0, false
}

// The card in B frames, three GOPs to a segment, and a half-rate rung: the same
// numbers, every second one, and presentation never runs ahead of decoding.
func TestRungsAgree(t *testing.T) {
	half, rich := small("half"), small("rich")
	half.Video.Divisor, half.Video.Width, half.Video.Height = 2, 256, 144
	rich.Video.Preset, rich.Video.Profile = "balanced", "high"
	r := timeline.Rate{Num: 50, Den: 1}
	spec := cardSpec5(t, r, small("v"), half, rich)
	spec.Grid = newGrid(t, r, time.Second, 3, 2)
	out, _ := play(t, Options{Spec: spec})
	out.wantRun(t, "v", spec.Grid, 0, 250, 1)
	out.wantRun(t, "rich", spec.Grid, 0, 250, 1)
	out.wantRun(t, "half", spec.Grid, 0, 125, 2)
	wantCards(t, pictures(t, astiav.CodecIDH264, out.configs["rich"], out.packets["rich"]), 0)
	for i, p := range pictures(t, astiav.CodecIDH264, out.configs["half"], out.packets["half"]) {
		if p.card != int64(2*i) || p.index != int64(2*i) {
			t.Fatalf("picture %d of the half-rate rung: grid frame %d shows %d", i, p.index, p.card)
		}
	}
	reordered := false
	for i, p := range out.packets["rich"] {
		reordered = reordered || p.Index != int64(i)
		gop := int64(i) / spec.Grid.FramesPerGOP
		if p.Index/spec.Grid.FramesPerGOP != gop {
			t.Fatalf("packet %d in decode order is frame %d, of another GOP", i, p.Index)
		}
	}
	if !reordered {
		t.Error("no B frames: the test shows nothing")
	}
}

// Both kinds of segment, all rates: key frames on the grid and nowhere else,
// also where the picture changes (the flash) in between.
func TestKeyFramesLieOnTheGrid(t *testing.T) {
	for _, gops := range []int64{1, 3} {
		for _, r := range cardRates[:3] {
			spec := cardSpec5(t, r, small("v"))
			spec.Grid = newGrid(t, r, 700*time.Millisecond, gops)
			out, _ := play(t, Options{Spec: spec})
			out.wantRun(t, "v", spec.Grid, 0, int64(len(out.packets["v"])), 1)
		}
	}
}

func TestCardNeedsADurationAsClip(t *testing.T) {
	spec := cardSpec5(t, cardRates[1], small("v"))
	spec.Input = "testcard:?fps=25"
	_, err := Open(t.Context(), Options{Spec: spec, Output: newCollector()})
	wantError(t, err, media.SourceError, "a clip needs a duration", "duration=10s")
}

func TestBadCards(t *testing.T) {
	for query, words := range map[string]string{
		"size=12x8": "size wants", "size=640": "size wants", "size=9999x9999": "size wants", "fps=0": "fps wants", "fps=1000": "fps wants",
		"fps=x": "fps wants", "duration=x": "duration wants", "duration=-1s": "duration wants", "colour=red": "not colour", "%zz": "cannot be read",
	} {
		_, err := Probe(t.Context(), "testcard:?"+query, anything)
		wantError(t, err, media.SourceError, words, "write it like testcard:")
	}
}

// clockAt is a wall clock for tests: it stands at Open, then lies so far ahead
// that nothing is ever waited for.
type clockAt struct {
	at   time.Time
	free atomic.Bool
}

func (c *clockAt) now() time.Time {
	if c.free.Load() {
		return c.at.Add(24 * time.Hour)
	}
	return c.at
}

// onAir runs a live job at full speed until stopAfter frames of video (or audio
// frames without one) left it.
func onAir(t *testing.T, spec media.Spec, at time.Time, stopAfter int64) (*collector, *Pipeline) {
	t.Helper()
	out := newCollector()
	return out, onAirTo(t, spec, at, stopAfter, out, out)
}

// onAirTo is onAir for an output around the collector.
func onAirTo(t *testing.T, spec media.Spec, at time.Time, stopAfter int64, out *collector, to Output) *Pipeline {
	t.Helper()
	clock := &clockAt{at: at}
	spec.Live = true
	p := open(t, Options{Spec: spec, Output: to, Now: clock.now})
	clock.free.Store(true)
	first := spec.Renditions[0].Name
	out.on = func(r string, _ media.Packet) error {
		if r == first && int64(len(out.packets[r])) >= stopAfter {
			p.Stop()
		}
		return nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// wantWhole checks that all renditions cover the same segments, whole.
func wantWhole(t *testing.T, spec media.Spec, out *collector) (first, segments int64) {
	t.Helper()
	g := spec.Grid
	all := out.indexes(spec.Renditions[0].Name)
	first = g.Segment(all[0])
	segments = int64(len(all)) / g.FramesPerSegment()
	for _, r := range spec.Renditions {
		if r.Video != nil {
			out.wantRun(t, r.Name, g, g.FirstFrame(first), segments*g.FramesPerSegment()/r.Video.Divisor, r.Video.Divisor)
			continue
		}
		a := timeline.AudioGrid{SampleRate: 48000, FrameSize: 1024}
		out.wantRun(t, r.Name, timeline.Grid{}, a.FirstFrame(g, first), a.FirstFrame(g, first+segments)-a.FirstFrame(g, first), 1)
	}
	return first, segments
}

var evening = time.Date(2026, 11, 22, 20, 15, 3, 141_592_653, time.UTC)

// A live card on the grid of its own rate: the frames are the card's since the
// epoch, Stop ends all renditions with the same whole segment.
func TestLiveCard(t *testing.T) {
	for _, r := range cardRates {
		t.Run(r.String(), func(t *testing.T) {
			half := small("half")
			half.Video.Divisor = 2
			spec := media.Spec{Job: "live", Input: "testcard:?size=640x360&fps=" + r.String(), Grid: newGrid(t, r, 2*time.Second, 1, 2), Renditions: []ladders.Rendition{small("v"), half, sound("a")}}
			out, p := onAir(t, spec, evening, spec.Grid.FramesPerSegment()+3)
			first, segments := wantWhole(t, spec, out)
			if at := spec.Grid.TimeOf(spec.Grid.FirstFrame(first)); time.Duration(evening.UnixNano())-at > 2100*time.Millisecond || segments < 2 {
				t.Errorf("%d segments from %v on", segments, at)
			}
			pics := pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"])
			wantCards(t, pics, p.anchor.Source)
			wantSync(t, spec.Grid, pics, decodeAAC(t, out.configs["a"], out.packets["a"], out.packets["a"][0].Index), out.packets["a"][0].Index)
		})
	}
}
