package hls_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// clip is a playlist of n segments of 3 GOPs, 6.006 s each, the last one cut.
func clip(t testing.TB, n int64) *hls.Media {
	t.Helper()
	m := &hls.Media{Target: hls.TargetFor(6006, 1000), Epoch: 3, IFramesPerSegment: 3}
	for i := range n {
		s := segment(i, 6006)
		if i == n-1 {
			s.Duration, s.IFrames = 2_002_000, s.IFrames[:1]
		}
		add(t, m, s)
	}
	return m
}

func segment(n, ms int64) hls.Segment {
	s := hls.Segment{Number: n, URI: hls.SegmentName(n), Duration: hls.Between(n*ms, (n+1)*ms, 1000), Size: 4_000_000 + n, Map: "init-1.mp4"}
	for i := range int64(3) {
		s.IFrames = append(s.IFrames, hls.IFrame{Offset: 100 * i, Size: 50, Duration: hls.Between(i*ms/3, (i+1)*ms/3, 1000)})
	}
	return s
}

// live is the window of a live playlist from segment first on.
func live(t testing.TB, first, n int64, window int) *hls.Media {
	t.Helper()
	m := &hls.Media{Target: 2, Live: true, Window: window, Epoch: 1, IFramesPerSegment: 1}
	for i := first; i < first+n; i++ {
		add(t, m, liveSegment(i))
	}
	return m
}

func liveSegment(n int64) hls.Segment {
	return hls.Segment{Number: n, URI: hls.SegmentName(n), Duration: 2_002_000, Map: "init-1.mp4", Size: 1_000_000,
		Time:    time.Unix(0, 0).Add(time.Duration(n) * 2002 * time.Millisecond).UTC(),
		IFrames: []hls.IFrame{{Offset: 24, Size: 999, Duration: 2_002_000}}}
}

func add(t testing.TB, m *hls.Media, s hls.Segment) []hls.Segment {
	t.Helper()
	out, err := m.Append(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGolden(t *testing.T) {
	growing, ended := clip(t, 3), clip(t, 3)
	ended.Ended = true
	window := live(t, 900_000_000, 8, 6)
	gap := liveSegment(900_000_008)
	gap.Gap, gap.Size, gap.IFrames = true, 0, nil
	add(t, window, gap)
	next := liveSegment(900_000_009)
	next.Discontinuity, next.Map = true, "init-2.mp4"
	add(t, window, next)
	golden(t, "event.m3u8", growing.Encode())
	golden(t, "vod.m3u8", ended.Encode())
	golden(t, "vod-iframes.m3u8", ended.EncodeIFrames())
	golden(t, "live.m3u8", window.Encode())
	golden(t, "live-iframes.m3u8", window.EncodeIFrames())
	golden(t, "master.m3u8", master().Encode())
	golden(t, "master-captions.m3u8", captioned(master()).Encode())
	golden(t, "master-subtitles.m3u8", subtitled(master()).Encode())
}

func master() hls.Master {
	ntsc := timeline.Rate{Num: 30000, Den: 1001}
	return hls.Master{
		Audio: []hls.Audio{
			{Group: "stereo", Name: "English", Language: "en", URI: "stereo-en/media.m3u8", Default: true, Channels: 2},
			{Group: "stereo", Name: "Deutsch", Language: "de", URI: "stereo-de/media.m3u8", Channels: 2},
		},
		Variants: []hls.Variant{
			{URI: "540p/media.m3u8", Codecs: []string{"avc1.64001F", "mp4a.40.2"}, Rates: hls.Rates{Peak: 2_300_000, Average: 2_100_000},
				Width: 960, Height: 540, FrameRate: ntsc, VideoRange: "SDR", AudioGroup: "stereo",
				IFrameURI: "540p/iframes.m3u8", IFrameRates: hls.Rates{Peak: 300_000, Average: 200_000}},
			{URI: "stereo-en/media.m3u8", Codecs: []string{"mp4a.40.2"}, Rates: hls.Rates{Peak: 140_000, Average: 130_000}, AudioGroup: "stereo"},
		},
	}
}

func captioned(m hls.Master) hls.Master {
	m.Captions = []hls.Captions{{Group: "cc", Name: "CC1", Channel: "CC1"}, {Group: "cc", Name: "SERVICE1", Channel: "SERVICE1"}}
	for i := range m.Variants {
		m.Variants[i].CaptionGroup = "cc"
	}
	return m
}

func subtitled(m hls.Master) hls.Master {
	m.Subtitles = []hls.Subtitles{
		{Group: "text", Name: "English", Language: "en", URI: "text-en/media.m3u8", Impaired: true},
		{Group: "text", Name: "Deutsch", Language: "de", URI: "text-de/media.m3u8", Forced: true},
	}
	for i := range m.Variants {
		m.Variants[i].SubtitleGroup = "text"
	}
	return m
}
