package verify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
)

func compared(t *testing.T, r Report, name string) Compared {
	t.Helper()
	if r.Compared == nil {
		t.Fatal("nothing was compared")
	}
	for _, c := range r.Compared.Renditions {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no rendition %s in %+v", name, r.Compared)
	return Compared{}
}

func TestAgainstTellsBytesFromTheGrid(t *testing.T) {
	other := vod()
	other.captions = map[string][]captions.Triplet{"hi": cc1} // in the first frame
	r := judge(t, Options{Target: write(t, vod().files(t)), Against: write(t, other.files(t))})
	if c := compared(t, r, "hi"); c.Identical != 2 || c.Interchangeable != 1 || c.Verdict() != "interchangeable" {
		t.Errorf("hi: %+v, %s", c, c.Verdict())
	}
	if c := compared(t, r, "lo"); c.Identical != 3 || c.Verdict() != "identical" {
		t.Errorf("lo: %+v, %s", c, c.Verdict())
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "INTERCHANGEABLE") || strings.Contains(text.String(), "segments have another") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestAgainstSaysWhyNot(t *testing.T) {
	other := vod()
	other.config = func(_ string, c *media.CodecConfig) { c.Matrix = 1 }
	r := judge(t, Options{Target: write(t, vod().files(t)), Against: write(t, other.files(t))})
	c := compared(t, r, "hi")
	if diff := cmp.Diff(map[string]int{otherInit: 3}, c.Reasons); diff != "" || c.Different != 3 || c.Verdict() != "not interchangeable" {
		t.Errorf("%+v (-want +got): %s", c, diff)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "hi: 3 segments have another init segment") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// Two windows that began at different times are compared where they overlap; a
// gap in one of them is said, and is no fault of the grid.
func TestAgainstWindowsThatOverlap(t *testing.T) {
	later := onAir()
	later.first += 2
	later.text = func(p, s string) string {
		if p != "hi/media.m3u8" {
			return s
		}
		return strings.Replace(s, "\n900000004.m4s", "\n#EXT-X-GAP\n900000004.m4s", 1)
	}
	r := judge(t, Options{Target: write(t, onAir().files(t)), Against: write(t, later.files(t))})
	if c := compared(t, r, "hi"); c.Common() != 3 || c.Identical != 3 || c.OnlyFirst != 1 || c.OnlySecond != 0 {
		t.Errorf("hi: %+v", c)
	}
	if c := compared(t, r, "lo"); c.Common() != 4 || c.OnlyFirst+c.OnlySecond != 0 {
		t.Errorf("lo: %+v", c)
	}
	wantBroken(t, r, "against-whole")
	for _, id := range []string{"against-names", "against-grid"} {
		if res, _ := r.Result(id); res.Status != Pass {
			t.Errorf("%s is %s: %v", id, res.Status, res.Findings)
		}
	}
}
