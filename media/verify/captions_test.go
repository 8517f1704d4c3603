package verify

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/media/captions"
)

// Roll-up captions in channel 1, and the same in 3.
var (
	cc1 = []captions.Triplet{{0xfc, 0x94, 0x25}, {0xfc, 0x94, 0x25}}
	cc3 = []captions.Triplet{{0xfd, 0x15, 0x25}}
)

func captioned(codec string) *fixture {
	f := vod()
	f.videos[1].codec = codec
	f.captions = map[string][]captions.Triplet{"hi": cc1, "lo": cc1}
	f.declared = []string{"CC1"}
	return f
}

func TestGoodCaptions(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		wantOnly(t, judge(t, Options{Target: write(t, captioned(codec).files(t)), Decoder: paper{}}), short...)
	}
	f := onAir()
	f.declared = []string{"CC1"} // and silence while we look
	r := judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}})
	for _, id := range unwell(r) {
		if strings.HasPrefix(id, "captions") {
			t.Errorf("%s is broken", id)
		}
	}
}

func TestBrokenCaptions(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fixture)
		rule  string
	}{
		"lost in one rendition": {func(f *fixture) { delete(f.captions, "lo") }, "captions"},
		"declared and nowhere":  {func(f *fixture) { f.declared = append(f.declared, "SERVICE1") }, "captions"},
		"there and not declared": {func(f *fixture) {
			f.captions["hi"] = append(f.captions["hi"], cc3...)
			f.captions["lo"] = f.captions["hi"]
		}, "captions"},
		"not in DASH": {func(f *fixture) {
			f.text = func(p, s string) string { return strings.Replace(s, `cea-608:2015`, `cea-609:2015`, 1) }
		}, "dash-captions"},
		"another channel in DASH": {func(f *fixture) {
			f.text = func(p, s string) string { return strings.Replace(s, `"CC1=und"`, `"CC2=und"`, 1) }
		}, "dash-captions"},
		"a variant without": {func(f *fixture) {
			f.text = func(p, s string) string {
				return strings.Replace(s, `,CLOSED-CAPTIONS="cc"`, ",CLOSED-CAPTIONS=NONE", 1)
			}
		}, "captions-group"},
		"a group that is not there": {func(f *fixture) {
			f.text = func(p, s string) string {
				return strings.Replace(s, `,CLOSED-CAPTIONS="cc"`, `,CLOSED-CAPTIONS="dd"`, 1)
			}
		}, "captions-group"},
	} {
		t.Run(name, func(t *testing.T) {
			f := captioned("h264")
			c.spoil(f)
			wantOnly(t, judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}}), append([]string{c.rule}, short...)...)
		})
	}
}
