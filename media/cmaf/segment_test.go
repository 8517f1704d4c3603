package cmaf_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/media/cmaf"
)

// gop is the first n frames of the H.264 clip as a fragment at decode time.
func gop(t testing.TB, n int, decode int64) cmaf.Fragment {
	tr := clip(t, "h264_aac", 0)
	f := cmaf.Fragment{Sequence: 7, Decode: decode, Duration: 1}
	for i, p := range tr.Packets[:n] {
		data, err := cmaf.Strip("avc1", p.Data)
		if err != nil {
			t.Fatal(err)
		}
		f.Samples = append(f.Samples, cmaf.Sample{Data: data, Offset: int32(p.Index) - int32(i), Sync: i == 0})
	}
	return f
}

func encode(t testing.TB, f ...cmaf.Fragment) cmaf.Segment {
	t.Helper()
	s, err := cmaf.Encode(f...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func videoTrack(t testing.TB) *cmaf.Track {
	t.Helper()
	track, err := cmaf.ParseInit(initOf(t, clip(t, "h264_aac", 0)).Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return track
}

func TestSegmentGolden(t *testing.T) {
	f := gop(t, 5, 1<<33)
	f.Reference = time.Unix(1_800_000_000, 500_000_000)
	f.Events = []cmaf.Event{{Scheme: "urn:scte:scte35:2013:bin", Value: "1", Timescale: 25, Time: 1 << 33, Duration: 25, ID: 3, Data: []byte{0xfc}}}
	golden(t, "segment-video.txt", boxes(t, encode(t, f).Bytes))
	tr := clip(t, "h264_aac", 1)
	a := cmaf.Fragment{Sequence: 1, Duration: 1024}
	for _, p := range tr.Packets[:3] {
		a.Samples = append(a.Samples, cmaf.Sample{Data: p.Data, Sync: true})
	}
	golden(t, "segment-audio.txt", boxes(t, encode(t, a).Bytes))
}

// TestClauses has a subtest for each clause that our fragments promise to keep.
func TestClauses(t *testing.T) {
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(encode(t, gop(t, 25, 1<<40), gop(t, 25, 1<<40+25)).Bytes))
	if err != nil {
		t.Fatal(err)
	}
	frags := f.Segments[0].Fragments
	init, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(initOf(t, clip(t, "h264_aac", 0)).Bytes))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		clause string
		ok     bool
	}{
		{"ISO/IEC 23000-19 §7.3: a segment is one or more fragments, styp names cmfs", f.Segments[0].Styp.MajorBrand() == "msdh" && f.Segments[0].Styp.CompatibleBrands()[1] == "cmfs" && len(frags) == 2},
		{"ISO/IEC 23000-19 §7.5: one traf in a moof, one trun for it", len(frags[0].Moof.Trafs) == 1 && len(frags[0].Moof.Traf.Truns) == 1},
		{"ISO/IEC 23000-19 §7.5: default-base-is-moof is set, base-data-offset is not", frags[0].Moof.Traf.Tfhd.DefaultBaseIfMoof() && !frags[0].Moof.Traf.Tfhd.HasBaseDataOffset()},
		{"ISO/IEC 23000-19 §7.5: data offset and, for cmf2, version 1", frags[0].Moof.Traf.Trun.HasDataOffset() && frags[0].Moof.Traf.Trun.Version == 1},
		{"ISO/IEC 23000-19 §7.7: cmf2 states defaults in tfhd, not in trex", frags[0].Moof.Traf.Tfhd.HasDefaultSampleDuration() && init.Init.Moov.Mvex.Trex.DefaultSampleDuration == 0},
		{"ISO/IEC 23000-19 §7.7: cmf2 has no edit list", init.Init.Moov.Trak.Edts == nil},
		{"ISO/IEC 23000-19 §7.3: a header is ftyp and moov, without samples", init.Init.Moov.Trak.Mdia.Minf.Stbl.Stsz.GetNrSamples() == 0},
		{"ISO/IEC 14496-12 §8.8.12: tfdt of 64 bits, continuous", frags[0].Moof.Traf.Tfdt.Version == 1 && frags[1].Moof.Traf.Tfdt.BaseMediaDecodeTime() == 1<<40+25},
		{"ISO/IEC 14496-12 §8.8.3.1: IDR sync, all else non-sync and depending", frags[0].Moof.Traf.Trun.Samples[0].Flags == 0x02000000 && frags[0].Moof.Traf.Trun.Samples[1].Flags == 0x01010000},
		{"DESIGN §3: the IDR's composition offset is 0", frags[0].Moof.Traf.Trun.Samples[0].CompositionTimeOffset == 0},
	} {
		if !c.ok {
			t.Error(c.clause)
		}
	}
}

