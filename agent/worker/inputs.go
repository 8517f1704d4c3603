package worker

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/galafarm/gala/agent/ingest"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media/libav"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// addInputs opens the ways to a live job's inputs, where ingests hold them.
func (w *Worker) addInputs(o *libav.Options) error {
	a := w.assignment
	if a.GetIngest() == "" {
		return nil
	}
	o.Inputs = []libav.LiveInput{{Name: a.GetInput(), Ring: ingest.Opener(a.GetIngest()), Anchor: w.spec.Anchor, Propose: w.proposeFor(0)}}
	for i, b := range a.GetBackups() {
		in := libav.LiveInput{Name: b.GetUrl(), Ring: unheld, Propose: w.proposeFor(i + 1)}
		if b.GetIngest() != "" {
			in.Ring = ingest.Opener(b.GetIngest())
		}
		if b.GetAnchor() != nil {
			anchor, err := wire.Anchor(b.GetAnchor())
			if err != nil {
				return err
			}
			in.Anchor = &anchor
		}
		o.Inputs = append(o.Inputs, in)
	}
	o.OnAir, o.Obeyed = int(a.GetOnAir()), a.GetOrderObeyed()
	o.Order = libav.Order{Input: int(a.GetOrder().GetInput()), Number: a.GetOrder().GetNumber()}
	o.Known = libav.Known{Facts: factsOf(a.GetSource()), Lag: time.Duration(a.GetLagUs()) * time.Microsecond}
	return nil
}

// unheld is the way to an input that this host cannot hold.
func unheld(context.Context, int64) (libav.Packets, error) {
	return nil, errors.New("this host holds as many sources as it may")
}

// factsOf is what a probe told, as far as a worker needs it without the source.
func factsOf(p *galav1.SourceInfo) *libav.Info {
	if p == nil {
		return nil
	}
	i := &libav.Info{Container: p.GetContainer(), Chosen: int(p.GetChosenVideo())}
	for _, v := range p.GetVideo() {
		rate, _ := wire.Rate(v.GetFps()) // the grid's counts
		i.Video = append(i.Video, libav.VideoInfo{Index: int(v.GetIndex()), Codec: v.GetCodec(), Width: int(v.GetWidth()), Height: int(v.GetHeight()),
			Rotation: int(v.GetRotation()), Interlaced: v.GetInterlaced(), Rate: rate})
	}
	for _, a := range p.GetAudio() {
		i.Audio = append(i.Audio, libav.AudioInfo{Index: int(a.GetIndex()), Codec: a.GetCodec(), Channels: int(a.GetChannels()), SampleRate: int(a.GetSampleRate()),
			Layout: a.GetChannelLayout(), Language: a.GetLanguage()})
	}
	for _, t := range p.GetText() {
		page, _ := strconv.ParseInt(t.GetPage(), 16, 32) // 0 where there is none
		i.Text = append(i.Text, libav.TextInfo{Page: int(page), Index: int(t.GetIndex()), Codec: t.GetCodec(), Language: t.GetLanguage(), Title: t.GetTitle()})
	}
	return i
}

// decision is an anchor that holds for an input.
type decision struct {
	input  int
	anchor timeline.Anchor
}

// proposeFor asks for the anchor of an input over Watch and waits for SetAnchor.
func (w *Worker) proposeFor(input int) func(context.Context, timeline.Anchor) (timeline.Anchor, error) {
	return func(ctx context.Context, a timeline.Anchor) (timeline.Anchor, error) {
		w.proposing.Lock()
		defer w.proposing.Unlock()
		w.board.propose(input, wire.AnchorProto(a))
		defer w.board.propose(0, nil)
		patience := time.After(anchorPatience)
		for {
			select {
			case fixed := <-w.anchors:
				if fixed.input == input && fixed.anchor.Generation == a.Generation {
					return fixed.anchor, nil
				}
			case <-ctx.Done():
				return a, ctx.Err()
			case <-patience:
				// No scheduler in reach: the source runs free on its own anchor.
				w.log.Warn("no answer to the anchor proposal: running free on it", "input", input)
				return a, nil
			}
		}
	}
}

// anchorPatience is how long a new source waits for the scheduler's word.
const anchorPatience = 5 * time.Second

// switchTo passes on an order of the operator, now or when there is a pipeline.
func (w *Worker) switchTo(o libav.Order) {
	w.log.Info("switch ordered", "input", o.Input, "number", o.Number)
	w.mu.Lock()
	w.ordered = o
	p := w.pipeline
	w.mu.Unlock()
	if p != nil {
		p.Switch(o)
	}
}

// sourceState is how the inputs are, nil where there are none.
func sourceState(s *libav.SourceStatus) *galav1.SourceState {
	if s == nil {
		return nil
	}
	out := &galav1.SourceState{Input: uint32(s.Input), Lapse: s.Lapse, Slate: s.Slate, LagUs: s.Lag.Microseconds(), OrderObeyed: s.Obeyed}
	for _, e := range s.Events {
		out.Events = append(out.Events, workerEvent(e))
	}
	return out
}

func workerEvent(e libav.WorkerEvent) *galav1.WorkerEvent {
	return &galav1.WorkerEvent{Number: e.Number, At: timestamppb.New(e.At), Kind: e.Kind, Cause: e.Cause, Effect: e.Effect}
}
