package webvtt

import (
	"errors"
	"slices"
	"testing"
)

func TestFromASS(t *testing.T) {
	for in, want := range map[string][2]string{
		`0,0,Default,,0,0,0,,Hello, you`:                         {"Hello, you", ""},
		`1,0,Default,,0,0,0,,one\Ntwo\h{\fs20}three`:             {"one\ntwo&nbsp;three", ""},
		`1,0,Default,,0,0,0,,{\i1}a{\b1}b{\i0}c{\b0}`:            {"<i>a<b>b</b></i><b>c</b>", ""},
		`1,0,Default,,0,0,0,,{\an8}5 < 6 & 7 > 3 --> no`:         {"5 &lt; 6 &amp; 7 &gt; 3 --&gt; no", "line:0"},
		`1,0,Default,,0,0,0,,{\an1}` + "left\\N\\N \\Nbelow\xff": {"left\nbelow\ufffd", "position:0% align:left"},
		`1,0,Default,,0,0,0,,{\u1}open {brace`:                   {"<u>open {brace</u>", ""},
		`1,0,Default,,0,0,0,,{\i1}{\i0}`:                         {"<i></i>", ""},
	} {
		if text, settings := FromASS(in); text != want[0] || settings != want[1] {
			t.Errorf("%s: %q %q, want %q", in, text, settings, want)
		}
	}
}

func TestSegmentParses(t *testing.T) {
	cues := []Cue{{Start: 5_000_400, End: 3_600_000_000, Text: "late", Settings: "line:0"}, {Start: 0, End: 1_500_000, Text: "two\nlines"}}
	got, err := Parse(Segment(cues))
	want := []Cue{cues[1], {Start: 5_000_000, End: 3_600_000_000, Text: "late", Settings: "line:0"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %+v, want %+v", err, got, want)
	}
	if got, err := Parse(Segment(nil)); err != nil || len(got) != 0 {
		t.Errorf("an empty one: %v %v", got, err)
	}
	moved := "WEBVTT - x\r\nX-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:900000\r\n\r\nid\r\n00:01.500 --> 00:02.000\r\nhi\r\n"
	if got, err := Parse([]byte(moved)); err != nil || !slices.Equal(got, []Cue{{Start: 10_500_000, End: 11_000_000, Text: "hi"}}) {
		t.Errorf("mapped: %v %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
	for _, bad := range []string{
		"", "WEBVT", "WEBVTT\n\n", head + "text", head + "00:01.000 -> 00:02.000\nx", head + "00:02.000 --> 00:01.000\nx",
		head + "00:01.000 --> 00:02.000", head + "00:61.000 --> 00:62.000\nx", head + "\xff", "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:x\n\n",
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Segment([]Cue{{0, 1000, "a", ""}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Parse(b)
		if text, settings := FromASS(string(b)); text != "" {
			if _, err := Parse(Segment([]Cue{{0, 1000, text, settings}})); err != nil {
				t.Fatalf("%q became %q: %v", b, text, err)
			}
		}
	})
}
