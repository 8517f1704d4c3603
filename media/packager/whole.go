package packager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/media/webvtt"
)

// Some things are made of a whole clip: subtitles in one file for DASH. They
// come from what is at the sink, so that a worker which took over makes the same
// ones as a worker that made every segment itself.

// wholeName is the file of all cues in a folder of subtitles.
const wholeName = "whole.vtt"

// putWholeTexts writes each rendition of subtitles as one file.
func (o *output) putWholeTexts(ctx context.Context) error {
	for _, t := range o.p.order {
		if t.rendition.Text == nil {
			continue
		}
		k := t.takerOf(o)
		err := k.putWhole(ctx)
		if blind(err) {
			o.p.log.Warn("subtitles are left out of the manifest: the output cannot be read back", "rendition", t.rendition.Name, "output", o.name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blind: what was put there does not come back: an origin that takes PUT only, or
// serves under another address.
func blind(err error) bool { return publish.WriteOnly(err) || errors.Is(err, media.ErrNotFound) }

func (k *taker) putWhole(ctx context.Context) error {
	var all [][]webvtt.Cue
	var length hls.Micros
	for _, s := range k.listed() {
		body, err := k.out.sink.Get(ctx, k.path(s.URI))
		if err != nil {
			return err
		}
		cues, err := webvtt.Parse(body)
		if err != nil {
			return fmt.Errorf("%s: %w", k.path(s.URI), err)
		}
		all, length = append(all, cues), length+s.Duration
	}
	if len(all) == 0 {
		return nil
	}
	body := webvtt.File(webvtt.Gather(all))
	if err := k.out.sink.Put(ctx, k.path(wholeName), body); err != nil {
		return err
	}
	r := k.t.rendition
	k.whole = &dash.Text{Name: r.Name, File: wholeName, Subtitles: *subtitlesOf(r),
		Bandwidth: int64(len(body)) * 8 * int64(time.Second/time.Microsecond) / max(1, int64(length))}
	return nil
}

// listed are all segments, when nothing more comes.
func (k *taker) listed() []hls.Segment {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list.Segments
}
