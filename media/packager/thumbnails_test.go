package packager_test

import (
	"context"
	"image"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
)

// asked are the ticks that stills were wanted at.
func stills(asked *[]int64) packager.Stills {
	return func(_ context.Context, init, segment []byte, at []int64, w, h int) ([]*image.YCbCr, error) {
		*asked = append(*asked, at...)
		var out []*image.YCbCr
		for range at {
			out = append(out, image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420))
		}
		return out, nil
	}
}

func illustrated(t *testing.T, spec media.Spec, asked *[]int64, s media.Sink) *packager.Packager {
	t.Helper()
	spec.Thumbnails = &ladders.Thumbnails{From: "v", Width: 32, Height: 18, Every: 30, Columns: 2, Rows: 2}
	p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{s}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Stills: stills(asked)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	return p
}

// Thumbnails are made at the end of what is at the sink, so that a successor
// makes those of its predecessor's segments too.
func TestThumbnails(t *testing.T) {
	s := newMemory()
	crash(t, s, 3) // segments 0 to 2, 50 frames each
	var asked []int64
	spec := twoSeconds(t)
	spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, 3
	p := illustrated(t, spec, &asked, s)
	video, audio := clip(t)
	feed(t, p, "v", video, pictures(150, 190, 25, 1))
	feed(t, p, "a", audio, sounds(282, 357))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	ticks := spec.Grid.FrameTicks()
	if want := []int64{0, 30 * ticks, 60 * ticks, 90 * ticks, 120 * ticks, 150 * ticks, 180 * ticks}; !slices.Equal(asked, want) {
		t.Errorf("pictures at %v, want %v", asked, want)
	}
	if got := s.names("thumbnails/"); !slices.Equal(got, []string{"thumbnails/0.jpg", "thumbnails/1.jpg", "thumbnails/thumbnails.vtt"}) {
		t.Errorf("objects: %v", got)
	}
	if list := s.text("thumbnails/thumbnails.vtt"); !strings.Contains(list, "00:00:07.200 --> 00:00:07.600\n1.jpg#xywh=0,18,32,18") {
		t.Error(list)
	}
	if mpd := s.text(manifestName); !strings.Contains(mpd, `value="2x2"`) || !strings.Contains(mpd, `width="64" height="36"`) {
		t.Error(mpd)
	}
	if p.Finishing() == 0 {
		t.Error("the agent would take it for stalled")
	}
}

// An output that cannot be read back costs the thumbnails, not the clip.
func TestThumbnailsOfAnOutputThatTakesPutOnly(t *testing.T) {
	s := newMemory()
	var asked []int64
	p := illustrated(t, twoSeconds(t), &asked, s)
	s.setGate(func(_ context.Context, op, _ string) error {
		if op == "get" {
			return publish.Status{Code: 405}
		}
		return nil
	})
	video, audio := clip(t)
	feed(t, p, "v", video, pictures(0, 50, 25, 1))
	feed(t, p, "a", audio, sounds(0, 94))
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.names("thumbnails/")) != 0 || strings.Contains(s.text(manifestName), "image/jpeg") || !s.has("master.m3u8") {
		t.Errorf("objects: %v", s.names(""))
	}
}
