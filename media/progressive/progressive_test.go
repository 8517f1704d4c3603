package progressive

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
)

// source is two tracks: pictures with reordering that begin 10 ticks late, and
// sound.
func source(t *testing.T) (inits [2][]byte, segment func(n int64) [][]byte) {
	t.Helper()
	tracks, err := cmaftest.Clip("h264_aac")
	if err != nil {
		t.Fatal(err)
	}
	video, err := cmaf.InitVideo(ladders.Video{Codec: "h264", Width: 96, Height: 64}, tracks[0].Config, 100)
	if err != nil {
		t.Fatal(err)
	}
	audio, err := cmaf.InitAudio(ladders.Audio{Codec: "aac", Channels: 2, SampleRate: 48000, Language: "en"}, tracks[1].Config)
	if err != nil {
		t.Fatal(err)
	}
	return [2][]byte{video.Bytes, audio.Bytes}, func(n int64) [][]byte {
		v := cmaf.Fragment{Sequence: 1, Decode: 10 + 200*n, Duration: 4}
		for i, shift := range order() {
			v.Samples = append(v.Samples, cmaf.Sample{Data: []byte{0, 0, 0, 2, 0x65, byte(i)}, Offset: shift * 4, Sync: i == 0})
		}
		a := cmaf.Fragment{Sequence: 1, Decode: 1024 * 94 * n, Duration: 1024}
		for i := range 94 {
			a.Samples = append(a.Samples, cmaf.Sample{Data: []byte{byte(i), 1, 2}, Sync: true})
		}
		var out [][]byte
		for _, f := range []cmaf.Fragment{v, a} {
			s, err := cmaf.Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s.Bytes)
		}
		return out
	}
}

// order is an IDR, then P B B again and again, as offsets in frames.
func order() []int32 {
	out := []int32{0}
	for range 16 {
		out = append(out, 2, -1, -1)
	}
	return append(out, 0)
}

func made(t *testing.T, segments int64) []byte {
	t.Helper()
	inits, segment := source(t)
	var spool bytes.Buffer
	f := New(&spool)
	for _, init := range inits {
		if err := f.AddTrack(init); err != nil {
			t.Fatal(err)
		}
	}
	for n := range segments {
		if err := f.Add(segment(n)); err != nil {
			t.Fatal(err)
		}
	}
	head, err := f.Head()
	if err != nil {
		t.Fatal(err)
	}
	return append(head, spool.Bytes()...)
}

func TestIndex(t *testing.T) {
	got, err := Read(bytes.NewReader(made(t, 3)))
	if err != nil {
		t.Fatal(err)
	}
	last := []int64{got[0].LastChunk, got[1].LastChunk}
	got[0].LastChunk, got[1].LastChunk = 0, 0
	want := []Track{{Video: true, Timescale: 100, Samples: 150, Start: 10, Shown: 600, Lasts: 600}, {Timescale: 48000, Samples: 282, Shown: 282 * 1024, Lasts: 282 * 1024}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if size := int64(len(made(t, 3))); min(last[0], last[1]) < size-3000 || max(last[0], last[1]) >= size {
		t.Errorf("last chunks at %v of %d bytes", last, size)
	}
}

// Every sample is where the index has it, with its bytes and its times, and both
// tracks stand within half a second of each other.
func TestSamplesAreThoseOfTheSegments(t *testing.T) {
	file := made(t, 2)
	parsed, err := mp4.DecodeFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for i, trak := range parsed.Moov.Traks {
		stbl := trak.Mdia.Minf.Stbl
		if n := stbl.Stco.ChunkOffset; len(n) != 8 {
			t.Errorf("track %d has %d chunks in 4 s", i, len(n))
		}
		for nr := uint32(1); nr <= stbl.Stsz.SampleNumber; nr++ {
			ranges, err := trak.GetRangesForSampleInterval(nr, nr)
			if err != nil || len(ranges) != 1 {
				t.Fatal(err, ranges)
			}
			data := file[ranges[0].Offset:][:ranges[0].Size]
			want := []byte{0, 0, 0, 2, 0x65, byte((nr - 1) % 50)}
			if i == 1 {
				want = []byte{byte((nr - 1) % 94), 1, 2}
			}
			if !bytes.Equal(data, want) {
				t.Fatalf("track %d sample %d is %x, want %x", i, nr, data, want)
			}
		}
	}
	video := parsed.Moov.Traks[0]
	if e := video.Edts.Elst[0].Entries; len(e) != 2 || e[0].MediaTime != -1 || e[1].MediaTime != 4 {
		t.Errorf("edits %+v: want a late begin, and the first frame at once", e)
	}
	if s := video.Mdia.Minf.Stbl.Stss.SampleNumber; !cmp.Equal(s, []uint32{1, 51}) {
		t.Errorf("random access at %v", s)
	}
	if again := made(t, 2); !bytes.Equal(again, file) {
		t.Error("not the same file again")
	}
}

func TestHoleIsRefused(t *testing.T) {
	inits, segment := source(t)
	f := New(io.Discard)
	if err := f.AddTrack(inits[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Head(); !errors.Is(err, ErrHole) {
		t.Errorf("of nothing: %v", err)
	}
	if err := f.Add(segment(0)[:1]); err != nil {
		t.Fatal(err)
	}
	if err := f.Add(segment(2)[:1]); !errors.Is(err, ErrHole) {
		t.Errorf("a segment later: %v", err)
	}
	for _, bad := range [][]byte{nil, []byte("no"), inits[0]} {
		if tracks, err := Read(bytes.NewReader(bad)); err == nil && tracks[0].Samples > 0 {
			t.Errorf("%q was read", bad)
		}
	}
}
