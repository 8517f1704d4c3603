package e2e

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	testcard "github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/media/thumbs"
)

// thumbed is a ladder with thumbnails so large that the card can be read in them.
const thumbed = `name: thumbed
video:
  - {name: 240p, height: 240, codec: h264, bitrate: 400k, preset: fastest}
  - {name: 90p, height: 90, codec: h264, bitrate: 100k, preset: fastest}
audio:
  - {name: stereo, codec: aac, bitrate: 96k}
thumbnails: {height: 240, interval: 1500ms, columns: 3, rows: 2}
`

// Every thumbnail shows the frame that it is named for, and a player that is not
// ours finds it.
func TestThumbnailsShowTheirFrames(t *testing.T) {
	f := farm.Start(t)
	ladder := filepath.Join(t.TempDir(), "thumbed.yaml")
	if err := os.WriteFile(ladder, []byte(thumbed), 0o644); err != nil {
		t.Fatal(err)
	}
	f.Must("vod", "queue", "--id", "card", "--ladder", ladder, "--wait", "testcard:?size=426x240&duration=13s&fps=25")
	verify(t, f, "card")
	list, err := thumbs.Parse(get(t, f.Origin("card/thumbnails/thumbnails.vtt")))
	if err != nil || len(list) != 9 {
		t.Fatalf("%v: %d thumbnails of 13 s", err, len(list))
	}
	sheets := map[string]*image.YCbCr{}
	for k, c := range list {
		if sheets[c.File] == nil {
			sheets[c.File] = sheet(t, f, c.File)
		}
		part := sheets[c.File].SubImage(c.At).(*image.YCbCr)
		n, ok := testcard.Read(part.Y, part.YStride, c.At.Dx(), c.At.Dy())
		if want := int64(k) * 38; !ok || int64(n) != want { // 1.5 s are 37.5 frames
			t.Errorf("thumbnail %d (%v of %s) shows frame %d, %v; want %d", k, c.At, c.File, n, ok, want)
		}
	}
	p := watchDash(t, browser.ServePlayers(t, f.Page), "dash.js", "card")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	farm.Until(t, 30*time.Second, "the thumbnail at 11 s", func() bool {
		got, err := browser.Eval[string](p, "gala.thumbnail(11)")
		return err == nil && strings.HasSuffix(got, "/thumbnails/1.jpg 426,0 426x240")
	})
}

func sheet(t *testing.T, f *farm.Farm, file string) *image.YCbCr {
	t.Helper()
	body := get(t, f.Origin("card/thumbnails/"+file))
	if *shots != "" {
		if err := os.WriteFile(filepath.Join(*shots, "thumbnails-"+file), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	picture, err := jpeg.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return picture.(*image.YCbCr)
}
