package libav

import (
	"cmp"
	"slices"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/captions"
)

// captioned is what one packet of a probed track carries.
type captioned struct {
	pts int64
	ts  []captions.Triplet
}

// caption looks for captions without decoding: a probe decodes one picture.
func (t *probeTrack) caption(pkt *astiav.Packet) {
	ts := captions.Sniff(pkt.Data())
	if len(ts) == 0 {
		return
	}
	at := pkt.Pts()
	if n := len(t.captions); at == noPTS && n > 0 {
		at = t.captions[n-1].pts // a second field
	}
	t.captions = append(t.captions, captioned{at, ts})
}

// channels are the caption channels met, read in the order of presentation.
func (t *probeTrack) channels() []string {
	slices.SortStableFunc(t.captions, func(a, b captioned) int { return cmp.Compare(a.pts, b.pts) })
	var seen captions.Channels
	for _, c := range t.captions {
		seen.See(c.ts)
	}
	return seen.List()
}
