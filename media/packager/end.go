package packager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

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
	text := p.letAllText(ctx)
	p.close(ending{})
	return firstFatal([]error{p.wait(ctx), text})
}

// Abort lets go at once. The playlists stay as they are.
func (p *Packager) Abort() {
	p.cancel(ErrAborted)
	p.close(ending{})
	p.group.Wait()
	p.unions.Wait()
}

func (p *Packager) end(ctx context.Context, e ending, strict bool) error {
	defer p.Abort()
	var errs []error
	for _, t := range p.order {
		if err := t.flush(ctx, strict); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, p.letAllText(ctx))
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
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var whole time.Time // since when there is an output that has everything
	for {
		select {
		case <-done:
			return p.verdict()
		case <-look.C:
			some, sick := p.unfinished()
			switch {
			case !p.spec.Live || !some:
			case whole.IsZero():
				whole = time.Now()
			case sick && time.Since(whole) > partingSick, time.Since(whole) > partingWell+p.segmentLength():
				p.cancel(errParted)
				<-done
				return p.verdict()
			}
		case <-ctx.Done():
			p.cancel(context.Cause(ctx))
			<-done
			return sinkError(p.names(), fmt.Errorf("not everything got through in time: %w", context.Cause(ctx)))
		}
	}
}

func (p *Packager) names() string {
	var all []string
	for _, o := range p.outputs {
		all = append(all, o.name)
	}
	return strings.Join(all, ", ")
}

// unfinished tells whether some output has everything, and whether all that have
// not are in trouble.
func (p *Packager) unfinished() (some, sick bool) {
	sick = true
	for _, o := range p.outputs {
		if o.whole.Load() {
			some = true
		} else if since, _ := o.health.trouble(); since.IsZero() {
			sick = false
		}
	}
	return some, sick
}

// The end of a live job that is whole at one output does not wait long for those
// in trouble, and for the others as long as a segment takes and some: less, with
// what concludes it, than its agent waits.
const (
	lookEvery   = 100 * time.Millisecond
	partingSick = time.Second
	partingWell = 2 * time.Second
	concluding  = 2 * time.Second
)

// errParted: the job has ended, and this output did not keep up with it.
var errParted = errors.New("the job ended before it had taken everything")

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
	if p.spec.Live && len(p.outputs) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, concluding, errParted)
		defer cancel()
	}
	all := make([]error, len(p.outputs))
	var group sync.WaitGroup
	for i, out := range p.outputs {
		group.Go(func() { all[i] = out.conclude(ctx) })
	}
	group.Wait()
	var errs []error
	for i, err := range all {
		if err != nil {
			p.outputs[i].complain("end", err)
			errs = append(errs, sinkError(p.outputs[i].name, err))
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
		if since, err := o.health.trouble(); !since.IsZero() && !o.complete() {
			return err // nothing is there that a manifest could end
		}
		err := o.putManifest(ctx, true)
		if o.union != nil && err == nil { // its own tree is whole whatever comes of this
			o.complain("playlists above the replicas", o.union.look(ctx, true))
		}
		return err
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
