package worker

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/libav"
	"github.com/galafarm/gala/media/packager"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// statusEvery is how often progress is told.
const statusEvery = 500 * time.Millisecond

// reportStatus posts progress until the returned function is called.
func (w *Worker) reportStatus(ctx context.Context) func() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(statusEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.board.status(w.status())
			case <-done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// status is everything an agent wants to know, now.
func (w *Worker) status() *galav1.WorkerStatus {
	w.mu.Lock()
	pipeline, pack := w.pipeline, w.packager
	w.mu.Unlock()
	if pipeline == nil {
		return &galav1.WorkerStatus{}
	}
	st, progress := pipeline.Status(), pack.Progress()
	out := &galav1.WorkerStatus{
		SourceUs: st.SourceUS, FramesDecoded: st.Decoded, FramesDoubled: st.Doubled,
		FramesDropped: st.Dropped, DecodeErrors: st.Damaged, Notes: st.Notes, FirstSegment: true,
		Finishing: pack.Finishing() + w.salvaged.Load(), Source: sourceState(st.Source),
	}
	for _, e := range st.Events {
		out.Events = append(out.Events, workerEvent(e))
	}
	now := time.Now()
	for _, r := range w.spec.Renditions {
		if progress[r.Name].LateCues > 0 {
			out.Notes = append(out.Notes, "subtitles "+r.Name+": some came after their segment and are shown a little late")
		}
		p := w.rendition(r, st.Renditions[r.Name], progress[r.Name], now)
		out.FirstSegment = out.FirstSegment && p.GetSegments() > 0
		out.Renditions = append(out.Renditions, p)
	}
	for _, o := range pack.Outputs() {
		out.Outputs = append(out.Outputs, outputProto(o))
	}
	return out
}

// longestCause bounds what each of 200 outputs adds to a status.
const longestCause = 200

func outputProto(o packager.OutputProgress) *galav1.OutputProgress {
	out := &galav1.OutputProgress{State: outputStates[o.State], LastSegment: o.LastSegment, Behind: o.Behind, Lost: o.Lost, Bytes: o.Bytes}
	if !o.LastSegmentAt.IsZero() {
		out.LastSegmentAt = timestamppb.New(o.LastSegmentAt)
	}
	if !o.Since.IsZero() {
		out.TroubleSince = timestamppb.New(o.Since)
	}
	if o.Cause != nil {
		if out.Cause = strings.ToValidUTF8(o.Cause.Error(), "?"); len(out.Cause) > longestCause {
			out.Cause = strings.ToValidUTF8(out.Cause[:longestCause], "") + "…"
		}
	}
	return out
}

var outputStates = map[packager.OutputState]galav1.OutputState{
	packager.Starting: galav1.OutputState_OUTPUT_STATE_STARTING, packager.Well: galav1.OutputState_OUTPUT_STATE_WELL,
	packager.InTrouble: galav1.OutputState_OUTPUT_STATE_TROUBLE,
}

func (w *Worker) rendition(r ladders.Rendition, st libav.RenditionStatus, p packager.Progress, now time.Time) *galav1.RenditionProgress {
	out := &galav1.RenditionProgress{
		Name: r.Name, Frames: st.Frames, Bitrate: p.Bitrate, LastSegment: p.LastSegment,
		Segments: p.Segments, LateSegments: p.Late, Bytes: p.Bytes, PublishedFrames: p.Frames, Resting: p.Resting,
	}
	if p.Segments == 0 {
		out.LastSegment = -1
	}
	if !p.LastSegmentAt.IsZero() {
		out.LastSegmentAt = timestamppb.New(p.LastSegmentAt)
	}
	if r.Video != nil {
		rate := w.spec.Grid.Rate.Div(r.Video.Divisor)
		out.Fps = w.pace.of(r.Name, st.Frames, now)
		out.Speed = out.Fps * float64(rate.Den) / float64(rate.Num)
	}
	return out
}

// pace measures frames per second over the last seconds.
type pace struct{ marks map[string][]mark }

type mark struct {
	at     time.Time
	frames int64
}

// paceWindow is how far back a rate looks.
const paceWindow = 3 * time.Second

func (p *pace) of(name string, frames int64, now time.Time) float64 {
	if p.marks == nil {
		p.marks = map[string][]mark{}
	}
	m := append(p.marks[name], mark{now, frames})
	for len(m) > 2 && now.Sub(m[0].at) > paceWindow {
		m = m[1:]
	}
	p.marks[name] = m
	span := now.Sub(m[0].at).Seconds()
	if span <= 0 {
		return 0
	}
	return float64(frames-m[0].frames) / span
}
