package packager

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// taker brings one rendition to one sink, on its lane's goroutine: segment,
// then the playlists that list it. Each keeps its own playlist, because sinks
// lose different segments. Segments and encoded playlists it shares with the
// takers of other sinks: what waits anywhere is held once.
type taker struct {
	t    *track
	out  *output
	lane *publish.Lane[*segment]
	err  error // why run ended early; read after the group's Wait

	// The rest belongs to run.
	loaded bool
	init   string    // the init segment that is at the sink
	lapsed bool      // something did not get through: look before anything else is put
	heard  time.Time // when the sink last took a playlist, or told of one
	// leftover is the epoch of another job's playlist there, 0 for none.
	leftover uint64
	// pending are segments at the sink that no playlist there lists yet, without
	// their bytes.
	pending []*segment
	deleted int64 // everything below this number; -1: not known yet

	mu    sync.Mutex // guards what snapshots and the manifests read
	list  hls.Media
	runs  []dash.Run // of what is listed, from before the window on
	turns int        // how often runs began or left
	// resting: the rendition makes no segments at present.
	resting bool
	// refused is why the sink took nothing yet, when that is no passing trouble.
	refused error
	whole   *dash.Text // subtitles of a clip as one file, when that is there
	meter
}

const (
	playlistName = "media.m3u8"
	iframesName  = "iframes.m3u8"
	// maxPending bounds how many segments go out before their playlist does,
	// while more are waiting.
	maxPending = 4
)

func newTaker(t *track, out *output) *taker {
	k := &taker{t: t, out: out, meter: newMeter(), deleted: -1}
	k.list = t.emptyList()
	var dropped func(*segment)
	if t.p.spec.Live {
		dropped = k.drop
	}
	k.lane = publish.NewLane(t.p.laneSize(), k.take, dropped)
	return k
}

func (t *track) emptyList() hls.Media {
	p := t.p
	m := hls.Media{Target: p.target, Live: p.spec.Live, Window: p.window, Epoch: p.spec.Epoch, Keys: t.lock.tags(), KeyPrint: t.lock.fingerprint()}
	if t.rendition.Video != nil {
		m.IFramesPerSegment = int(p.spec.Grid.GOPsPerSegment)
	}
	return m
}

// laneSize: half a minute of live, so that an origin may restart; a few
// segments of a clip, which can wait.
func (p *Packager) laneSize() int {
	const clip, least, length = 3, 4, 30 * time.Second
	if !p.spec.Live {
		return clip
	}
	return max(least, int(length/p.segmentLength()))
}

// patience is how long a segment of a live job is tried, all attempts together.
func (p *Packager) patience() time.Duration { return max(3*p.segmentLength(), 10*time.Second) }

// bounded is ctx with that patience, for a live job.
func (p *Packager) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if !p.spec.Live {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.patience())
}

func (k *taker) path(name string) string { return path.Join(k.t.rendition.Name, name) }

// run takes segments until the end, then ends the playlists.
func (k *taker) run(ctx context.Context) {
	if k.err = k.lane.Run(ctx); k.err == nil {
		if err := k.leave(ctx); err != nil {
			k.err = k.fatal(err)
		}
	}
	if k.err != nil && k.t.p.spec.Live && !superseded(k.err) && !errors.Is(k.err, ErrAborted) {
		k.out.fails(k, -1, k.err)
		k.lose(int64(k.lane.Waiting() + len(k.pending)))
	}
}

// leave lists what is still unlisted and, at the job's end, ends the playlists.
func (k *taker) leave(ctx context.Context) error {
	if k.t.p.ending.endlist {
		if err := k.load(ctx); err != nil {
			return err
		}
		k.mu.Lock()
		k.list.Ended = len(k.list.Segments) > 0
		k.mu.Unlock()
	}
	if len(k.pending) == 0 && !k.list.Ended {
		return nil
	}
	if err := k.putPlaylists(ctx); err != nil {
		return err
	}
	k.out.listed(ctx)
	return nil
}

// take publishes one segment. more tells that others wait behind it.
func (k *taker) take(ctx context.Context, s *segment, more bool) error {
	if err := k.load(ctx); err != nil {
		return k.setback(ctx, s, err)
	}
	if s.missing {
		return k.miss(ctx, s, more)
	}
	if last, ok := k.list.Last(); ok && s.number <= last {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.there(s)
		return nil // listed already: what viewers know is never written again
	}
	if err := k.check(ctx); err != nil {
		return k.setback(ctx, s, err)
	}
	if err := k.putSegment(ctx, s); err != nil {
		return k.setback(ctx, s, err)
	}
	k.accepted()
	if err := k.append(s); err != nil {
		return k.fatal(err)
	}
	if more && len(k.pending) < maxPending {
		return nil
	}
	if err := k.putPlaylists(ctx); err != nil {
		return k.setback(ctx, nil, err)
	}
	k.out.gotThrough(k, s.number)
	k.out.listed(ctx)
	k.sweep(ctx, more)
	return nil
}

