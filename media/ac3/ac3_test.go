package ac3

import (
	"encoding/hex"
	"errors"
	"testing"
)

// frame is a header followed by as many zeros as it promises.
func frame(t testing.TB, header string, size int) []byte {
	t.Helper()
	b, err := hex.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, size-len(b))...)
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		name, header   string
		size, rate, ch int
		box            string
	}{
		// 5.1 at 384 kb/s: frmsizecod 28 (0x1c), bsid 8, acmod 7, lfeon after two mix levels.
		{"AC-3 5.1", "0b77" + "0000" + "1c" + "40" + "e1" + "00", 1536, 48000, 6, "103dc0"},
		{"AC-3 stereo", "0b77" + "0000" + "14" + "40" + "40" + "00", 768, 48000, 2, "101140"},
		{"AC-3 at 44.1 kHz, the longer of two", "0b77" + "0000" + "55" + "40" + "40" + "00", 836, 44100, 2, "501140"},
		// frmsiz 767 words less one, six blocks, acmod 7, lfe, bsid 16.
		{"E-AC-3 5.1", "0b77" + "02ff" + "3f" + "80" + "00", 1536, 48000, 6, "0c00200f00"},
		{"E-AC-3 stereo", "0b77" + "017f" + "34" + "80" + "00", 768, 48000, 2, "0600200400"},
	} {
		u, err := Parse(frame(t, c.header, c.size))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if u.Size != c.size || u.SampleRate != c.rate || u.Channels() != c.ch || u.Blocks != 6 || u.Left {
			t.Errorf("%s: %+v with %d channels", c.name, u.Frame, u.Channels())
		}
		if got := hex.EncodeToString(u.Box()); got != c.box {
			t.Errorf("%s is announced by %s, want %s", c.name, got, c.box)
		}
	}
}

func TestDependentSubstreamsAreLeftOut(t *testing.T) {
	whole := append(frame(t, "0b77017f34800000", 768), frame(t, "0b77417f34800000", 768)...)
	u, err := Parse(whole)
	if err != nil || len(u.Data) != 768 || !u.Left {
		t.Errorf("%d bytes, %v, %v", len(u.Data), u.Left, err)
	}
	if _, err := Parse(whole[768:]); !errors.Is(err, ErrDamaged) {
		t.Errorf("a dependent substream alone: %v", err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"no sync word":      frame(t, "0b7600001c40e100", 1536),
		"cut off":           frame(t, "0b7700001c40e100", 1535),
		"reserved rate":     frame(t, "0b770000dc40e100", 1536),
		"reserved size":     frame(t, "0b7700003f40e100", 1536),
		"unknown version":   frame(t, "0b7700001cf0e100", 1536),
		"reduced rate":      frame(t, "0b77017ff4800000", 768),
		"an empty enhanced": frame(t, "0b77000034800000", 8),
	} {
		if u, err := Parse(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, u.Frame, err)
		}
	}
	if _, err := Parse(frame(t, "0b77017f24800000", 768)); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("three blocks: %v, want a reason of its own", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(frame(f, "0b7700001c40e100", 1536))
	f.Add(frame(f, "0b7702ff3f800000", 1536))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := Parse(b)
		if err == nil && (len(u.Data) == 0 || len(u.Data) > len(b) || u.SampleRate == 0 || u.Channels() < 1) {
			t.Fatalf("%+v", u)
		}
		if err == nil {
			_ = u.Box()
		}
	})
}
