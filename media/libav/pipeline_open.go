package libav

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// Open probes and opens the source and fixes its anchor. Every error is a
// *media.Error.
func Open(ctx context.Context, o Options) (*Pipeline, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pipeline{o: o, stop: math.MaxInt64, edge: math.MinInt64}
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Pipeline) open(ctx context.Context) (err error) {
	switch {
	case p.opening().Ring == nil:
		p.facts, err = Probe(ctx, p.o.Spec.Input, p.o.Rules)
		if err == nil {
			err = p.openSource(ctx)
		}
		return err
	case p.goesOn():
		return p.reopen(ctx)
	}
	if err := p.choose(ctx); err != nil {
		return err
	}
	return p.openRing(ctx)
}

// firstLook is how long the input that the job was looked at by is waited for,
// whose ingest on this host may only just connect; nextLook is each after it.
const firstLook, nextLook = 15 * time.Second, 4 * time.Second

// choose looks at the input to begin with: the one that the job is to show, or
// where nothing comes from it the next one that has what the renditions are made
// of. Where each of them is refused, the error is that of the first.
func (p *Pipeline) choose(ctx context.Context) (err error) {
	inputs := p.inputs()
	if len(inputs) == 1 {
		p.facts, err = ProbeRing(ctx, p.opening().Name, p.opening().Ring)
		return err
	}
	for patience := firstLook; ; {
		var refused []error
		for i := range inputs {
			p.first = (p.o.OnAir + i) % len(inputs)
			patient, cancel := context.WithTimeout(ctx, patience)
			patience = nextLook
			p.facts, err = ProbeRing(patient, p.opening().Name, p.opening().Ring)
			silent := patient.Err() != nil
			cancel()
			switch {
			case err == nil && p.suffices():
				return nil
			case ctx.Err() != nil:
				return ctx.Err()
			case err == nil:
				refused = append(refused, &media.Error{Code: media.SourceError, Message: input.Display(p.opening().Name) + " lacks tracks that the renditions are made of",
					Retryable: true, Advice: "send the same pictures and audio tracks on every input"})
			case !silent:
				refused = append(refused, err)
			}
		}
		if len(refused) == len(inputs) {
			return refused[0]
		}
	}
}

// goesOn tells a live job that was on air, and needs no source to go on.
func (p *Pipeline) goesOn() bool {
	return p.o.Spec.Live && p.o.Spec.Resume && p.clock() != nil && p.o.Known.Facts != nil
}

// clock is the recorded anchor on whose clock a job goes on: any of its inputs'
// will do, since all of them name the same frames.
func (p *Pipeline) clock() *timeline.Anchor {
	if p.o.Spec.Anchor != nil {
		return p.o.Spec.Anchor
	}
	for _, in := range p.inputs() {
		if in.Anchor != nil {
			return in.Anchor
		}
	}
	return nil
}

// awaited is how long a job that was on air waits for its source before it goes on
// without.
const awaited = 2 * time.Second

func (p *Pipeline) reopen(ctx context.Context) (err error) {
	if p.o.OnAir == 0 {
		patient, cancel := context.WithTimeout(ctx, awaited)
		p.facts, err = ProbeRing(patient, p.opening().Name, p.opening().Ring)
		cancel()
		if err == nil && p.suffices() {
			return p.openRing(ctx)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.openAway()
	return nil
}

// suffices tells whether the source has what the renditions are made of. What it
// lacks when a worker takes over may come back, and is filled until then.
func (p *Pipeline) suffices() bool {
	return !slices.ContainsFunc(p.o.Spec.Renditions, func(r ladders.Rendition) bool {
		return r.Video != nil && p.facts.BestVideo() == nil || r.Audio != nil && lastTrack(*r.Audio) >= len(p.facts.Audio)
	})
}

// opening is the input that the pipeline begins with.
func (p *Pipeline) opening() LiveInput { return p.inputs()[p.first] }
