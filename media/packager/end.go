package packager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/galafarm/gala/media"
)

// Finish ends the job at the end of its source: the short last segments go
// out, every playlist ends, and a clip's multivariant playlist is written
// again with what was measured.
func (p *Packager) Finish(ctx context.Context) error {
	return p.end(ctx, ending{endlist: true}, true)
}

// Stop ends a live job that someone stopped: what is whole goes out and every
// playlist ends.
func (p *Packager) Stop(ctx context.Context) error {
	return p.end(ctx, ending{endlist: true}, false)
}

// Leave hands over at a segment boundary: what is whole goes out, and the
// playlists stay open for a successor.
func (p *Packager) Leave(ctx context.Context) error {
	defer p.Abort()
	p.close(ending{})
	return p.wait(ctx)
}

// Abort lets go at once. The playlists stay as they are.
func (p *Packager) Abort() {
	p.cancel(ErrAborted)
	p.close(ending{})
	p.group.Wait()
}

func (p *Packager) end(ctx context.Context, e ending, strict bool) error {
	defer p.Abort()
	var errs []error
	for _, t := range p.order {
		if err := t.flush(ctx, strict); err != nil {
			errs = append(errs, err)
		}
	}
	if err := firstFatal(errs); err != nil {
		return err
	}
	p.close(e)
	if err := p.wait(ctx); err != nil {
		return err
	}
	return p.conclude(ctx, strict)
}

// close lets nothing more in; the first call says how the takers end.
func (p *Packager) close(e ending) {
	p.once.Do(func() {
		p.ending = e
		for _, t := range p.order {
			for _, k := range t.takers {
				k.lane.Close()
			}
		}
	})
}

// wait is for the takers to empty their lanes and end their playlists.
func (p *Packager) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		p.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		p.cancel(context.Cause(ctx))
		<-done
		return sinkError(strings.Join(p.spec.Outputs, ", "), fmt.Errorf("not everything got through in time: %w", context.Cause(ctx)))
	}
	return p.verdict()
}

// verdict is the worst of what the takers ended with.
func (p *Packager) verdict() error {
	var fatal []error
	for _, t := range p.order {
		var errs []error
		for _, k := range t.takers {
			if k.err != nil {
				errs = append(errs, k.err)
			}
		}
		fatal = append(fatal, t.verdict(errs))
	}
	return firstFatal(fatal)
}

// conclude ends the manifests - a clip's with what was measured - and complains
// about what stayed empty.
func (p *Packager) conclude(ctx context.Context, finished bool) error {
	var empty int
	for _, t := range p.order {
		if t.takers[0].empty() {
			empty++
			p.log.Warn("rendition ended without a frame", "rendition", t.rendition.Name)
			p.events(Event{Kind: Empty, Rendition: t.rendition.Name, At: p.now(), Segment: -1})
		}
	}
	if finished && empty == len(p.order) {
		return &media.Error{Code: media.SourceError, Message: "no frame came out of the source for any rendition",
			Advice: "check the source with the probe: it may hold no decodable picture or sound"}
	}
	if !p.spec.WritesManifest || !p.spec.Live && !finished {
		return nil
	}
	if !p.spec.Live {
		for _, step := range []func(context.Context) error{p.drawThumbnails, p.putMP4s} {
			if err := step(ctx); err != nil {
				return err
			}
		}
	}
	var errs []error
	for _, out := range p.outputs {
		if err := out.conclude(ctx); err != nil {
			out.trouble("end not written", err)
			errs = append(errs, sinkError(out.name, err))
		}
	}
	if p.spec.Live && len(errs) < len(p.outputs) {
		return nil
	}
	return firstFatal(errs)
}

// conclude says at this output that the job is over.
func (o *output) conclude(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.p.spec.Live {
		return o.putManifest(ctx, true)
	}
	for _, put := range []func(context.Context) error{o.putWholeTexts, o.putThumbnails} {
		if err := put(ctx); err != nil {
			return err
		}
	}
	if err := o.putMaster(ctx, true); err != nil {
		return err
	}
	return o.putManifest(ctx, true)
}

func superseded(err error) bool { return errors.Is(err, media.ErrSuperseded) }