func (k *taker) fatal(err error) error {
	var typed *media.Error
	if errors.As(err, &typed) {
		return err
	}
	return sinkError(k.out.name, err)
}

// setback ends a clip's lane. A live one goes on without the segment - nil:
// only the list of it is late - unless a successor has taken over or nothing
// that follows could get through.
func (k *taker) setback(ctx context.Context, s *segment, err error) error {
	if ctx.Err() != nil {
		if s != nil && k.t.p.spec.Live {
			k.lose(1)
		}
		return context.Cause(ctx)
	}
	if !k.t.p.spec.Live || superseded(err) || k.forGood(err) {
		return k.fatal(err)
	}
	k.lapsed = true
	k.init = "" // it is put again on doubt: the sink may have lost what it had
	k.mu.Lock()
	if len(k.list.Segments) == 0 { // a look that told of nothing may have been refused as well
		k.loaded = false
	}
	k.mu.Unlock()
	number := int64(-1)
	if s != nil {
		number = s.number
	}
	k.out.fails(k, number, err)
	if s != nil {
		k.lose(1)
		k.event(Event{Kind: Missed, Segment: number, Err: err})
	}
	return nil
}

// forGood tells an error that ends a live job: what is published has other
// keys, or no output ever took anything and each says that it will not. While
// one does, the others are asked again with every segment: a token that is
// wrong may be put right on air.
func (k *taker) forGood(err error) bool {
	var told *media.Error
	if errors.As(err, &told) {
		return true
	}
	var status publish.Status
	if !errors.As(err, &status) || status.Code >= 500 || k.ready() {
		return false
	}
	k.mu.Lock()
	k.refused = err
	k.mu.Unlock()
	return !slices.ContainsFunc(k.t.takers, func(other *taker) bool { return !other.isRefused() })
}

func (k *taker) isRefused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused != nil
}

// accepted takes back that the sink refuses everything.
func (k *taker) accepted() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused = nil
}

func (k *taker) lose(n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost += n
}

// putSegment puts the init segment, when it is new here, and the segment.
func (k *taker) putSegment(ctx context.Context, s *segment) error {
	ctx, cancel := k.t.p.bounded(ctx)
	defer cancel()
	if s.init != nil && s.init.Name != k.init { // subtitles of a clip have none
		if err := k.put(ctx, s.init.Name, s.init.Bytes); err != nil {
			return err
		}
		k.init = s.init.Name
	}
	// Before what the playlist lists: a segment that is listed is there twice.
	if s.boxes != nil {
		if err := k.put(ctx, hls.SegmentName(s.number), s.boxes); err != nil {
			return err
		}
	}
	return k.put(ctx, s.entry.URI, s.bytes)
}

// put replaces an object of that name that nobody lists: a run that died
// between its segment and its playlist left it, and its init segment may have
// been another.
func (k *taker) put(ctx context.Context, name string, body []byte) error {
	err := k.out.sink.Put(ctx, k.path(name), body)
	if !errors.Is(err, publish.ErrKept) {
		return err
	}
	if err := k.out.sink.Delete(ctx, k.path(name)); err != nil {
		return err
	}
	return k.out.sink.Put(ctx, k.path(name), body)
}

func (k *taker) event(e Event) {
	e.Rendition, e.Output = k.t.rendition.Name, k.out.name
	if e.At.IsZero() {
		e.At = k.t.p.now()
	}
	k.t.p.events(e)
}

// drop is told by the sender what a full lane let go of; the playlist shows it
// as a gap when the next segment comes.
func (k *taker) drop(s *segment) {
	if s.missing {
		return // the next one lists it as well
	}
	k.out.fails(k, s.number, fmt.Errorf("too slow: %d segments of %s wait", k.lane.Waiting(), k.t.rendition.Name))
	k.mu.Lock()
	k.dropped, k.lost = k.dropped+1, k.lost+1
	k.mu.Unlock()
	k.event(Event{Kind: Dropped, Segment: s.number, Bytes: s.size()})
}

// ready tells whether a playlist here lists a segment.
func (k *taker) ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last >= 0
}

func (k *taker) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.list.Segments) == 0
}
