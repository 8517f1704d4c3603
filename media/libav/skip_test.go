package libav

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// resume makes a clip from segment n on, either way.
func resume(t *testing.T, spec media.Spec, n int64, fromStart bool) (*collector, Status, int64) {
	t.Helper()
	spec.Resume, spec.FirstSegment = true, n
	out := newCollector()
	p := open(t, Options{Spec: spec, Output: out})
	if s, ok := p.src.(*fileSource); ok && fromStart {
		s.skipUS = nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	decoded := p.Status().Decoded
	if s, ok := p.src.(*fileSource); ok {
		decoded = s.frames.Load()
	}
	return out, p.Status(), decoded
}

// wantBytes checks that two outputs are the same to the bit: the encoders began
// at the same place and were given the same pictures and samples.
func wantBytes(t *testing.T, want, got *collector) {
	t.Helper()
	for r, packets := range want.packets {
		if len(got.packets[r]) != len(packets) {
			t.Fatalf("%s: %d packets, want %d", r, len(got.packets[r]), len(packets))
		}
		for i, p := range packets {
			if g := got.packets[r][i]; g.Index != p.Index || g.Key != p.Key || !bytes.Equal(g.Data, p.Data) {
				t.Fatalf("%s: packet %d (frame %d) differs from the one that decoding from the start makes (frame %d)", r, i, g.Index, p.Index)
			}
		}
	}
}

// wantTail checks that got has the packets of whole from frame first on.
func wantTail(t *testing.T, whole, got *collector, r string, from int64) {
	t.Helper()
	var want []int64
	for _, n := range whole.indexes(r) {
		if n >= from {
			want = append(want, n)
		}
	}
	have := got.indexes(r)
	if len(have) != len(want) {
		t.Fatalf("%s: %d packets, the whole run has %d from frame %d on", r, len(have), len(want), from)
	}
	for i := range want {
		if have[i] != want[i] {
			t.Fatalf("%s: packet %d is frame %d, want %d", r, i, have[i], want[i])
		}
	}
}

// Real files, resumed: the same frames and sound as when all of it is decoded,
// to the bit; the same indexes as the run that was not interrupted. How many
// pictures were decoded says that the skipping is real, or why there is none.
func TestResumeSkipsPicturesAndChangesNothing(t *testing.T) {
	dir := mediaDir(t)
	for _, c := range []struct {
		file string
		some int64  // pictures that are decoded for the last segment
		note string // or why it is all of them
	}{
		{file: "bbb_240p24_sar43.mp4", some: 127},
		{file: "sintel_cea608_170p24.ts", some: 170},
		{file: "tos_360p24_pts_rollover.ts", some: 96},
		{file: "foreman_720p23976_hevc_opengop.mp4", some: 99},
		{file: "nasa_2video_2audio_2subs.mp4", some: 150},
		{file: "odd_518x488_watch.mp4", some: 111},
		{file: "pmt_lists_audio_but_none.ts", some: 59},
		{file: "concat_reschange_ptsjump.ts", some: 244},
		{file: "vp9_portrait_opus.webm", some: 120},
		{file: "svt_576i25_tff_mpeg2_mp2.ts", some: 101},
		{file: "train_missing_pts_2of3.ts", note: "pictures lack timestamps"},
		{file: "chaplin_360p25_longgop_mp3.mp4", note: "no other key frame before"},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			spec, last := secondsOf(t, filepath.Join(dir, c.file))
			want, _, _ := resume(t, spec, last, true)
			got, st, some := resume(t, spec, last, false)
			wantBytes(t, want, got)
			if c.note == "" && some != c.some {
				t.Errorf("%d pictures were decoded, want %d", some, c.some)
			}
			if all := strings.Join(st.Notes, "; "); !strings.Contains(all, c.note) || c.note == "" && strings.Contains(all, "resumed") {
				t.Errorf("the notes %q do not say %q", all, c.note)
			}
			whole, _ := play(t, Options{Spec: spec})
			wantTail(t, whole, got, "v", spec.Grid.FirstFrame(last))
		})
	}
}

