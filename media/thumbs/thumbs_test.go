package thumbs

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// plan is 11 thumbnails, a second apart, on sheets of 3 by 2; the last one half.
func plan(t *testing.T) Plan {
	t.Helper()
	g, err := timeline.NewGrid(timeline.Rate{Num: 30000, Den: 1001}, 2*time.Second, 3)
	if err != nil {
		t.Fatal(err)
	}
	return Plan{ladders.Thumbnails{Width: 32, Height: 18, Every: 30, Columns: 3, Rows: 2}, g, 315}
}

func TestListIsReadBack(t *testing.T) {
	p := plan(t)
	cues, err := Parse(p.VTT())
	if err != nil || len(cues) != 11 || p.Sheets() != 2 {
		t.Fatalf("%v: %d thumbnails on %d sheets", err, len(cues), p.Sheets())
	}
	want := Cue{Start: 4004 * time.Millisecond, End: 5005 * time.Millisecond, File: "0.jpg", At: image.Rect(32, 18, 64, 36)}
	if diff := cmp.Diff(want, cues[4]); diff != "" {
		t.Error(diff)
	}
	want = Cue{Start: 10010 * time.Millisecond, End: 10511 * time.Millisecond, File: "1.jpg", At: image.Rect(32, 18, 64, 36)}
	if diff := cmp.Diff(want, cues[10]); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "WEBVTT\n\n00:00.000 --> 00:01.000\n0.jpg", "WEBVTT\n\n00:00.000 --> 00:01.000\n#xywh=1,2,3,4"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Each picture is where the list has it, and nowhere else.
func TestSheet(t *testing.T) {
	p := plan(t)
	s := p.NewSheet()
	for k := range int64(5) {
		pic := image.NewYCbCr(image.Rect(0, 0, 32, 18), image.YCbCrSubsampleRatio420)
		for i := range pic.Y {
			pic.Y[i] = byte(50 * (k + 1))
		}
		for i := range pic.Cb {
			pic.Cb[i], pic.Cr[i] = 128, 128
		}
		_, at := p.Place(k)
		if err := s.Put(at, pic); err != nil {
			t.Fatal(err)
		}
	}
	body, err := s.JPEG()
	if err != nil {
		t.Fatal(err)
	}
	out, err := jpeg.Decode(bytes.NewReader(body))
	if err != nil || out.Bounds() != p.Size() {
		t.Fatalf("%v %v", err, out)
	}
	for k := range int64(6) {
		_, at := p.Place(k)
		want := 50 * (int(k) + 1) % 300
		r, _, _, _ := out.At(at.Min.X+16, at.Min.Y+9).RGBA()
		if got := int(r >> 8); got < want-8 || got > want+8 {
			t.Errorf("thumbnail %d is %d, want %d", k, got, want)
		}
	}
	if err := s.Put(image.Rect(0, 0, 32, 18), image.NewYCbCr(image.Rect(0, 0, 30, 18), image.YCbCrSubsampleRatio420)); !errors.Is(err, ErrPicture) {
		t.Errorf("%v", err)
	}
}
