package hls_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/hls"
)

// One test a clause of RFC 8216bis, and of Apple's HLS authoring specification
// where it asks for more.

func lines(b []byte) []string { return strings.Split(strings.TrimSpace(string(b)), "\n") }

func count(b []byte, prefix string) int {
	n := 0
	for _, l := range lines(b) {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

func want(t *testing.T, b []byte, prefix string, n int) {
	t.Helper()
	if got := count(b, prefix); got != n {
		t.Errorf("%d lines %q, want %d, in\n%s", got, prefix, n, b)
	}
}

func TestRFC8216bis_4_1_UTF8LinesNoBOM(t *testing.T) {
	b := clip(t, 2).Encode()
	if !strings.HasPrefix(string(b), "#EXTM3U\n") || strings.Contains(string(b), "\r") || b[len(b)-1] != '\n' {
		t.Errorf("%q", b)
	}
}

func TestRFC8216bis_4_4_1_2_VersionForMap(t *testing.T) {
	want(t, clip(t, 2).Encode(), "#EXT-X-VERSION:6", 1) // EXT-X-MAP without EXT-X-I-FRAMES-ONLY
	want(t, clip(t, 2).EncodeIFrames(), "#EXT-X-VERSION:6", 1)
}

func TestRFC8216bis_4_4_2_1_IndependentSegments(t *testing.T) {
	want(t, clip(t, 2).Encode(), "#EXT-X-INDEPENDENT-SEGMENTS", 1)
	want(t, master().Encode(), "#EXT-X-INDEPENDENT-SEGMENTS", 1)
}

func TestRFC8216bis_4_4_3_1_TargetDurationBoundsRoundedExtinf(t *testing.T) {
	for _, c := range []struct{ ticks, scale, want int64 }{
		{2002, 1000, 2}, {6006, 1000, 6}, {2, 1, 2}, {6, 1, 6}, {2499, 1000, 3}, {2440, 1000, 2}, {1, 10, 1}, {2500, 1000, 3}, {48048, 24000, 2},
	} {
		if got := hls.TargetFor(c.ticks, c.scale); int64(got) != c.want {
			t.Errorf("segments of %d/%d s: target %d, want %d", c.ticks, c.scale, got, c.want)
		}
	}
}

func TestRFC8216bis_4_4_3_2_MediaSequenceIsTheFirstSegmentsNumber(t *testing.T) {
	want(t, live(t, 900_000_000, 9, 6).Encode(), "#EXT-X-MEDIA-SEQUENCE:900000003", 1)
}

func TestRFC8216bis_4_4_3_3_DiscontinuitySequenceCountsWhatSlidOut(t *testing.T) {
	m := live(t, 10, 6, 6)
	s := liveSegment(16)
	s.Discontinuity, s.Map = true, "init-2.mp4"
	add(t, m, s)
	want(t, m.Encode(), "#EXT-X-DISCONTINUITY-SEQUENCE", 0)
	for n := int64(17); n < 23; n++ {
		s := liveSegment(n)
		s.Map = "init-2.mp4"
		add(t, m, s)
	}
	want(t, m.Encode(), "#EXT-X-DISCONTINUITY-SEQUENCE:1", 1)
	want(t, m.Encode(), "#EXT-X-DISCONTINUITY\n", 0)
}

func TestRFC8216bis_4_4_3_4_EndlistOnlyAtTheEnd(t *testing.T) {
	m := clip(t, 2)
	want(t, m.Encode(), "#EXT-X-ENDLIST", 0)
	m.Ended = true
	want(t, m.Encode(), "#EXT-X-ENDLIST", 1)
	if _, err := m.Append(segment(2, 6006)); !errors.Is(err, hls.ErrOrder) {
		t.Errorf("append after the end: %v", err)
	}
}

func TestRFC8216bis_4_4_3_5_PlaylistType(t *testing.T) {
	m := clip(t, 2)
	want(t, m.Encode(), "#EXT-X-PLAYLIST-TYPE:EVENT", 1)
	m.Ended = true
	want(t, m.Encode(), "#EXT-X-PLAYLIST-TYPE:VOD", 1)
	want(t, live(t, 0, 3, 6).Encode(), "#EXT-X-PLAYLIST-TYPE", 0) // a window that slides has none
}

func TestRFC8216bis_4_4_3_6_IFramesOnly(t *testing.T) {
	b := clip(t, 2).EncodeIFrames()
	want(t, b, "#EXT-X-I-FRAMES-ONLY", 1)
	want(t, b, "#EXT-X-MAP:", 1)
	want(t, b, "#EXT-X-BYTERANGE:50@", 4) // 3 of the first segment, 1 of the cut one
	want(t, b, "#EXTINF:2.002,", 4)       // time to the next I-frame
}

func TestRFC8216bis_4_4_4_1_ExtinfAddsUp(t *testing.T) {
	// Audio at 44.1 kHz has no decimal length; the sum must not drift (Apple 8.1).
	var sum hls.Micros
	var at int64
	for n := range int64(10_000) {
		frames := int64(258) + n%2 // about 6 s
		sum += hls.Between(at, at+frames*1024, 44100)
		at += frames * 1024
	}
	if exact := hls.Between(0, at, 44100); sum != exact {
		t.Errorf("Σ EXTINF is off by %d µs", sum-exact)
	}
}

func TestRFC8216bis_4_4_4_2_ByteRangeHasItsOffset(t *testing.T) {
	for _, l := range lines(clip(t, 2).EncodeIFrames()) {
		if strings.HasPrefix(l, "#EXT-X-BYTERANGE") && !regexp.MustCompile(`^#EXT-X-BYTERANGE:\d+@\d+$`).MatchString(l) {
			t.Error(l)
		}
	}
}

func TestRFC8216bis_4_4_4_3_DiscontinuityBeforeANewMap(t *testing.T) {
	m := live(t, 0, 2, 6)
	s := liveSegment(2)
	s.Discontinuity, s.Map = true, "init-2.mp4"
	add(t, m, s)
	b := string(m.Encode())
	if !strings.Contains(b, "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-2.mp4\"\n") {
		t.Error(b)
	}
	want(t, m.EncodeIFrames(), "#EXT-X-DISCONTINUITY", 1)
}

func TestRFC8216bis_4_4_4_5_MapOncePerInit(t *testing.T) {
	want(t, clip(t, 4).Encode(), `#EXT-X-MAP:URI="init-1.mp4"`, 1)
}

func TestRFC8216bis_4_4_4_6_ProgramDateTimeToTheMillisecond(t *testing.T) {
	b := live(t, 900_000_000, 6, 6).Encode()
	want(t, b, "#EXT-X-PROGRAM-DATE-TIME:", 6) // Apple 8.4: live playlists MUST
	for _, l := range lines(b) {
		if v, ok := strings.CutPrefix(l, "#EXT-X-PROGRAM-DATE-TIME:"); ok && !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$`).MatchString(v) {
			t.Error(v)
		}
	}
}

func TestRFC8216bis_4_4_4_7_GapKeepsTheNumber(t *testing.T) {
	m := live(t, 0, 2, 6)
	g := liveSegment(2)
	g.Gap, g.IFrames = true, nil
	add(t, m, g)
	add(t, m, liveSegment(3))
	want(t, m.Encode(), "#EXT-X-GAP", 1)
	want(t, m.EncodeIFrames(), "#EXT-X-GAP", 1)
	want(t, m.EncodeIFrames(), "#EXTINF:", 4)
}

func TestRFC8216bis_4_4_4_8_BitrateInKilobits(t *testing.T) {
	want(t, live(t, 0, 1, 6).Encode(), "#EXT-X-BITRATE:3996", 1) // 8 Mbit in 2.002 s
}

func TestRFC8216bis_4_4_6_1_AudioGroup(t *testing.T) {
	b := master().Encode()
	want(t, b, `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo"`, 2)
	if n := strings.Count(string(b), "DEFAULT=YES"); n != 1 {
		t.Errorf("%d defaults in one group", n)
	}
	if n := strings.Count(string(b), `CHANNELS="2"`); n != 2 {
		t.Errorf("CHANNELS on %d of 2", n)
	}
}

func TestRFC8216bis_4_4_6_2_StreamInf(t *testing.T) {
	line := ""
	for _, l := range lines(master().Encode()) {
		if strings.HasPrefix(l, "#EXT-X-STREAM-INF:") && strings.Contains(l, "RESOLUTION") {
			line = l
		}
	}
	// Apple 9.1, 9.2, 9.14, 9.15: CODECS, RESOLUTION, AVERAGE-BANDWIDTH, FRAME-RATE MUST.
	for _, attr := range []string{"BANDWIDTH=2300000,", "AVERAGE-BANDWIDTH=2100000", `CODECS="avc1.64001F,mp4a.40.2"`, "RESOLUTION=960x540",
		"FRAME-RATE=29.970", "VIDEO-RANGE=SDR", `AUDIO="stereo"`, "CLOSED-CAPTIONS=NONE"} {
		if !strings.Contains(line, attr) {
			t.Errorf("%s is missing in %s", attr, line)
		}
	}
}

func TestRFC8216bis_4_4_6_3_IFrameStreamInf(t *testing.T) {
	b := master().Encode()
	want(t, b, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,", 1) // Apple 6.1: I-frame playlists MUST
	for _, l := range lines(b) {
		if strings.HasPrefix(l, "#EXT-X-I-FRAME") && (strings.Contains(l, "FRAME-RATE=") || strings.Contains(l, "AUDIO=") || !strings.Contains(l, `URI="540p/iframes.m3u8"`)) {
			t.Error(l)
		}
	}
}

func TestRFC8216bis_6_2_1_AppendOnlyWhileItGrows(t *testing.T) {
	m := clip(t, 1)
	m.Segments[0] = segment(0, 6006)
	before := string(m.Encode())
	add(t, m, segment(1, 6006))
	if !strings.HasPrefix(string(m.Encode()), before) {
		t.Error("an EVENT playlist changed before its end")
	}
	if _, err := m.Append(segment(3, 6006)); !errors.Is(err, hls.ErrOrder) {
		t.Errorf("a hole was let in: %v", err)
	}
	if _, err := m.Append(segment(1, 6006)); !errors.Is(err, hls.ErrOrder) {
		t.Errorf("a number came twice: %v", err)
	}
}

func TestRFC8216bis_6_2_2_WindowSlidesInOrder(t *testing.T) {
	m := live(t, 0, 6, 6)
	out := add(t, m, liveSegment(6))
	if len(out) != 1 || out[0].Number != 0 || len(m.Segments) != 6 {
		t.Errorf("slid out %v, %d left", out, len(m.Segments))
	}
}
