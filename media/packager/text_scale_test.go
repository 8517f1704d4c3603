package packager

import (
	"math"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
)

// A million ticks or more a second leave no room for a thousandth of each.
func TestTextScale(t *testing.T) {
	for leader, want := range map[int64]int64{25: 1000, 24: 3000, 30000: 30000, 60000: 60000, 48000: 48000, 44100: 441000, 19001: 19_001_000, 1 << 20: 1 << 20, math.MaxInt32: math.MaxInt32} {
		if got := textScale(leader); got != want {
			t.Errorf("%d: %d, want %d", leader, got, want)
		}
	}
}

// Segments of 2.002 s, and those of sound, which begin between two milliseconds, tile
// to the tick; a text that is there from edge to edge leaves no gap.
func TestBoxesTile(t *testing.T) {
	for _, c := range []struct{ scale, long int64 }{{30000, 60060}, {48000, 94 * 1024}} {
		init, err := cmaf.InitText(ladders.Text{Language: "en"}, c.scale)
		if err != nil {
			t.Fatal(err)
		}
		track, err := cmaf.ParseInit(init.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		x := &boxes{scale: c.scale, per: 1}
		for n := int64(890_000_000); n < 890_000_050; n++ {
			s := span{with: &segment{number: n}, begin: n * c.long, end: (n + 1) * c.long}
			from, until := int64(hls.Between(0, s.begin, c.scale)), int64(hls.Between(0, s.end, c.scale))
			b, err := x.segment(s, []webvtt.Cue{{Start: from, End: until, Text: "page"}, {Start: until - 300, End: until + 9_000_000, Text: "next"}})
			if err != nil {
				t.Fatal(err)
			}
			p, err := cmaf.Parse(track, b)
			if err != nil || len(p.Samples()) != 1 || p.Decode() != s.begin || p.Samples()[0].Duration != c.long {
				t.Fatalf("segment %d: %v %+v", n, err, p)
			}
			if cues, err := cmaf.ParseCues(p.Samples()[0].Data); err != nil || len(cues) != 1 || cues[0] != (cmaf.Cue{Text: "page"}) {
				t.Fatalf("%v %+v", err, cues)
			}
		}
	}
}
