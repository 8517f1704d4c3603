package packager_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// clip is the H.264/AAC test clip: 3 s at 25 fps, a GOP of 25.
func clip(t testing.TB) (video, audio cmaftest.Track) {
	t.Helper()
	tracks, err := cmaftest.Clip("h264_aac")
	if err != nil {
		t.Fatal(err)
	}
	return tracks[0], tracks[1]
}

func grid(t testing.TB, rate string, gop time.Duration, gops int64) timeline.Grid {
	t.Helper()
	r, err := timeline.ParseRate(rate)
	if err != nil {
		t.Fatal(err)
	}
	g, err := timeline.NewGrid(r, gop, gops, 1)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func videoRendition(name string, v cmaftest.Track) ladders.Rendition {
	return ladders.Rendition{Name: name, Bandwidth: 300_000, AverageBandwidth: 200_000,
		Video: &ladders.Video{Width: v.Width, Height: v.Height, Divisor: 1, Codec: v.Codec}}
}

func audioRendition(name string, a cmaftest.Track) ladders.Rendition {
	return ladders.Rendition{Name: name, Bandwidth: 40_000, AverageBandwidth: 30_000,
		Audio: &ladders.Audio{Codec: a.Codec, Channels: a.Channels, SampleRate: a.SampleRate, Language: "en", Label: "English", Group: name, Default: true}}
}

func vodSpec(g timeline.Grid, out string, r ...ladders.Rendition) media.Spec {
	return media.Spec{Job: "clip", Assignment: "a", Epoch: 1, Grid: g, Renditions: r, Outputs: []string{out}, WritesManifest: true}
}

func open(t testing.TB, spec media.Spec, events func(packager.Event), sinks ...media.Sink) *packager.Packager {
	t.Helper()
	p, err := packager.New(packager.Options{Spec: spec, Sinks: sinks, Log: quiet(), Now: time.Now, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	return p
}

func feed(t testing.TB, p *packager.Packager, rendition string, tr cmaftest.Track, packets []media.Packet) {
	t.Helper()
	if err := p.Init(rendition, tr.Config); err != nil {
		t.Fatal(err)
	}
	for _, pkt := range packets {
		if err := p.Write(t.Context(), rendition, pkt); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClipToDirectory(t *testing.T) {
	dir := t.TempDir()
	video, audio := clip(t)
	sink, err := publish.OpenDir(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, vodSpec(grid(t, "25", time.Second, 2), dir, videoRendition("v", video), audioRendition("a", audio)), nil, sink)
	feed(t, p, "v", video, video.Packets)
	feed(t, p, "a", audio, audio.Packets)
	if err := p.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
}
