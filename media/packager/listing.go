package packager

import (
	"context"
	"time"

	"github.com/galafarm/gala/media/hls"
)

// append lists the segment, and as gaps the numbers that never came.
func (k *taker) append(s *segment) error {
	entry := s.entry
	if last, ok := k.list.Last(); ok {
		before := k.list.Segments[len(k.list.Segments)-1].Map
		if err := k.fill(last, s.number, before); err != nil {
			return err
		}
		entry.Discontinuity = before != entry.Map
	}
	codecs := ""
	if s.init != nil {
		codecs = s.init.Codecs
	}
	if err := k.appendEntry(entry, codecs); err != nil {
		return err
	}
	if entry.Discontinuity {
		k.event(Event{Kind: Discontinuity, Segment: s.number})
	}
	k.pending = append(k.pending, s.listing())
	k.mu.Lock()
	k.rest(false)
	k.mu.Unlock()
	return nil
}

func (k *taker) appendEntry(e hls.Segment, codecs string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.list.Append(e); err != nil {
		return err
	}
	k.keepRuns(e, codecs)
	return nil
}

// fill appends gaps for the numbers between last and next. A clip has none.
func (k *taker) fill(last, next int64, initName string) error {
	if next == last+1 {
		return nil
	}
	if !k.t.p.spec.Live {
		return holeError(k.out.name, k.t.rendition.Name, last, next)
	}
	from := last + 1
	if window := int64(k.list.Window); next-from >= window {
		k.clear()
		from = next - window + 1
	}
	for n := from; n < next; n++ {
		pace := k.t.counting()
		g := pace.entry(n, pace.first(n+1))
		g.Gap, g.Map, g.URI = true, initName, k.t.segmentName(n)
		if err := k.appendEntry(g, ""); err != nil {
			return err
		}
		k.event(Event{Kind: Gap, Segment: n})
	}
	return nil
}

func (k *taker) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list.Clear()
}

// putPlaylists lists what is pending, unless another writer has come in between.
func (k *taker) putPlaylists(ctx context.Context) error {
	ctx, cancel := k.t.p.bounded(ctx)
	defer cancel()
	if err := k.check(ctx); err != nil {
		return err
	}
	k.lapsed = true
	k.mu.Lock()
	k.list.DateRanges = k.t.p.lapses.list()
	k.mu.Unlock()
	// I-frames first: a successor continues from the media playlist, and must
	// find the byte ranges of everything that it lists.
	list, iframes := k.t.written.encode(&k.list, k.t.rendition.Video != nil)
	if iframes != nil {
		if err := k.replace(ctx, iframesName, iframes); err != nil {
			return err
		}
	}
	if err := k.replace(ctx, playlistName, list); err != nil {
		return err
	}
	k.lapsed, k.heard = false, k.t.p.now()
	k.publishPending()
	return nil
}

func (k *taker) publishPending() {
	now := k.t.p.now()
	for _, s := range k.pending {
		k.published(s, now)
	}
	k.pending = nil
}

func (k *taker) published(s *segment, now time.Time) {
	e := Event{Kind: Published, Segment: s.number, Bytes: s.size(), At: now,
		Duration: time.Duration(s.entry.Duration) * time.Microsecond}
	late := false
	if k.t.p.spec.Live {
		e.Behind = now.Sub(s.end) - k.t.p.lag
		late = e.Behind > k.t.p.segmentLength()
	}
	k.mu.Lock()
	k.there(s)
	k.count(e, late)
	k.mu.Unlock()
	k.event(e)
	if late {
		e.Kind = Late
		k.event(e)
	}
}

// sweep deletes what left the window long enough ago: its own duration and
// that of the longest playlist that listed it (RFC 8216bis §6.2.2).
func (k *taker) sweep(ctx context.Context, busy bool) {
	if !k.t.p.spec.Live || busy {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.t.p.segmentLength())
	defer cancel()
	if k.deleted < 0 { // nothing of an earlier run is known
		k.deleted = k.list.Segments[0].Number
	}
	for until := k.sweepable(); k.deleted < until; k.deleted++ {
		for _, name := range k.t.files(k.deleted) {
			if err := k.out.sink.Delete(ctx, k.path(name)); err != nil {
				k.t.p.log.Debug("old segment not deleted", "rendition", k.t.rendition.Name, "segment", k.deleted, "error", err)
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// sweepable is the first segment that must stay.
func (k *taker) sweepable() int64 { return k.list.Segments[0].Number - int64(k.list.Window) - 1 }
