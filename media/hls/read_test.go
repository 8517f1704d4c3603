package hls_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/media/hls"
)

// A successor reads what the predecessor wrote, byte ranges included.
func TestReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &hls.Media{Target: 6, Live: rapid.Bool().Draw(t, "live"), Epoch: rapid.Uint64Range(1, 1<<40).Draw(t, "epoch"),
			DiscontinuitySequence: rapid.Int64Range(0, 9).Draw(t, "discontinuities"),
			IFramesPerSegment:     rapid.IntRange(1, 3).Draw(t, "I-frames")}
		first, name := rapid.Int64Range(0, 1<<40).Draw(t, "first"), "init-0.mp4"
		for n := first; n < first+rapid.Int64Range(0, 12).Draw(t, "segments"); n++ {
			s := hls.Segment{Number: n, URI: hls.SegmentName(n), Duration: hls.Micros(rapid.Int64Range(1, 6_400_000).Draw(t, "duration")), Map: name}
			if s.Gap = rapid.Bool().Draw(t, "gap"); !s.Gap {
				for i := range m.IFramesPerSegment {
					s.IFrames = append(s.IFrames, hls.IFrame{Offset: int64(i * 100), Size: 99, Duration: s.Duration})
				}
			}
			if s.Discontinuity = rapid.Bool().Draw(t, "discontinuity"); s.Discontinuity {
				name += "x"
				s.Map = name
			}
			if m.Live {
				s.Time = time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC()
			}
			if _, err := m.Append(s); err != nil {
				t.Fatal(err)
			}
		}
		m.Ended = rapid.Bool().Draw(t, "ended")
		got, err := hls.ParseMedia(m.Encode())
		if err != nil {
			t.Fatalf("%v in\n%s", err, m.Encode())
		}
		if err := got.AttachIFrames(m.EncodeIFrames()); err != nil {
			t.Fatal(err)
		}
		got.IFramesPerSegment = m.IFramesPerSegment
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read)\n%s\n%s", diff, m.Encode())
		}
	})
}

// The size survives to half a kbit/s, so that a successor measures the whole.
func TestSizesComeBack(t *testing.T) {
	m := clip(t, 5)
	got, err := hls.ParseMedia(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	a, b := m.Rates(), got.Rates()
	if d := a.Average - b.Average; d < -1000 || d > 1000 {
		t.Errorf("average %d became %d", a.Average, b.Average)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "html": "<html>", "master": string(master().Encode()),
		"numbers": "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:4\n#EXTINF:2,\n7.m4s\n",
		"names":   "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nintro.ts\n",
	} {
		if _, err := hls.ParseMedia([]byte(text)); !errors.Is(err, hls.ErrPlaylist) {
			t.Errorf("%s: %v, want ErrPlaylist", name, err)
		}
	}
}

func FuzzParseMedia(f *testing.F) {
	f.Add(clip(f, 3).Encode())
	f.Add(live(f, 900, 7, 6).Encode())
	f.Add(clip(f, 2).EncodeIFrames())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := hls.ParseMedia(b)
		if err != nil {
			return
		}
		_ = m.AttachIFrames(b)
		m.Rates()
		m.IFrameRates()
		m.Encode()
		m.EncodeIFrames()
	})
}

func TestRates(t *testing.T) {
	m := &hls.Media{Target: 2}
	for n, size := range []int64{250_000, 500_000, 250_000, 0, 250_000} {
		s := hls.Segment{Number: int64(n), URI: hls.SegmentName(int64(n)), Duration: 2e6, Size: size, Gap: size == 0}
		if n == 4 {
			s.Duration = 500_000 // too short a run to be a peak (RFC 8216bis §4.1)
		}
		add(t, m, s)
	}
	// 1.25 MB in 6.5 s; the gap counts for nothing.
	if got := m.Rates(); got != (hls.Rates{Peak: 2_000_000, Average: 1_538_462}) {
		t.Errorf("%+v", got)
	}
	short := &hls.Media{Target: 6}
	add(t, short, hls.Segment{URI: "0.m4s", Duration: 1e6, Size: 1000})
	if got := short.Rates(); got != (hls.Rates{Peak: 8000, Average: 8000}) {
		t.Errorf("a clip shorter than half a target: %+v", got)
	}
	if got := (&hls.Media{Target: 6}).Rates(); got != (hls.Rates{}) {
		t.Errorf("nothing: %+v", got)
	}
}
