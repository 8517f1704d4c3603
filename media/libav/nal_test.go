package libav

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/bits"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/ladders"
)

// Access units survive the way from start codes to lengths: the same NAL units
// in the same order, parameter sets left out.
func TestLengthPrefixed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream, want []byte
		for range rapid.IntRange(1, 8).Draw(t, "units") {
			kind := rapid.SampledFrom([]byte{0x65, 0x41, 0x06, 0x67, 0x68, 0x09, 0x01}).Draw(t, "header")
			// No start code inside, no zero at the end: what emulation prevention gives.
			body := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 20).Draw(t, "body")
			unit := append([]byte{kind}, body...)
			stream = append(stream, rapid.SampledFrom([][]byte{{0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, 1}}).Draw(t, "start code")...)
			stream = append(stream, unit...)
			if kind != 0x67 && kind != 0x68 && kind != 0x09 {
				want = append(want, 0, 0, 0, byte(len(unit)))
				want = append(want, unit...)
			}
		}
		c := &nalConverter{codec: "h264"}
		if got := c.convert(stream, true); !bytes.Equal(got, want) {
			t.Fatalf("%x became %x, want %x", stream, got, want)
		}
	})
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0x65, 1, 2}, true)
	f.Add([]byte{0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, au []byte, h264 bool) {
		codec := map[bool]string{true: "h264", false: "hevc"}[h264]
		out := (&nalConverter{codec: codec}).convert(au, true)
		for len(out) > 0 { // what comes out is whole units
			n := int(out[0])<<24 | int(out[1])<<16 | int(out[2])<<8 | int(out[3])
			if n == 0 || n > len(out)-4 {
				t.Fatalf("unit of %d bytes in %d", n, len(out))
			}
			out = out[4+n:]
		}
	})
}

func TestMissingParameterSets(t *testing.T) {
	for _, codec := range []string{"h264", "hevc", "av1"} {
		for _, header := range [][]byte{nil, {1}, {0, 0, 1, 0x65, 1, 2, 3}, bytes.Repeat([]byte{0}, 50)} {
			if _, err := newNALConverter(ladders.Video{Codec: codec}, header, 0); err == nil {
				t.Errorf("%s: a header of %x was taken", codec, header)
			}
		}
	}
}

// sequenceHeader writes the begin of an AV1 sequence header OBU.
func sequenceHeader(t *testing.T, profile, level, tier byte, timing, equal, model bool) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := bits.NewWriter(&buf)
	flag := func(b bool) uint {
		if b {
			return 1
		}
		return 0
	}
	w.Write(uint(profile), 3)
	w.Write(0, 2)
	w.Write(flag(timing), 1)
	if timing {
		w.Write(1001, 32)
		w.Write(30000, 32)
		w.Write(flag(equal), 1)
		if equal {
			w.Write(0b00100, 5) // uvlc 3
		}
		w.Write(flag(model), 1)
		if model {
			w.Write(9, 5)
			w.Write(1, 32)
			w.Write(9, 5)
			w.Write(9, 5)
		}
	}
	w.Write(0, 1+5+12)
	w.Write(uint(level), 5)
	if level > 7 {
		w.Write(uint(tier), 1)
	}
	w.Write(0, 40)
	w.Flush()
	return append([]byte{obuSequenceHeader<<3 | 2, byte(buf.Len())}, buf.Bytes()...)
}

func TestAV1Config(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		profile, level := byte(rapid.IntRange(0, 2).Draw(rt, "profile")), byte(rapid.IntRange(0, 23).Draw(rt, "level"))
		tier := byte(0)
		if level > 7 {
			tier = byte(rapid.IntRange(0, 1).Draw(rt, "tier"))
		}
		header := sequenceHeader(t, profile, level, tier, rapid.Bool().Draw(rt, "timing"), rapid.Bool().Draw(rt, "equal"), rapid.Bool().Draw(rt, "model"))
		config, err := av1Config(header, 8, 0)
		if err != nil {
			rt.Fatal(err)
		}
		rec, err := av1.DecodeAV1CodecConfRec(config)
		if err != nil || rec.SeqProfile != profile || rec.SeqLevelIdx0 != level || rec.SeqTier0 != tier || !bytes.Equal(rec.ConfigOBUs, header) {
			rt.Fatalf("%+v, %v", rec, err)
		}
		again, err := av1Config(config, 8, 0)
		if err != nil || !bytes.Equal(again, config) {
			rt.Fatalf("a made configuration is not taken as it is: %v", err)
		}
	})
}

func FuzzAV1Config(f *testing.F) {
	f.Add([]byte{obuSequenceHeader<<3 | 2, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{obuSequenceHeader<<3 | 6, 0, 0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, header []byte) {
		if config, err := av1Config(header, 8, 0); err == nil && len(config) < 4 {
			t.Fatalf("%x became %x", header, config)
		}
	})
}
