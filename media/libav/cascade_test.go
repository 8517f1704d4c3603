package libav

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// A rung that is scaled from a larger one's pictures is the same from a worker
// that does not encode the larger one, and is another than one scaled from the
// source.
func TestACascadeIsTheLaddersNotTheWorkers(t *testing.T) {
	name := filepath.Join(mediaDir(t), "wave_croatia_1080p25_qr.mp4")
	large, cascaded, direct := small("large"), small("small"), small("small")
	large.Video.Width, large.Video.Height = 640, 360
	cascaded.Video.ScaledFrom = ladders.Size{W: 640, H: 360}
	encoded := func(renditions ...ladders.Rendition) []byte {
		t.Helper()
		out, _ := play(t, Options{Spec: media.Spec{Job: "t", Input: name, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 3), Renditions: renditions}})
		if n := len(out.packets["small"]); n != 50 {
			t.Fatalf("%d frames, want 50", n)
		}
		var all [][]byte
		for _, p := range out.packets["small"] {
			all = append(all, p.Data)
		}
		return slices.Concat(all...)
	}
	alone := encoded(cascaded)
	if !bytes.Equal(alone, encoded(large, cascaded)) || !bytes.Equal(alone, encoded(cascaded, large)) {
		t.Error("a worker that has the larger rung as well makes other pictures than one that has not")
	}
	if bytes.Equal(alone, encoded(direct)) {
		t.Error("what is scaled from the larger rung is the same as what is scaled from the source")
	}
}

// Colours are converted for all rungs at once, before scaling: also by the scaler
// that a worker with the larger rung would take.
func TestAViewKnowsWhatItsRungsAreScaledFrom(t *testing.T) {
	large, middle, cascaded := small("large"), small("middle"), small("small")
	large.Video.Width, large.Video.Height, large.Video.Scaler = 640, 360, ladders.Lanczos
	middle.Video.Width, middle.Video.Height, middle.Video.Scaler = 480, 270, ladders.Bicubic
	cascaded.Video.ScaledFrom, cascaded.Video.Scaler = ladders.Size{W: 640, H: 360}, ladders.Lanczos
	whole, part := newView(ladders.SDR), newView(ladders.SDR)
	for _, r := range []ladders.Rendition{large, middle, cascaded} {
		whole.add(*r.Video)
	}
	part.add(*middle.Video)
	part.add(*cascaded.Video)
	w, h := part.largest()
	if wholeW, wholeH := whole.largest(); part.by != whole.by || w != wholeW || h != wholeH {
		t.Errorf("%dx%d by %s, with the larger rung %dx%d by %s", w, h, part.by, wholeW, wholeH, whole.by)
	}
}
