package cmaf_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/cmaf"
)

func textInit(t *testing.T, language string) (cmaf.Init, *cmaf.Track) {
	t.Helper()
	init, err := cmaf.InitText(ladders.Text{Language: language}, 30000)
	if err != nil {
		t.Fatal(err)
	}
	track, err := cmaf.ParseInit(init.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return init, track
}

// ISO/IEC 14496-30 §7: handler text, nmhd, a wvtt sample entry with vttC.
func TestInitOfText(t *testing.T) {
	init, track := textInit(t, "sv")
	if init.Codecs != "wvtt" || !track.Text || track.Video || track.Timescale != 30000 || track.Language != "swe" || !slices.Contains(track.Brands, "cwvt") {
		t.Errorf("%+v, read back as %+v", init, track)
	}
	golden(t, "init-wvtt.txt", boxes(t, init.Bytes))
	if again, _ := textInit(t, "sv"); again.Name != init.Name {
		t.Error("the same rendition gave another init segment")
	}
}

// Samples of their own length tile a segment, and hold what was put in.
func TestSegmentOfText(t *testing.T) {
	_, track := textInit(t, "sv")
	want := [][]cmaf.Cue{nil, {{Text: "<i>på</i>", Settings: "line:0"}}, {{Source: 7, Text: "one"}, {Text: "två\nrader"}}, {{Source: 7, Text: "one"}}}
	f := cmaf.Fragment{Sequence: 3, Decode: 1 << 40}
	for i, cues := range want {
		data, err := cmaf.CueSample(cues)
		if err != nil {
			t.Fatal(err)
		}
		f.Samples = append(f.Samples, cmaf.Sample{Data: data, Duration: uint32(i+1) * 6006, Sync: true})
	}
	seg, err := cmaf.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "segment-wvtt.txt", boxes(t, seg.Bytes))
	p, err := cmaf.Parse(track, seg.Bytes)
	if err != nil || p.Decode() != 1<<40 || p.Duration() != 60060 || len(p.Samples()) != 4 {
		t.Fatalf("%v %+v", err, p)
	}
	at := p.Decode()
	for i, s := range p.Samples() {
		got, err := cmaf.ParseCues(s.Data)
		if err != nil || !slices.Equal(got, want[i]) || s.Decode != at || s.Presentation != at || !s.Sync {
			t.Errorf("sample %d: %v %+v at %d, want %+v", i, err, got, s.Decode, want[i])
		}
		at += s.Duration
	}
	f.Samples[1].Duration = 0
	if _, err := cmaf.Encode(f); !errors.Is(err, cmaf.ErrMedia) {
		t.Errorf("a sample without a length: %v", err)
	}
}

func TestSampleThatIsNoText(t *testing.T) {
	empty, err := cmaf.CueSample(nil)
	if err != nil {
		t.Fatal(err)
	}
	cue, err := cmaf.CueSample([]cmaf.Cue{{Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "cut": cue[:len(cue)-1], "both": slices.Concat(cue, empty), "another box": bytes.Replace(cue, []byte("vttc"), []byte("free"), 1),
		"no text": bytes.Replace(cue, []byte("payl"), []byte("iden"), 1),
	} {
		if got, err := cmaf.ParseCues(b); !errors.Is(err, cmaf.ErrMedia) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
