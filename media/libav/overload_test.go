package libav

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// An ease never changes what a decoder is configured with, or it would be refused
// on air and help nobody.
func TestEasesKeepTheParameterSets(t *testing.T) {
	everyRung(func(row encoders.Encoder, r encoders.Rung) {
		if row.GPU || !r.Live || r.CPUs != 2 || r.Level == "6.2" || r.Level == "1.0" || !row.Eases() || astiav.FindEncoderByName(row.Name) == nil {
			return
		}
		f := grey(t, row.PixelFormat(r.Video), 128, 128)
		defer f.Free()
		r.Width, r.Height, r.Level = 128, 128, map[string]string{"h264": "2.1", "hevc": "3.0"}[row.Codec]
		var full []byte
		for _, ease := range []encoders.Ease{encoders.Full, encoders.NoLookahead, encoders.Quickest} {
			e, err := newVideoEncoder("v", r.Video, newGrid(t, r.Rate, 2*time.Second, 1), true)
			if err != nil {
				t.Fatal(err)
			}
			e.ease = ease
			if err := e.open(f, 0); err != nil {
				t.Fatalf("%s %s %s: %v", row.Name, r.Preset, ease, err)
			}
			if full == nil {
				full = e.nal.config
			} else if !bytes.Equal(full, e.nal.config) {
				t.Errorf("%s %s %s %d bits %s: %x, want %x", row.Name, r.Profile, r.Preset, r.Depth, ease, e.nal.config, full)
			}
			e.Close()
		}
	})
}

// shedding is an Output that is told of what is left out.
type shedding struct {
	*collector
	mu      sync.Mutex
	skipped map[string][]int64
}

func (s *shedding) Skip(_ context.Context, r string, segment int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped[r] = append(s.skipped[r], segment)
	return nil
}

// Shedding on air: encoders change at a segment without another decoder
// configuration, a rung leaves out whole segments, each of which is told, and
// comes back; the other renditions go on as if nothing was.
func TestShedOnAir(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		t.Run(codec, func(t *testing.T) {
			rung := func(name string, w, h int) ladders.Rendition {
				r := small(name)
				r.Video.Width, r.Video.Height, r.Video.Preset = w, h, "balanced"
				if r.Video.Codec = codec; codec == "hevc" {
					r.Video.Profile = "main"
				}
				return r
			}
			low := rung("low", 320, 180)
			low.Video.ScaledFrom = ladders.Size{W: 640, H: 360} // goes on while nobody encodes those
			spec := media.Spec{Job: "o", Input: "testcard:?size=640x360&fps=25", Live: true,
				Grid:       newGrid(t, timeline.Rate{Num: 25, Den: 1}, 600*time.Millisecond, 1),
				Renditions: []ladders.Rendition{low, rung("high", 640, 360)}} // the card's sound would run far ahead
			out := &shedding{collector: newCollector(), skipped: map[string][]int64{}}
			clock := &clockAt{at: evening}
			p := open(t, Options{Spec: spec, Output: out, Now: clock.now})
			clock.free.Store(true)
			level := 0
			at := map[int]int{30: 1, 60: 2, 90: 3, 150: 2, 200: 0}
			out.on = func(r string, _ media.Packet) error {
				n := len(out.packets["low"])
				if to, ok := at[n]; ok && r == "low" && to != level {
					steps := p.video.shedSteps()
					for ; level < to; level++ {
						p.shed(steps, level, level+1, 3*time.Second)
					}
					for ; level > to; level-- {
						p.shed(steps, level, level-1, 0)
					}
				}
				if r == "low" && n >= 260 {
					p.Stop()
				}
				return nil
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			high := spec.Renditions[1]
			lowOnly := spec
			lowOnly.Renditions = []ladders.Rendition{low}
			first, segments := wantWhole(t, lowOnly, out.collector)
			skipped := out.skipped["high"]
			if len(skipped) < 2 || len(out.skipped["low"]) > 0 || skipped[len(skipped)-1]-skipped[0] != int64(len(skipped)-1) {
				t.Fatalf("left out: %v", out.skipped)
			}
			var want []int64
			for n := first; n < first+segments; n++ {
				if !slices.Contains(skipped, n) {
					for f := spec.Grid.FirstFrame(n); f < spec.Grid.FirstFrame(n+1); f++ {
						want = append(want, f)
					}
				}
			}
			if got := out.indexes(high.Name); !slices.Equal(got, want) {
				t.Errorf("%d frames of the high rung, want %d: all but segments %v of %d from %d", len(got), len(want), skipped, segments, first)
			}
			id := map[string]astiav.CodecID{"h264": astiav.CodecIDH264, "hevc": astiav.CodecIDHevc}[codec]
			number := p.anchor.Source + spec.Grid.FirstFrame(first) - p.anchor.Frame
			wantCards(t, pictures(t, id, out.configs["low"], out.packets["low"]), number)
			var told []string
			for _, e := range p.Status().Events {
				told = append(told, e.Kind+": "+e.Effect)
			}
			if want := []string{"overload: encodes without lookahead", "overload: encodes with the quickest search", "overload: rendition high is left out",
				"overload_over: rendition high is back", "overload_over: encodes without lookahead", "overload_over: encodes as the ladder has it"}; !slices.Equal(told, want) {
				t.Errorf("told %q", told)
			}
		})
	}
}
