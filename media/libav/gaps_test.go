package libav

import (
	"slices"
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

// packetRun is track's packets of seconds [from, to).
func packetRun(track, from, to int64) (out [][2]int64) {
	for ; from < to; from++ {
		out = append(out, [2]int64{track, from})
	}
	return out
}

// A gap of one track is programme, a jump of all is a splice.
func TestGapsAndSplices(t *testing.T) {
	for name, c := range map[string]struct{ packets, want [][2]int64 }{
		"a pause in the sound": {
			slices.Concat(packetRun(1, 0, 2), packetRun(0, 0, 30), packetRun(1, 29, 40), packetRun(0, 30, 40)),
			slices.Concat(packetRun(1, 0, 2), packetRun(0, 0, 30), packetRun(1, 29, 40), packetRun(0, 30, 40)),
		},
		"a picture that stands": {
			slices.Concat(packetRun(0, 0, 1), packetRun(1, 0, 20), packetRun(0, 20, 25), packetRun(1, 20, 25)),
			slices.Concat(packetRun(0, 0, 1), packetRun(1, 0, 20), packetRun(0, 20, 25), packetRun(1, 20, 25)),
		},
		"all go on a day later": {
			slices.Concat(packetRun(0, 0, 2), packetRun(1, 0, 2), packetRun(1, 86400, 86402), packetRun(0, 86400, 86402)),
			slices.Concat(packetRun(0, 0, 2), packetRun(1, 0, 2), packetRun(1, 2, 4), packetRun(0, 2, 4)),
		},
		"and back": {
			slices.Concat(packetRun(0, 5000, 5001), packetRun(1, 5000, 5001), packetRun(0, 1, 3), packetRun(1, 1, 3)),
			slices.Concat(packetRun(0, 5000, 5001), packetRun(1, 5000, 5001), packetRun(0, 5001, 5003), packetRun(1, 5001, 5003)),
		},
	} {
		for i, got := range fixed(t, c.packets) {
			if got != c.want[i][1] {
				t.Errorf("%s: packet %d, track %d second %d, becomes second %d, want %d", name, i, c.packets[i][0], c.packets[i][1], got, c.want[i][1])
				break
			}
		}
	}
}
