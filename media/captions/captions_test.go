package captions

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/galafarm/gala/timeline"
)

func pair(field, a, b byte) Triplet { return Triplet{0xfc | field, a, b} }

func rate(num, den int64) timeline.Rate { return timeline.Rate{Num: num, Den: den} }

// CTA-708 table 3: triplets in a frame, and byte pairs of line 21 among them.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		rate         timeline.Rate
		count, pairs int
	}{
		{rate(24000, 1001), 25, 3}, {rate(24, 1), 25, 3}, {rate(25, 1), 24, 3}, {rate(30000, 1001), 20, 2},
		{rate(30, 1), 20, 2}, {rate(50, 1), 12, 2}, {rate(60000, 1001), 10, 1}, {rate(60, 1), 10, 1}, {rate(12, 1), 31, 5},
	} {
		if count, pairs := share(c.rate); count != c.count || pairs != c.pairs {
			t.Errorf("%s fps: %d triplets, %d pairs, want %d and %d", c.rate, count, pairs, c.count, c.pairs)
		}
	}
}

// A picture shown twice gives both fields one frame each; one that is not shown
// leaves its captions to the next.
func TestDealerDoublesAndDrops(t *testing.T) {
	twice := NewDealer(rate(60, 1))
	twice.Put(0, []Triplet{pair(0, 1, 1), pair(1, 2, 2)})
	a, b, none := twice.Take(0), twice.Take(0), twice.Take(0)
	if !slices.Equal(a, []Triplet{pair(0, 1, 1)}) || !slices.Equal(b, []Triplet{pair(1, 2, 2)}) || len(none) != 0 {
		t.Errorf("doubled: %x, %x, %x", a, b, none)
	}
	half := NewDealer(rate(25, 1))
	half.Put(0, []Triplet{pair(0, 1, 1)})
	half.Put(1, []Triplet{pair(0, 2, 2)})
	half.Put(3, []Triplet{pair(0, 3, 3)})
	if got := half.Take(2); !slices.Equal(got, []Triplet{pair(0, 1, 1), pair(0, 2, 2)}) {
		t.Errorf("halved: %x", got)
	}
	if half.Drop(3); len(half.Rest(0)) != 0 {
		t.Error("dropped, and still there")
	}
}

// What waits when the clock changes - another input takes over, whose pictures are
// counted by fields - is due at the same moment.
func TestDealerMovesToAnotherClock(t *testing.T) {
	d := NewDealer(rate(25, 1))
	d.Put(2000, []Triplet{{0xfc, 'a', 'b'}})
	d.Put(6000, []Triplet{{0xfc, 'c', 'd'}})
	d.Retime(func(at int64) int64 { return at / 2 })
	if got := d.Take(1500); len(got) != 1 || got[0][1] != 'a' {
		t.Errorf("due at first: %v", got)
	}
	if got := d.Take(3000); len(got) != 1 || got[0][1] != 'c' {
		t.Errorf("due then: %v", got)
	}
}

// Whatever a source brings and whichever pictures are shown, what is not
// padding comes out once and in order, and cc_count holds it.
func TestDealerLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fps := rapid.SampledFrom([]timeline.Rate{rate(12, 1), rate(24, 1), rate(25, 1), rate(30000, 1001), rate(60, 1)}).Draw(t, "fps")
		d := NewDealer(fps)
		var lines, packets, gotLines, gotPackets []Triplet
		take := func(ts []Triplet) {
			if len(ts) > maxCount {
				t.Fatalf("%d triplets in a frame", len(ts))
			}
			for _, x := range ts {
				if x.line() {
					gotLines = append(gotLines, x)
				} else {
					gotPackets = append(gotPackets, x)
				}
			}
		}
		n := byte(0)
		for at := range int64(rapid.IntRange(1, 60).Draw(t, "pictures")) {
			var ts []Triplet
			for range rapid.IntRange(0, 12).Draw(t, "triplets") {
				n = n%100 + 1
				x := Triplet{0xf8 | rapid.Byte().Draw(t, "head")&7, n, n}
				ts = append(ts, x)
				switch {
				case !x.valid():
				case x.line():
					lines = append(lines, x)
				default:
					packets = append(packets, x)
				}
			}
			d.Put(at, ts)
			for range rapid.IntRange(0, 2).Draw(t, "shown") {
				take(d.Take(at))
			}
		}
		for range 100 {
			take(d.Take(1000))
		}
		if !slices.Equal(gotLines, lines) || !slices.Equal(gotPackets, packets) {
			t.Fatalf("%d and %d triplets came out, %d and %d went in", len(gotLines), len(gotPackets), len(lines), len(packets))
		}
	})
}

