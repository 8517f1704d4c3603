package ladders

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/timeline"
)

const small = "video: [{name: a, height: 720, codec: h264, bitrate: 2M}, {name: b, height: 144, fps: source/2, codec: h264, bitrate: 200k}, {name: c, height: 360, codec: hevc, range: source, bitrate: 900k}]\n"

// thumbnailsOf a 16:9 source at 29.97 frames a second.
func thumbnailsOf(t *testing.T, key string, kind Kind, shape Range) *Resolved {
	t.Helper()
	l, err := Parse("t.yaml", []byte("name: t\n"+small+"thumbnails: "+key))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again.yaml", l.Marshal())
	if err != nil || cmp.Diff(l, again) != "" {
		t.Errorf("read back: %v %s", err, cmp.Diff(l, again))
	}
	r, err := Resolve(l, Source{Video: &SourceVideo{Width: 1920, Height: 1080, Rate: timeline.Rate{Num: 30000, Den: 1001}, Range: shape}}, kind)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestThumbnails(t *testing.T) {
	for key, want := range map[string]Thumbnails{
		"{height: 90}":                            {From: "b", Width: 160, Height: 90, Every: 150, Columns: 5, Rows: 5},
		"{width: 480, interval: 1s, rows: 2}":     {From: "c", Width: 480, Height: 270, Every: 30, Columns: 5, Rows: 2},
		"{height: 89, interval: 500ms}":           {From: "b", Width: 158, Height: 88, Every: 14, Columns: 5, Rows: 5},
		"{height: 144, interval: 2s, columns: 1}": {From: "b", Width: 256, Height: 144, Every: 60, Columns: 1, Rows: 5},
	} {
		if diff := cmp.Diff(&want, thumbnailsOf(t, key, VOD, SDR).Thumbnails); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if r := thumbnailsOf(t, "{height: 90}", Live, SDR); r.Thumbnails != nil || !strings.Contains(strings.Join(r.Notes, " "), "made for clips") {
		t.Errorf("live: %+v %q", r.Thumbnails, r.Notes)
	}
}

// A picture that is much longer than high keeps its shape.
func TestThumbnailsOfALongPicture(t *testing.T) {
	for _, c := range []struct{ rung, video, want [2]int }{
		{[2]int{0, 480}, [2]int{1280, 40}, [2]int{1280, 40}}, {[2]int{32, 0}, [2]int{16, 4000}, [2]int{6, 1280}}, {[2]int{0, 480}, [2]int{1920, 800}, [2]int{1152, 480}},
	} {
		w, h := (&ThumbnailRung{Width: c.rung[0], Height: c.rung[1]}).size(&Video{Width: c.video[0], Height: c.video[1]})
		if [2]int{w, h} != c.want {
			t.Errorf("%v of %v: %dx%d, want %v", c.rung, c.video, w, h, c.want)
		}
	}
}

func TestThumbnailsRefused(t *testing.T) {
	for text, want := range map[string]string{
		small + "thumbnails: {}":                                                                       "exactly one of height (90) and width (160); 0 are given",
		small + "thumbnails: {height: 90, width: 160}":                                                 "2 are given",
		small + "thumbnails: {height: 8}":                                                              "want",
		small + "thumbnails: {height: 90, gap: 1s}":                                                    `unknown key "gap"`,
		small + "thumbnails: {height: 90, rows: 11}":                                                   "rows",
		small + "thumbnails: {height: 90, interval: 2m}":                                               "interval",
		"audio: [{name: a, codec: aac, bitrate: 96k}]\nthumbnails: {height: 90}":                       "no video rung",
		"video: [{name: Thumbnails, height: 720, codec: h264, bitrate: 2M}]\nthumbnails: {height: 90}": "choose another name",
	} {
		if _, err := Parse("t.yaml", []byte("name: t\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
