package libav

import (
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// Encoding begins with a segment, wherever in one the source's own clock puts
// its first frame.
func TestLiveBeginsWithASegment(t *testing.T) {
	g := newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 1)
	for anchor, want := range map[int64]int64{1000: 1000, 1001: 1050, 1049: 1050, 1050: 1050} {
		p := &Pipeline{o: Options{Spec: media.Spec{Live: true, Grid: g}}, anchor: timeline.Anchor{Frame: anchor}}
		if got := p.firstFrame(); got != want || !g.IDR(got) {
			t.Errorf("an anchor at frame %d begins at %d, want %d", anchor, got, want)
		}
	}
}
