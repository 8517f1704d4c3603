package libav

import (
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// fixed runs packets of one second (track, second) through a clock and gives
// the seconds that come out.
func fixed(t *testing.T, packets [][2]int64) (out []int64) {
	t.Helper()
	second := timeline.Timebase{Num: 1, Den: 1}
	c := &clock{streams: map[int]*trackClock{0: {base: second}, 1: {base: second}}}
	p := astiav.AllocPacket()
	defer p.Free()
	for _, x := range packets {
		p.SetStreamIndex(int(x[0]))
		p.SetPts(x[1])
		p.SetDts(x[1])
		p.SetDuration(1)
		c.fix(p)
		out = append(out, p.Pts())
	}
	return out
}

// A gap of one track is programme, a jump of all is a splice.
func TestGapsAndSplices(t *testing.T) {
	for name, c := range map[string]struct {
		packets [][2]int64
		want    []int64
	}{
		"a pause in the sound": {
			[][2]int64{{0, 0}, {1, 0}, {0, 1}, {0, 12}, {0, 24}, {1, 24}, {0, 25}, {1, 25}},
			[]int64{0, 0, 1, 12, 24, 24, 25, 25},
		},
		"a picture that stands": {
			[][2]int64{{0, 0}, {1, 0}, {1, 1}, {1, 10}, {1, 19}, {0, 20}, {1, 20}},
			[]int64{0, 0, 1, 10, 19, 20, 20},
		},
		"all go on a day later": {
			[][2]int64{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, 86400}, {0, 86400}, {1, 86401}},
			[]int64{0, 0, 1, 1, 2, 2, 3},
		},
		"and back": {
			[][2]int64{{0, 5000}, {1, 5000}, {0, 1}, {1, 1}, {0, 2}},
			[]int64{5000, 5000, 5001, 5001, 5002},
		},
	} {
		got := fixed(t, c.packets)
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v becomes %v, want %v", name, c.packets, got, c.want)
				break
			}
		}
	}
}
