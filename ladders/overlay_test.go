package ladders

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverlaysReachEveryRung(t *testing.T) {
	const keys = "overlays:\n  - {logo: channel.png, opacity: 80%}\n  - {text: \"REPLAY {timecode}\", at: bottom-left}\n" +
		"video: [{name: a, height: 1080, codec: h264, bitrate: 5M}, {name: b, height: 360, codec: hevc, bitrate: 1M}]"
	r, err := applied(t, keys, interlacedHD(), Live)
	if err != nil {
		t.Fatal(err)
	}
	want := []Overlay{
		{Logo: "channel.png", At: "top-right", Width: 1200, Margin: 500, Opacity: 8000},
		{Text: "REPLAY {timecode}", At: "bottom-left", Height: 500, Margin: 500, Opacity: 10000},
	}
	for _, x := range r.Renditions {
		if diff := cmp.Diff(want, x.Video.Picture.Overlays); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.Name, diff)
		}
		if x.Video.Picture.Filters() {
			t.Error("overlays alone put pictures through the filters before them")
		}
	}
	for _, says := range []string{"the logo channel.png is drawn into the pictures of every rung: top-right, 12% of the width", `the text "REPLAY {timecode}" is drawn into the pictures of every rung: bottom-left, 5% of the height`} {
		if !slices.Contains(r.Notes, says) {
			t.Errorf("notes %q do not say %q", r.Notes, says)
		}
	}
	l, err := Parse("t.yaml", []byte("name: t\n"+keys))
	if err != nil {
		t.Fatal(err)
	}
	if got := Describe(l); !strings.Contains(got, `overlay {text: "REPLAY {timecode}", at: bottom-left, height: 5%, margin: 5%, opacity: 100%}`) {
		t.Errorf("described as\n%s", got)
	}
}

// What is wrong with a logo's file is said at the place that names it.
func TestLogosAreLookedAt(t *testing.T) {
	text := []byte("name: t\noverlays:\n  - {logo: a.png}\n  - {logo: b.png}\n" + hdRung + "}]")
	var seen []string
	_, err := ParseWith("t.yaml", text, func(file string) error {
		seen = append(seen, file)
		if file == "b.png" {
			return errors.New("is no PNG")
		}
		return nil
	})
	if want := "t.yaml:4:12: overlays[1].logo: is no PNG"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if !slices.Equal(seen, []string{"a.png", "b.png"}) {
		t.Errorf("looked at %q", seen)
	}
}

func TestPercents(t *testing.T) {
	for p, want := range map[Percent]string{0: "0%", 500: "5%", 1250: "12.5%", 333: "3.33%", 10000: "100%", 5: "0.05%"} {
		if p.String() != want {
			t.Errorf("%d is written %s, want %s", p, p, want)
		}
	}
	if Percent(1200).Of(1920) != 230 || Percent(500).Of(1080) != 54 {
		t.Error("shares are not rounded to the nearest")
	}
}
