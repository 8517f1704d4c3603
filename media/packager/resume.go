package packager

import (
	"context"
	"errors"
	"slices"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// load reads back, once, what a predecessor left at this sink, and before a
// first attempt what another job of this name did.
func (k *taker) load(ctx context.Context) error {
	if k.loaded {
		return nil
	}
	read := k.resume
	if !k.t.p.spec.Resume {
		read = k.lookFirst
	}
	if err := read(ctx); err != nil {
		return err
	}
	k.loaded, k.heard = true, k.t.p.now()
	if len(k.list.Segments) > 0 {
		k.deleted = k.sweepable()
		return nil
	}
	if !k.t.p.spec.Live && k.t.p.spec.Resume && k.t.p.spec.FirstSegment > 0 {
		return holeError(k.out.name, k.t.rendition.Name, -1, k.t.p.spec.FirstSegment)
	}
	return nil
}

func (k *taker) resume(ctx context.Context) error {
	old, err := k.readBack(ctx)
	if old == nil || err != nil {
		return err
	}
	ctx, cancel := k.t.p.bounded(ctx)
	defer cancel()
	fresh := k.t.emptyList()
	if !slices.Equal(old.Keys, fresh.Keys) {
		return otherKeys(k.t.rendition.Name)
	}
	if old.KeyPrint != 0 && old.KeyPrint != fresh.KeyPrint {
		return otherValue(k.t.rendition.Name, k.t.lock.key.ID)
	}
	if k.t.rendition.Video != nil {
		if err := k.attachIFrames(ctx, old); err != nil {
			return err
		}
	}
	old.Window, old.IFramesPerSegment, old.Epoch = fresh.Window, fresh.IFramesPerSegment, fresh.Epoch
	old.KeyPrint = fresh.KeyPrint
	k.t.p.lapses.recall(old.DateRanges, k.t.p.spec.Grid.FirstFrame(k.t.p.spec.FirstSegment))
	// An ended playlist that is resumed ends again.
	old.Live, old.Ended = fresh.Live, false
	history := k.out.recall(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = *old
	// A predecessor that did not list its subtitles wrote none in boxes.
	if k.t.rendition.Text == nil || !history.Lacks(k.t.rendition.Name) {
		for _, s := range old.Segments {
			k.keepRuns(s, "")
		}
	}
	history.Extend(k.t.rendition.Name, k.runs)
	if last, ok := old.Last(); ok {
		k.last, k.resting = last, old.Segments[len(old.Segments)-1].Gap && k.t.p.spec.Live
	}
	return nil
}

// readBack is the playlist at the sink, nil when there is none of this job: where
// nobody fences, an earlier one of its name may have left its own there.
func (k *taker) readBack(ctx context.Context) (*hls.Media, error) {
	b, err := k.current(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	if _, ok := k.out.sink.(media.Guarded); ok && k.t.p.spec.Live {
		if old, err := k.leftBehind(ctx, b); old || err != nil {
			return nil, err
		}
	}
	if err := k.outranked(b); err != nil {
		return nil, err
	}
	m, err := hls.ParseMedia(b)
	if err != nil && k.t.p.spec.Live {
		// A page of the server's own, say. The window starts anew.
		k.t.p.log.Warn("what is there is no playlist of ours", "rendition", k.t.rendition.Name, "output", k.out.name, "error", err)
		return nil, nil
	}
	return m, err
}

// current is what stands where the playlist belongs, nil for nothing, and where
// it cannot be read.
func (k *taker) current(ctx context.Context) ([]byte, error) {
	ctx, cancel := k.t.p.bounded(ctx)
	defer cancel()
	b, err := k.out.sink.Get(ctx, k.path(playlistName))
	if errors.Is(err, media.ErrNotFound) || publish.WriteOnly(err) {
		return nil, nil
	}
	return b, err
}

// attachIFrames reads the byte ranges of what m lists.
func (k *taker) attachIFrames(ctx context.Context, m *hls.Media) error {
	b, err := k.out.sink.Get(ctx, k.path(iframesName))
	if errors.Is(err, media.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.AttachIFrames(b)
}
