package packager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// load reads back, once, what a predecessor left at this sink.
func (k *taker) load(ctx context.Context) error {
	if k.loaded {
		return nil
	}
	if k.t.p.spec.Resume {
		if err := k.resume(ctx); err != nil {
			return err
		}
	}
	k.loaded = true
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
	fresh := k.t.emptyList()
	if !slices.Equal(old.Keys, fresh.Keys) {
		return otherKeys(k.t.rendition.Name)
	}
	if k.t.rendition.Video != nil {
		if err := k.attachIFrames(ctx, old); err != nil {
			return err
		}
	}
	old.Window, old.IFramesPerSegment, old.Epoch = fresh.Window, fresh.IFramesPerSegment, fresh.Epoch
	// An ended playlist that is resumed ends again.
	old.Live, old.Ended = fresh.Live, false
	history := k.out.recall(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = *old
	for _, s := range old.Segments {
		k.keepRuns(s, "")
	}
	history.Extend(k.t.rendition.Name, k.runs)
	if last, ok := old.Last(); ok {
		k.last = last
	}
	return nil
}

// readBack is the playlist at the sink, nil when there is none. A higher epoch
// in it means that a successor writes there: third-party origins do not fence.
func (k *taker) readBack(ctx context.Context) (*hls.Media, error) {
	b, err := k.out.sink.Get(ctx, k.path(playlistName))
	if errors.Is(err, media.ErrNotFound) || unreadable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := hls.ParseMedia(b)
	if err != nil {
		return nil, err
	}
	if m.Epoch > k.t.p.spec.Epoch {
		return nil, fmt.Errorf("%s: epoch %d, ours is %d: %w", k.path(playlistName), m.Epoch, k.t.p.spec.Epoch, media.ErrSuperseded)
	}
	return m, nil
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

// unreadable: an origin that takes PUT only. A live window then starts anew at
// the right number; a clip finds its hole.
func unreadable(err error) bool {
	var s publish.Status
	return errors.As(err, &s) && slices.Contains([]int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented}, s.Code)
}
