package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/libav"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/media/teletext"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// Probe looks at an input and says what it found, or the error, as a message
// for the scheduler.
func Probe(ctx context.Context, name string, rules input.Rules) *galav1.ProbeResult {
	info, err := libav.Probe(ctx, name, rules)
	if err != nil {
		return &galav1.ProbeResult{Error: wire.JobErrorProto(wire.AsError(err))}
	}
	return &galav1.ProbeResult{Source: sourceInfo(name, info)}
}

// ProbeIngest looks at a live source that an ingest holds.
func ProbeIngest(ctx context.Context, name string, open libav.OpenRing) *galav1.ProbeResult {
	info, err := libav.ProbeRing(ctx, name, open)
	if err != nil {
		return &galav1.ProbeResult{Error: wire.JobErrorProto(wire.AsError(err))}
	}
	return &galav1.ProbeResult{Source: sourceInfo(name, info)}
}

// ProbeLive connects to a live source for this look alone.
func ProbeLive(ctx context.Context, name string, rules input.Rules) *galav1.ProbeResult {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := ring.New(ring.Limits{Keep: time.Minute, Bytes: 64 << 20})
	var held sync.WaitGroup
	defer held.Wait()
	defer cancel()
	held.Go(func() {
		r.End(libav.Ingest(ctx, libav.IngestOptions{Input: name, Rules: rules, Ring: r, Log: slog.New(slog.DiscardHandler), Now: time.Now}))
	})
	return ProbeIngest(ctx, name, libav.LocalRing(r))
}

func sourceInfo(url string, i libav.Info) *galav1.SourceInfo {
	out := &galav1.SourceInfo{Url: url, Container: i.Container, DurationUs: i.DurationUS, Notes: i.Notes, ChosenVideo: int32(i.Chosen)}
	for _, v := range i.Video {
		out.Video = append(out.Video, &galav1.VideoTrack{
			Index: int32(v.Index), Codec: v.Codec, Profile: v.Profile, Width: int32(v.Width), Height: int32(v.Height),
			SampleAspect: rational(v.SARNum, v.SARDen), Rotation: int32(v.Rotation),
			Fps: wire.RateProto(v.Rate), VariableFps: v.Variable, Interlaced: v.Interlaced, PixelFormat: v.PixelFormat,
			BitDepth: int32(v.BitDepth), ColorPrimaries: v.Primaries, ColorTransfer: v.Transfer, ColorSpace: v.Matrix,
			ColorRange: v.Range, Bitrate: v.Bitrate, Captions: v.Captions,
		})
	}
	for _, a := range i.Audio {
		out.Audio = append(out.Audio, &galav1.AudioTrack{
			Index: int32(a.Index), Codec: a.Codec, Channels: int32(a.Channels), ChannelLayout: a.Layout,
			SampleRate: int32(a.SampleRate), Language: a.Language, Bitrate: a.Bitrate,
		})
	}
	for _, t := range i.Text {
		out.Text = append(out.Text, textTrack(t))
	}
	return out
}

func textTrack(t libav.TextInfo) *galav1.TextTrack {
	out := &galav1.TextTrack{Index: int32(t.Index), Codec: t.Codec, Language: t.Language, Title: t.Title, Forced: t.Forced, Impaired: t.Impaired}
	if t.Page != 0 {
		out.Page = teletext.Page(t.Page).String()
	}
	return out
}

func rational(num, den int) *galav1.Rational {
	if num <= 0 || den <= 0 {
		return nil
	}
	r := timeline.Rate{Num: int64(num), Den: int64(den)}
	return &galav1.Rational{Num: r.Num, Den: r.Den}
}