// secondsOf is a job of one-second segments, and its last one.
func secondsOf(t *testing.T, name string) (media.Spec, int64) {
	t.Helper()
	facts, err := Probe(t.Context(), name, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	spec.Grid = newGrid(t, spec.Grid.Rate, time.Second, 1)
	for _, c := range clips() {
		if c.file == filepath.Base(name) {
			return spec, spec.Grid.Segment(c.frames - 1)
		}
	}
	t.Fatalf("nothing is expected of %s", name)
	return spec, 0
}

// pictureAt is a packet of a codec whose pictures all stand alone, in ms.
func pictureAt(pts int64, key bool) *astiav.Packet {
	p := astiav.AllocPacket()
	if err := p.FromData([]byte{1}); err != nil {
		panic(err)
	}
	p.SetPts(pts)
	p.SetDts(pts)
	if key {
		p.SetFlags(astiav.NewPacketFlags(astiav.PacketFlagKey))
	}
	return p
}

// What comes out of the skipping of pictures that stand at these times, in ms;
// negative ones are no key frames, until 100 nothing is wanted.
func TestSkip(t *testing.T) {
	for name, c := range map[string]struct {
		in, want []int64
		note     string
	}{
		"from the last key frame before":      {[]int64{0, -20, 40, -60, 80, -100, -120, 140}, []int64{80, 100, 120, 140}, ""},
		"up to the end":                       {[]int64{0, -20, 40, -60}, []int64{40, 60}, ""},
		"no key frame":                        {[]int64{-10, -20, -120}, []int64{10, 20, 120}, "open GOP"},
		"one key frame":                       {[]int64{0, -20, -120}, []int64{0, 20, 120}, "no other key frame"},
		"times go back, all from there":       {[]int64{0, -20, 40, -60, 50, -90, 95, 120}, []int64{40, 60, 50, 90, 95, 120}, ""},
		"a time twice, the group is decoded":  {[]int64{0, 40, -60, -60, 90, 120}, []int64{40, 60, 60, 90, 120}, ""},
		"a time is missing from the start on": {[]int64{0, noPTS, 40, 120}, []int64{0, noPTS, 40, 120}, "lack timestamps"},
	} {
		t.Run(name, func(t *testing.T) {
			track := &fileTrack{codec: astiav.CodecIDMjpeg, clock: &trackClock{base: timeline.Timebase{Num: 1, Den: 1000}}, queue: make(chan queued, 20)}
			note := ""
			track.skip = &skip{limit: 100_000, latest: -1 << 62, note: func(s string) { note = s }, count: func(int64) {}}
			for _, at := range c.in {
				p := pictureAt(max(at, -at), at >= 0)
				if at == noPTS {
					p = pictureAt(noPTS, false)
				}
				if err := track.put(t.Context(), queued{pkt: p}); err != nil {
					t.Fatal(err)
				}
			}
			if track.skip != nil {
				if err := track.skip.end(t.Context(), track, ""); err != nil {
					t.Fatal(err)
				}
			}
			close(track.queue)
			var got []int64
			for q := range track.queue {
				got = append(got, q.pkt.Pts())
				q.free()
			}
			if !slices.Equal(got, c.want) || !strings.Contains(note, c.note) || c.note == "" && note != "" {
				t.Errorf("%v is decoded, want %v; said %q, want %q", got, c.want, note, c.note)
			}
		})
	}
}

func TestStandsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		id     astiav.CodecID
		prefix int
		data   string
		want   bool
	}{
		"h264 IDR after parameter sets":    {astiav.CodecIDH264, 0, "\x00\x00\x00\x01\x67\x42\x00\x00\x01\x68\xce\x00\x00\x01\x65\x88", true},
		"h264 recovery point":              {astiav.CodecIDH264, 0, "\x00\x00\x01\x06\x06\x00\x00\x01\x41\x9a", false},
		"h264 IDR, lengths":                {astiav.CodecIDH264, 4, "\x00\x00\x00\x02\x09\x10\x00\x00\x00\x02\x65\x88", true},
		"h264 lengths that run out":        {astiav.CodecIDH264, 4, "\x00\x00\x01\x65\x88", false},
		"h264 lengths of two bytes, not I": {astiav.CodecIDH264, 2, "\x00\x02\x41\x9a", false},
		"hevc CRA":                         {astiav.CodecIDHevc, 0, "\x00\x00\x01\x40\x01\x00\x00\x01\x2a\x01", true},
		"hevc trailing picture":            {astiav.CodecIDHevc, 0, "\x00\x00\x01\x02\x01", false},
		"mpeg2 I":                          {astiav.CodecIDMpeg2Video, 0, "\x00\x00\x01\xb3\x2d\x00\x00\x01\x00\x00\x0f", true},
		"mpeg2 P":                          {astiav.CodecIDMpeg2Video, 0, "\x00\x00\x01\x00\x00\x17", false},
		"vp8 key":                          {astiav.CodecIDVp8, 0, "\x10", true},
		"vp8 inter":                        {astiav.CodecIDVp8, 0, "\x11", false},
		"vp9 key":                          {astiav.CodecIDVp9, 0, "\x82", true},
		"vp9 inter":                        {astiav.CodecIDVp9, 0, "\x86", false},
		"vp9 profile 3 key":                {astiav.CodecIDVp9, 0, "\xb1", true},
		"vp9 shows an existing picture":    {astiav.CodecIDVp9, 0, "\x88", false},
		"prores":                           {astiav.CodecIDProres, 0, "\x00", true},
		"mpeg4 part 2 is not known":        {astiav.CodecIDMpeg4, 0, "\x00\x00\x01\xb6\x10", false},
		"nothing":                          {astiav.CodecIDProres, 0, "", false},
	} {
		if got := standsAlone(c.id, []byte(c.data), c.prefix); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
