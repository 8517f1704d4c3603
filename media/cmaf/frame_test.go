package cmaf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/media/cmaf"
)

func nals(all ...[]byte) []byte {
	var out []byte
	for _, n := range all {
		out = binary.BigEndian.AppendUint32(out, uint32(len(n)))
		out = append(out, n...)
	}
	return out
}

// ISO/IEC 14496-15 §5.3.3, §8.3.3: parameter sets of avc1 and hvc1 are in the sample entry only.
func TestStripParameterSets(t *testing.T) {
	sps, pps, sei, idr := []byte{0x67, 1}, []byte{0x68, 2}, []byte{6, 5, 1}, []byte{0x65, 9, 9}
	got, err := cmaf.Strip("avc1", nals(sps, pps, sei, idr))
	if err != nil || !bytes.Equal(got, nals(sei, idr)) {
		t.Errorf("avc1: %x, %v", got, err)
	}
	vps, hsps, hpps, hidr := []byte{32 << 1, 1, 0}, []byte{33 << 1, 1, 0}, []byte{34 << 1, 1, 0}, []byte{19 << 1, 1, 7}
	got, err = cmaf.Strip("hvc1", nals(vps, hsps, hpps, hidr))
	if err != nil || !bytes.Equal(got, nals(hidr)) {
		t.Errorf("hvc1: %x, %v", got, err)
	}
	plain := nals(idr)
	if got, _ := cmaf.Strip("avc1", plain); &got[0] != &plain[0] {
		t.Error("a frame with nothing to drop was copied")
	}
}

// AV1-ISOBMFF §2.4: temporal delimiters should not be in samples.
func TestStripTemporalDelimiter(t *testing.T) {
	td, frame := []byte{0x12, 0x00}, []byte{0x32, 0x02, 0x10, 0xaa}
	got, err := cmaf.Strip("av01", append(bytes.Clone(td), frame...))
	if err != nil || !bytes.Equal(got, frame) {
		t.Errorf("%x, %v", got, err)
	}
	if !cmaf.IDR("av01", got) || cmaf.IDR("av01", []byte{0x32, 0x02, 0x30, 0}) {
		t.Error("key frame told wrongly")
	}
}

func TestMalformedFrames(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		data   []byte
	}{
		"empty": {"avc1", nil}, "start code": {"avc1", []byte{0, 0, 0, 1, 0x65, 1, 2}}, "cut": {"hvc1", []byte{0, 0, 0, 9, 1}},
		"stray": {"avc1", append(nals([]byte{0x65}), 1)}, "parameter sets only": {"avc1", nals([]byte{0x67, 1})},
		"zero length": {"avc1", []byte{0, 0, 0, 0, 1}}, "empty audio": {"mp4a", nil}, "empty av1": {"av01", nil},
		"forbidden bit": {"av01", []byte{0x80}}, "av1 size": {"av01", []byte{0x32, 0x7f, 1}}, "av1 header": {"av01", []byte{0x34}},
		"only a delimiter": {"av01", []byte{0x12, 0}},
	} {
		if _, err := cmaf.Strip(c.format, c.data); !errors.Is(err, cmaf.ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", name, err)
		}
	}
}

func TestIDRAndTypes(t *testing.T) {
	idr, p, irap := nals([]byte{6, 1}, []byte{0x65, 1}), nals([]byte{0x41, 1}), nals([]byte{21 << 1, 1, 1})
	if !cmaf.IDR("avc1", idr) || cmaf.IDR("avc1", p) || cmaf.IDR("hvc1", irap) || !cmaf.IDR("mp4a", []byte{1}) {
		t.Error("IDR told wrongly; a CRA picture is none")
	}
	if diff := cmp.Diff([]int{6, 5}, cmaf.NALTypes("avc1", idr)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{21}, cmaf.NALTypes("hvc1", irap)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 6}, cmaf.NALTypes("av01", []byte{0x12, 0, 0x32, 1, 0})); diff != "" {
		t.Error(diff)
	}
}

// Start codes of either length and trailing zeros come out as lengths.
func TestFromAnnexB(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(1, 255), 1, 40), 1, 6).Draw(t, "units")
		var stream []byte
		for _, u := range units {
			stream = append(stream, make([]byte, rapid.IntRange(0, 3).Draw(t, "zeros"))...)
			stream = append(append(stream, 0, 0, 1), u...)
		}
		if got := cmaf.FromAnnexB(stream); !bytes.Equal(got, nals(units...)) {
			t.Fatalf("%x became %x", stream, got)
		}
	})
}

func FuzzStrip(f *testing.F) {
	f.Add("avc1", nals([]byte{0x67, 1}, []byte{0x65, 1}))
	f.Add("hvc1", nals([]byte{0x40, 1, 1}))
	f.Add("av01", []byte{0x12, 0, 0x32, 2, 0x10, 0})
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		out, err := cmaf.Strip(format, data)
		if err == nil {
			again, err := cmaf.Strip(format, out)
			if err != nil || !bytes.Equal(again, out) {
				t.Errorf("not idempotent: %x, %v", again, err)
			}
		}
		cmaf.IDR(format, data)
		cmaf.NALTypes(format, data)
		cmaf.FromAnnexB(data)
	})
}
