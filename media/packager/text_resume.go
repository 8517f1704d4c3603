package packager

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
)

// recallPatience bounds how long a successor waits for what its predecessor wrote
// last; longestPage how long a page stays on screen that nothing follows.
const (
	recallPatience = 2 * time.Second
	longestPage    = 30 * time.Second
	// Times in files have three digits, those of cues are µs.
	millisecond = 1000
)

// Recall reads back, before the first cue comes, what was on screen when a
// predecessor's last segment of a live job ended: its source does not send that
// again. Without an answer the job goes on without those texts. Paged tells the
// source's tracks whose texts stay until the next ones come.
func (p *Packager) Recall(ctx context.Context, paged func(track int) bool) {
	if !p.spec.Live || !p.spec.Resume || p.spec.FirstSegment == 0 {
		return // a clip is read from its start, and brings its texts again
	}
	ctx, cancel := context.WithTimeout(ctx, recallPatience)
	defer cancel()
	var all sync.WaitGroup
	for _, t := range p.order {
		if t.rendition.Text == nil {
			continue
		}
		all.Go(func() {
			if err := t.recallText(ctx, paged(t.rendition.Text.Track)); err != nil && !errors.Is(err, media.ErrNotFound) {
				p.log.Warn("what was on screen before is not known", "rendition", t.rendition.Name, "error", err)
			}
		})
	}
	all.Wait()
}

// lastText is what the predecessor wrote last, at whichever output answers
// first: a dead one is not waited for.
func (t *track) lastText(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		body []byte
		err  error
	}
	answers := make(chan answer, len(t.takers))
	for _, k := range t.takers {
		go func() {
			body, err := k.out.sink.Get(ctx, k.path(hls.TextName(t.p.spec.FirstSegment-1)))
			answers <- answer{body, err}
		}()
	}
	err := media.ErrNotFound
	for range t.takers {
		a := <-answers
		if a.err == nil {
			return a.body, nil
		}
		err = a.err
	}
	return nil, err
}

func (t *track) recallText(ctx context.Context, paged bool) error {
	body, err := t.lastText(ctx)
	if err != nil {
		return err
	}
	cues, err := webvtt.Parse(body)
	if err != nil {
		return err
	}
	g := t.p.spec.Grid
	end := g.TimeOf(g.FirstFrame(t.p.spec.FirstSegment)).Microseconds()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.captions = goOn(cues, end, paged)
	return nil
}

// goOn are the cues of a segment that ended at this time and were still on
// screen. Pages that end with it were cut there.
func goOn(cues []webvtt.Cue, end int64, paged bool) []caption {
	cut := end + millisecond
	if paged {
		cut = end + 30*millisecond // a segment of sound ends up to a frame later
	}
	var out []caption
	for _, c := range cues {
		switch {
		case c.End > cut:
			out = append(out, caption{Cue: c})
		case paged && c.End >= end-millisecond:
			out = append(out, caption{Cue: webvtt.Cue{Start: c.End, End: c.End + longestPage.Microseconds(), Text: c.Text, Settings: c.Settings}, page: true})
		}
	}
	return out
}