// A source that says more than a caption channel can, for long: its padding
// goes first, then frames carry more than their share.
func TestDealerKeepsUp(t *testing.T) {
	d := NewDealer(rate(60, 1))
	for at := range int64(600) {
		d.Put(at, []Triplet{pair(0, 0x80, 0x80), pair(0, 0x80, 0x80), pair(0, 1, 1), pair(1, 1, 1)})
		d.Take(at)
	}
	if n := len(d.lines); n > 64 {
		t.Errorf("%d pairs wait after ten seconds", n)
	}
}

func TestChannels(t *testing.T) {
	var c Channels
	c.See([]Triplet{pair(0, 0x80, 0x80), pair(0, 0x94, 0x2c), pair(0, 0x94, 0x2a), {0xf8, 0x14, 0x20}}) // nothing, erase, text, invalid
	if got := c.List(); len(got) != 0 {
		t.Errorf("from nothing: %v", got)
	}
	c.See([]Triplet{pair(1, 0x1d, 0x26), pair(1, 0x15, 0x20), pair(0, 0x1c, 0x29)})
	// A packet of six bytes: service 1 with one byte, service 9 in an extended block.
	c.See([]Triplet{{0xfe, 0, 0}, {0xff, 0x44, 0x21}, {0xfe, 'a', 0xe2}})
	if !c.See([]Triplet{{0xfe, 9, 'b'}, {0xfe, 'c', 0}}) {
		t.Error("nothing new")
	}
	if got, want := c.List(), []string{"CC2", "CC3", "CC4", "SERVICE1", "SERVICE9"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func sample(nals ...[]byte) []byte {
	var out []byte
	for _, n := range nals {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(n))), n...)
	}
	return out
}

func TestInsertExtract(t *testing.T) {
	ts := []Triplet{pair(0, 0x94, 0x2f), {0xff, 0, 0}, {0xfe, 0, 0}}
	for _, c := range []struct {
		codec string
		data  []byte
		at    int // of what is inserted
	}{
		{"h264", sample([]byte{6, 1, 2, 3, 0x80}, []byte{0x65, 1, 2, 3}), 9},
		{"hevc", sample([]byte{35 << 1, 2, 1}, []byte{1 << 1, 2, 3, 4}), 7},
		{"av1", []byte{1<<3 | 2, 1, 9, 6<<3 | 2, 2, 1, 1, 3<<3 | 2, 1, 0x80}, 7},
	} {
		got := Insert(c.codec, c.data, ts)
		if !bytes.Equal(got[:c.at], c.data[:c.at]) || !bytes.HasSuffix(got, c.data[c.at:]) || len(got) <= len(c.data) {
			t.Errorf("%s: not inserted at %d: %x", c.codec, c.at, got)
		}
		if back := Extract(c.codec, got); !slices.Equal(back, ts) {
			t.Errorf("%s: %x went in, %x is there", c.codec, ts, back)
		}
		if back := Sniff(got); !slices.Equal(back, ts) {
			t.Errorf("%s: %x went in, sniffed %x", c.codec, ts, back)
		}
		if !bytes.Equal(Insert(c.codec, c.data, nil), c.data) {
			t.Errorf("%s: changed without captions", c.codec)
		}
	}
	if got := Insert("hevc", sample([]byte{1 << 1, 2, 3}), ts); got[5] != 2 {
		t.Errorf("SEI is of sublayer %d, its picture of 2", got[5])
	}
}

func TestEscape(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := make([]byte, r.IntN(40)+1)
		for i := range b {
			b[i] = byte(r.IntN(5))
		}
		b[len(b)-1] = 0x80
		e := escape(b)
		for i := 2; i < len(e); i++ {
			if e[i-2] == 0 && e[i-1] == 0 && e[i] < 3 {
				t.Fatalf("%x has a start code", e)
			}
		}
		if got := unescape(slices.Clone(e)); !bytes.Equal(got, b) {
			t.Fatalf("%x came back as %x", b, got)
		}
	}
}

// Nothing that a source or a tree holds makes the readers fall over.
func FuzzExtract(f *testing.F) {
	ts := []Triplet{pair(0, 0x94, 0x2f)}
	f.Add(Insert("h264", sample([]byte{0x65, 1}), ts))
	f.Add(Insert("av1", []byte{6<<3 | 2, 1, 1}, ts))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Channels
		for _, codec := range []string{"h264", "hevc", "av1"} {
			c.See(Extract(codec, b))
			Insert(codec, b, ts)
		}
		c.See(Sniff(b))
	})
}
