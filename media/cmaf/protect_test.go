package cmaf_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
)

func protection(scheme string) cmaf.Protection {
	return cmaf.Protection{Scheme: scheme, KeyID: [16]byte{1, 2, 3}, Key: [16]byte{9, 8, 7}}
}

// tracks that are encrypted: a clip, which of its tracks, and its sample entry.
func tracks() map[string]struct {
	clip  string
	track int
} {
	return map[string]struct {
		clip  string
		track int
	}{"avc1": {"h264_aac", 0}, "hvc1": {"hevc", 0}, "mp4a": {"h264_aac", 1}, "Opus": {"opus", 0}, "ac-3": {"ac3", 0}, "ec-3": {"eac3", 0}}
}

// fragmentsOf are two fragments of the track's packets.
func fragmentsOf(t testing.TB, tr cmaftest.Track, format string) []cmaf.Fragment {
	t.Helper()
	half := len(tr.Packets) / 2
	out := []cmaf.Fragment{{Sequence: 1, Duration: 1}, {Sequence: 2, Decode: int64(half), Duration: 1}}
	for i, p := range tr.Packets {
		data, err := cmaf.Strip(format, p.Data)
		if err != nil {
			t.Fatal(err)
		}
		f := &out[min(i/half, 1)]
		f.Samples = append(f.Samples, cmaf.Sample{Data: data, Offset: int32(p.Index) - int32(i), Sync: p.Key})
	}
	return out
}

func protectedInit(t testing.TB, tr cmaftest.Track, scheme string) cmaf.Init {
	t.Helper()
	init, err := initOf(t, tr).Protect(protection(scheme))
	if err != nil {
		t.Fatal(err)
	}
	return init
}

// Decrypted by the library's own way in, each track is what it was.
func TestProtectedTracksComeBack(t *testing.T) {
	for format, from := range tracks() {
		for _, scheme := range []string{"cbcs", "cenc"} {
			t.Run(format+" "+scheme, func(t *testing.T) {
				tr := clip(t, from.clip, from.track)
				fragments := fragmentsOf(t, tr, format)
				init := protectedInit(t, tr, scheme)
				plain := encode(t, fragments...)
				seg, err := init.Cipher.Encode("r", 7, fragments...)
				if err != nil {
					t.Fatal(err)
				}
				track, err := cmaf.ParseInit(init.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if track.Format != format || track.Scheme != scheme || track.KeyID != protection(scheme).KeyID {
					t.Errorf("the init segment says %s, %s, key %x", track.Format, track.Scheme, track.KeyID)
				}
				if shared := sameSamples(t, track, seg.Bytes, plain.Bytes); shared > 0 {
					t.Errorf("%d samples are in the clear", shared)
				}
				open, err := track.Decrypt(seg.Bytes, protection(scheme).Key)
				if err != nil {
					t.Fatal(err)
				}
				if all, shared := sameSamples(t, track, plain.Bytes, plain.Bytes), sameSamples(t, track, open, plain.Bytes); shared != all || all == 0 {
					t.Errorf("%d of %d samples came back", shared, all)
				}
			})
		}
	}
}

// least: of a slice that is hardly longer than its header, nothing is encrypted.
const least = 140

// sameSamples counts the samples that two segments share, little ones left out.
func sameSamples(t *testing.T, track *cmaf.Track, a, b []byte) int {
	t.Helper()
	x, err := cmaf.Parse(track, a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := cmaf.Parse(track, b)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i, s := range x.Samples() {
		if (len(s.Data) > least || !track.Video && len(s.Data) > 16) && bytes.Equal(s.Data, y.Samples()[i].Data) {
			same++
		}
	}
	return same
}

// What a frame is stays readable: NAL unit types, IDRs, and the byte ranges of
// I-frame playlists lead from a moof through its IDR.
func TestProtectedIFrames(t *testing.T) {
	for _, scheme := range []string{"cbcs", "cenc"} {
		tr := clip(t, "h264_aac", 0)
		init := protectedInit(t, tr, scheme)
		seg, err := init.Cipher.Encode("r", 7, gop(t, 25, 0), gop(t, 25, 25))
		if err != nil {
			t.Fatal(err)
		}
		track, err := cmaf.ParseInit(init.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		p, err := cmaf.Parse(track, seg.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		real := p.IFrames()
		if len(seg.IFrames) != 2 || len(real) != 2 || seg.IFrames[0] != real[0] || seg.IFrames[1] != real[1] {
			t.Errorf("%s: ranges %v, in the segment they are %v", scheme, seg.IFrames, real)
		}
	}
}

// Two workers write the same bytes; another number, rendition or encoder has
// another counter.
func TestProtectedSegmentsAreTheSameFromTwoWorkers(t *testing.T) {
	tr := clip(t, "h264_aac", 0)
	write := func(label string, number int64, frames int) []byte {
		seg, err := protectedInit(t, tr, "cenc").Cipher.Encode(label, number, gop(t, frames, 0))
		if err != nil {
			t.Fatal(err)
		}
		return seg.Bytes
	}
	if !bytes.Equal(write("r", 7, 25), write("r", 7, 25)) {
		t.Error("two workers wrote two segments")
	}
	if a, b := protectedInit(t, tr, "cbcs"), protectedInit(t, tr, "cbcs"); a.Name != b.Name {
		t.Error("two workers wrote two init segments")
	}
	seen := map[string]string{}
	for what, body := range map[string][]byte{"r 7": write("r", 7, 25), "r 8": write("r", 8, 25), "s 7": write("s", 7, 25), "r 7 of other frames": write("r", 7, 24)} {
		iv := string(firstIV(t, body))
		if other, taken := seen[iv]; taken {
			t.Errorf("%s and %s start one counter", what, other)
		}
		seen[iv] = what
	}
}

func firstIV(t *testing.T, segment []byte) []byte {
	t.Helper()
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(segment))
	if err != nil {
		t.Fatal(err)
	}
	traf := f.Segments[0].Fragments[0].Moof.Traf
	if err := traf.ParseReadSenc(16, f.Segments[0].Fragments[0].Moof.StartPos); err != nil {
		t.Fatal(err)
	}
	return traf.Senc.IVs[0]
}

// No counter value is used twice within a segment either.
func TestCounterGoesOnThroughASegment(t *testing.T) {
	tr := clip(t, "h264_aac", 0)
	seg, err := protectedInit(t, tr, "cenc").Cipher.Encode("r", 7, gop(t, 25, 0), gop(t, 25, 25))
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(seg.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for _, frag := range f.Segments[0].Fragments {
		if err := frag.Moof.Traf.ParseReadSenc(16, frag.Moof.StartPos); err != nil {
			t.Fatal(err)
		}
		for i, iv := range frag.Moof.Traf.Senc.IVs {
			used := int64(0)
			for _, s := range frag.Moof.Traf.Senc.SubSamples[i] {
				used += int64(s.BytesOfProtectedData)
			}
			if got := int64(binary.BigEndian.Uint64(iv[8:])); got != next {
				t.Fatalf("counter %d where %d blocks were used", got, next)
			}
			next += (used + 15) / 16
		}
	}
}

func TestAV1IsRefused(t *testing.T) {
	tr := clip(t, "av1", 0)
	init, err := cmaf.InitVideo(ladders.Video{Codec: "av1", Width: tr.Width, Height: tr.Height}, tr.Config, 25)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := init.Protect(protection("cbcs")); err == nil {
		t.Error("AV1 was encrypted")
	}
}
