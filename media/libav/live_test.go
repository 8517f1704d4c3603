package libav

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// A file on air starts over without a seam: its last frame is followed by its
// first on the next place of the grid, and the sound goes on.
func TestLoopHasNoSeam(t *testing.T) {
	spec := waveSpec(t, timeline.Rate{Num: 25, Den: 1})
	out, p := onAir(t, spec, evening, 3*waveFrames-10)
	wantWhole(t, spec, out)
	for i, n := range waveNumbers(t, out) {
		if want := int64(i%waveFrames + 1); n != want {
			t.Fatalf("picture %d shows frame %d, want %d", i, n, want)
		}
	}
	if st := p.Status(); st.Doubled != 0 || st.Dropped != 0 {
		t.Errorf("%d doubled, %d dropped", st.Doubled, st.Dropped)
	}
}

// Real files of all kinds loop: whole segments, nothing doubled or dropped at
// the seam beyond what one pass asks for.
func TestFilesLoop(t *testing.T) {
	for _, name := range []string{"flower_540p2997_h264_aac.mp4", "train_360p30.ts", "svt_720p50_h264_aac.mkv", "tos_360p24_pts_rollover.ts", "bbb_360p25_rtmp.flv", "concat_reschange_ptsjump.ts", "vp9_portrait_opus.webm"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(mediaDir(t), name)
			facts, err := Probe(t.Context(), file, anything)
			if err != nil {
				t.Fatal(err)
			}
			spec := media.Spec{Job: "loop", Input: file, Grid: newGrid(t, facts.BestVideo().Rate, 2*time.Second, 1), Renditions: []ladders.Rendition{small("v"), sound("a")}}
			out, p := onAir(t, spec, evening, 26*facts.BestVideo().Rate.Num/facts.BestVideo().Rate.Den)
			if _, segments := wantWhole(t, spec, out); segments < 12 {
				t.Errorf("%d segments", segments)
			}
			if st := p.Status(); st.Doubled*20 > st.Decoded || name != "concat_reschange_ptsjump.ts" && st.Dropped > 3 {
				t.Errorf("of %d pictures %d doubled, %d dropped", st.Decoded, st.Doubled, st.Dropped)
			}
		})
	}
}

// resumed runs spec again from one anchor, beginning with a later segment.
func resumed(t *testing.T, spec media.Spec, p *Pipeline, at time.Time, segment, frames int64) *collector {
	t.Helper()
	a := p.anchor
	spec.Anchor, spec.Resume, spec.FirstSegment = &a, true, segment
	out, _ := onAir(t, spec, at, frames)
	return out
}

// wantSame checks that what resumed has, uninterrupted has too: the same
// indexes of pictures and sound.
func wantSame(t *testing.T, g timeline.Grid, uninterrupted, resumed *collector, segment int64) {
	t.Helper()
	if got := resumed.indexes("v")[0]; got != g.FirstFrame(segment) {
		t.Errorf("resumed with frame %d, want %d", got, g.FirstFrame(segment))
	}
	a := timeline.AudioGrid{SampleRate: 48000, FrameSize: 1024}
	if got := resumed.indexes("a")[0]; got != a.FirstFrame(g, segment) {
		t.Errorf("resumed with audio frame %d, want %d", got, a.FirstFrame(g, segment))
	}
	if string(resumed.configs["v"].Extradata) != string(uninterrupted.configs["v"].Extradata) || string(resumed.configs["a"].Extradata) != string(uninterrupted.configs["a"].Extradata) {
		t.Error("decoder configurations differ: segments of the two runs cannot be mixed")
	}
}

