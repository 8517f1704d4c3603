package packager

import (
	"context"
	"fmt"
)

// Skip leaves out a segment of a live rendition, because nobody makes it: the
// playlists list it as a gap when its time is over, and the multivariant
// playlist leaves the rendition out until its next segment. It comes in the
// place of the segment's packets.
func (p *Packager) Skip(ctx context.Context, rendition string, segment int64) error {
	t, ok := p.tracks[rendition]
	if !ok {
		return fmt.Errorf("packager: no rendition %q in this assignment", rendition)
	}
	return t.skip(ctx, segment)
}

func (t *track) skip(ctx context.Context, number int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asm == nil || !t.asm.started {
		return nil // nothing of it was ever listed
	}
	if err := t.asm.skip(number); err != nil {
		return encoderError(t.rendition.Name, err)
	}
	next := t.pace.first(number + 1)
	s := &segment{number: number, missing: true, entry: t.pace.entry(number, next), end: t.pace.wall(next)}
	if err := t.deliver(ctx, s); err != nil || t != t.p.leader {
		return err
	}
	t.p.held = append(t.p.held, span{s, t.at(t.pace.first(number)), t.at(next), t.pace.first(number) * t.pace.ticks, next * t.pace.ticks})
	return t.p.letText(ctx, t.at(next))
}

// skip goes on after segment number, which must be the next.
func (a *assembler) skip(number int64) error {
	if number != a.number || len(a.frames) > 0 {
		return fmt.Errorf("segment %d is left out where frame %d of segment %d belongs", number, len(a.frames), a.number)
	}
	a.number++
	return nil
}

// miss lists a segment that nobody makes. Where nothing is listed yet there is
// nothing that it could be missing from.
func (k *taker) miss(ctx context.Context, s *segment, more bool) error {
	last, ok := k.list.Last()
	if !ok { // the others need not wait for it
		k.mu.Lock()
		k.rest(true)
		k.mu.Unlock()
		k.out.listed(ctx)
		return nil
	}
	if s.number <= last {
		return nil
	}
	if err := k.fill(last, s.number+1, k.list.Segments[len(k.list.Segments)-1].Map); err != nil {
		return k.fatal(err)
	}
	k.mu.Lock()
	k.rest(true)
	k.mu.Unlock()
	if err := k.putPlaylists(ctx); err != nil {
		return k.setback(ctx, nil, err)
	}
	k.mu.Lock()
	k.last = s.number // a successor need not make it
	k.mu.Unlock()
	k.out.gotThrough(k, s.number)
	k.out.listed(ctx)
	k.sweep(ctx, more)
	return nil
}

// rest notes whether the rendition makes no segments at present, which the
// multivariant playlist and the manifest must show. The caller holds k.mu.
func (k *taker) rest(now bool) {
	if k.resting == now {
		return
	}
	k.resting = now
	k.turns++
	k.out.stale.Store(true)
}
