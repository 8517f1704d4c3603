package lettering

import (
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

func TestLacks(t *testing.T) {
	for s, want := range map[string]rune{
		"": 0, "REPLAY 12:34:56:07": 0, "Übertragung – Žižkov Ελλάδα Повтор": 0, "番組": '番', "goal ⚽": '⚽',
	} {
		if got := Lacks(s); got != want {
			t.Errorf("%q lacks %q, want %q", s, got, want)
		}
	}
}

// A timecode stands still only while all digits are as wide.
func TestDigitsAreOfOneWidth(t *testing.T) {
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	var buf sfnt.Buffer
	width := func(r rune) fixed.Int26_6 {
		g, err := f.GlyphIndex(&buf, r)
		if err != nil {
			t.Fatal(err)
		}
		w, err := f.GlyphAdvance(&buf, g, fixed.I(1000), font.HintingNone)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, r := range "123456789" {
		if width(r) != width('0') {
			t.Errorf("%c is %v wide, 0 is %v", r, width(r), width('0'))
		}
	}
}