// A successor that starts from the same anchor shows the same frame at every
// place: the card by its number, a looped file by its codes.
func TestLiveResumeAgrees(t *testing.T) {
	card := media.Spec{Job: "card", Input: "testcard:?size=640x360&fps=29.97", Grid: newGrid(t, timeline.Rate{Num: 30000, Den: 1001}, time.Second, 1), Renditions: []ladders.Rendition{small("v"), sound("a")}}
	t.Run("card", func(t *testing.T) {
		whole, p := onAir(t, card, evening, 200)
		first, _ := wantWhole(t, card, whole)
		again := resumed(t, card, p, evening.Add(4*time.Second), first+3, 60)
		wantWhole(t, card, again)
		wantSame(t, card.Grid, whole, again, first+3)
		pics := pictures(t, astiav.CodecIDH264, again.configs["v"], again.packets["v"])
		wantCards(t, pics, p.anchor.Source+3*card.Grid.FramesPerSegment())
		from := again.packets["a"][0].Index
		wantSync(t, card.Grid, pics, decodeAAC(t, again.configs["a"], again.packets["a"], from), from)
	})
	t.Run("loop", func(t *testing.T) {
		spec := waveSpec(t, timeline.Rate{Num: 25, Den: 1})
		spec.Grid = newGrid(t, timeline.Rate{Num: 25, Den: 1}, 600*time.Millisecond, 1)
		whole, p := onAir(t, spec, evening, 60)
		first, _ := wantWhole(t, spec, whole)
		for _, later := range []int64{1, 4, 9, 1000} {
			again := resumed(t, spec, p, evening.Add(time.Duration(later)*600*time.Millisecond), first+later, 20)
			wantWhole(t, spec, again)
			wantSame(t, spec.Grid, whole, again, first+later)
			for i, n := range waveNumbers(t, again) {
				if want := (later*15+int64(i))%waveFrames + 1; n != want {
					t.Fatalf("resumed %d segments later: picture %d shows frame %d, want %d", later, i, n, want)
				}
			}
		}
	})
}

// A resumed clip makes the missing segments, with the same frames in them.
func TestClipResumeAgrees(t *testing.T) {
	spec := waveSpec(t, timeline.Rate{Num: 25, Den: 1})
	whole, _ := play(t, Options{Spec: spec})
	spec.Resume, spec.FirstSegment = true, 2
	again, _ := play(t, Options{Spec: spec})
	first := spec.Grid.FirstFrame(2)
	again.wantRun(t, "v", spec.Grid, first, waveFrames-first, 1)
	wantSame(t, spec.Grid, whole, again, 2)
	if a, b := whole.indexes("a"), again.indexes("a"); a[len(a)-1] != b[len(b)-1] {
		t.Errorf("sound ends with frame %d and %d", a[len(a)-1], b[len(b)-1])
	}
	for i, n := range waveNumbers(t, again) {
		if n != first+int64(i)+1 {
			t.Fatalf("picture %d shows frame %d, want %d", i, n, first+int64(i)+1)
		}
	}
}

// A resume past the end makes nothing, and says so by ending.
func TestClipResumePastTheEnd(t *testing.T) {
	spec := waveSpec(t, timeline.Rate{Num: 25, Den: 1})
	spec.Resume, spec.FirstSegment = true, 50
	out, _ := play(t, Options{Spec: spec})
	if n := len(out.packets["v"]) + len(out.packets["a"]); n != 0 {
		t.Errorf("%d packets after the end", n)
	}
}

// The anchor that the scheduler decides on holds, whatever was proposed.
func TestProposedAnchor(t *testing.T) {
	spec := media.Spec{Job: "card", Live: true, Input: "testcard:?size=320x180", Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Renditions: []ladders.Rendition{small("v")}}
	clock := &clockAt{at: evening}
	decided := timeline.Anchor{}
	p := open(t, Options{Spec: spec, Output: newCollector(), Now: clock.now, Propose: func(_ context.Context, a timeline.Anchor) (timeline.Anchor, error) {
		if n := a.Frame; n%25 != 0 || spec.Grid.TimeOf(n) > time.Duration(evening.UnixNano()) || spec.Grid.TimeOf(n+25) <= time.Duration(evening.UnixNano()) {
			t.Errorf("proposed to begin with frame %d, not with the segment on air", n)
		}
		decided = a
		decided.Frame += 50
		return decided, nil
	}})
	defer p.src.close()
	if p.anchor != decided || p.firstFrame() != decided.Frame {
		t.Errorf("anchor %+v, want %+v", p.anchor, decided)
	}
	if lag := p.Lag(); lag < -2100*time.Millisecond || lag > -900*time.Millisecond {
		t.Errorf("lag %v of a source that begins two segments ahead", lag)
	}
}
