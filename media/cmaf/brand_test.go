package cmaf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/cmaf"
)

// A segment with a brand more is else the same: every sample and I-frame is where it
// is said to be.
func TestBrands(t *testing.T) {
	track := videoTrack(t)
	s := encode(t, gop(t, 25, 1<<40), gop(t, 25, 1<<40+25))
	slate, err := s.Slate()
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.Last()
	if err != nil {
		t.Fatal(err)
	}
	both, err := slate.Last()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := cmaf.Parse(track, s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for want, branded := range map[string]cmaf.Segment{"slat": slate, "lmsg": last, "slat lmsg": both} {
		b, err := cmaf.Parse(track, branded.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Brands, append(slices.Clone(plain.Brands), strings.Fields(want)...)) {
			t.Errorf("brands %v, want %v and %s", b.Brands, plain.Brands, want)
		}
		if !slices.Equal(b.IFrames(), branded.IFrames) || len(branded.IFrames) == 0 {
			t.Errorf("%s: I-frames are at %v, said to be at %v", want, b.IFrames(), branded.IFrames)
		}
		for i, sample := range b.Samples() {
			if !slices.Equal(sample.Data, plain.Samples()[i].Data) {
				t.Errorf("%s: sample %d differs", want, i)
			}
		}
	}
	if _, err := (cmaf.Segment{Bytes: []byte("no box at all...")}).Last(); err == nil {
		t.Error("what is no segment has a brand")
	}
}