// What is written is what is read, wherever the fragment lies.
func TestRoundTrip(t *testing.T) {
	track := videoTrack(t)
	rapid.Check(t, func(t *rapid.T) {
		var fragments []cmaf.Fragment
		decode, ticks := rapid.Int64Range(0, 1<<50).Draw(t, "decode"), rapid.Uint32Range(1, 100_000).Draw(t, "ticks")
		for range rapid.IntRange(1, 4).Draw(t, "fragments") {
			f := cmaf.Fragment{Sequence: rapid.Uint32().Draw(t, "sequence"), Decode: decode, Duration: ticks}
			for i := range rapid.IntRange(1, 20).Draw(t, "samples") {
				head := byte(0x41)
				if i == 0 {
					head = 0x65
				}
				unit := append([]byte{head}, rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "unit")...)
				f.Samples = append(f.Samples, cmaf.Sample{Data: nals(unit), Offset: rapid.Int32Range(-1<<20, 1<<20).Draw(t, "offset"), Sync: i == 0})
			}
			decode += int64(len(f.Samples)) * int64(ticks)
			if rapid.Bool().Draw(t, "prft") {
				f.Reference = time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "wall"), 0)
			}
			fragments = append(fragments, f)
		}
		seg, err := cmaf.Encode(fragments...)
		if err != nil {
			t.Fatal(err)
		}
		p, err := cmaf.Parse(track, seg.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fragments, rebuild(p)); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
		if diff := cmp.Diff(seg.IFrames, p.IFrames()); diff != "" {
			t.Fatalf("I-frames (-written +read)\n%s", diff)
		}
		if p.Decode() != fragments[0].Decode || p.Decode()+p.Duration() != decode {
			t.Fatalf("segment at %d + %d", p.Decode(), p.Duration())
		}
	})
}

func rebuild(p *cmaf.Parsed) []cmaf.Fragment {
	var out []cmaf.Fragment
	for _, pf := range p.Fragments {
		f := cmaf.Fragment{Sequence: pf.Sequence, Decode: pf.Decode, Duration: uint32(pf.Samples[0].Duration)}
		if !pf.Reference.IsZero() {
			f.Reference = time.Unix(pf.Reference.Unix(), 0)
		}
		for _, s := range pf.Samples {
			f.Samples = append(f.Samples, cmaf.Sample{Data: s.Data, Offset: int32(s.Presentation - s.Decode), Sync: s.Sync})
		}
		out = append(out, f)
	}
	return out
}

// RFC 8216bis §4.4.3.6: the range holds a moof and a whole IDR, nothing less.
func TestIFrameRange(t *testing.T) {
	f := gop(t, 25, 0)
	f.Reference = time.Unix(1, 0)
	seg := encode(t, f, gop(t, 25, 25))
	for i, r := range seg.IFrames {
		part := seg.Bytes[r.Offset : r.Offset+r.Size]
		if string(part[4:8]) != "moof" || !bytes.HasSuffix(part, f.Samples[0].Data) {
			t.Errorf("I-frame %d does not run from moof through the IDR", i)
		}
	}
	if len(seg.IFrames) != 2 {
		t.Errorf("%d I-frames, want one a GOP", len(seg.IFrames))
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, f := range []cmaf.Fragment{{}, {Duration: 1}, {Duration: 1, Decode: -1, Samples: []cmaf.Sample{{Data: []byte{1}}}}} {
		if _, err := cmaf.Encode(f); !errors.Is(err, cmaf.ErrMedia) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	track := videoTrack(t)
	seg := encode(t, gop(t, 3, 0)).Bytes
	for name, b := range map[string][]byte{"nothing": nil, "cut": seg[:len(seg)-9], "junk": []byte("not a segment"), "init": initOf(t, clip(t, "h264_aac", 0)).Bytes} {
		if _, err := cmaf.Parse(track, b); !errors.Is(err, cmaf.ErrMedia) {
			t.Errorf("%s: %v, want ErrMedia", name, err)
		}
		if name == "init" {
			continue
		}
		if _, err := cmaf.ParseInit(b); !errors.Is(err, cmaf.ErrMedia) {
			t.Errorf("init from %s: %v, want ErrMedia", name, err)
		}
	}
	other := *track
	other.ID = 2
	if _, err := cmaf.Parse(&other, seg); !errors.Is(err, cmaf.ErrMedia) {
		t.Errorf("another track's segment: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	init := initOf(f, clip(f, "h264_aac", 0)).Bytes
	f.Add(init, encode(f, gop(f, 4, 0)).Bytes)
	f.Add(initOf(f, clip(f, "opus", 0)).Bytes, []byte{})
	f.Fuzz(func(t *testing.T, init, segment []byte) {
		track, err := cmaf.ParseInit(init)
		if err != nil {
			track = videoTrack(t)
		}
		if p, err := cmaf.Parse(track, segment); err == nil {
			p.IFrames()
			p.Duration()
		}
	})
}
