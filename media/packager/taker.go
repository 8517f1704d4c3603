package packager

import (
	"context"
	"errors"
	"path"
	"sync"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/publish"
)

// taker brings one rendition to one sink, on its lane's goroutine: segment,
// then the playlists that list it. Each keeps its own playlist, because sinks
// lose different segments.
type taker struct {
	t    *track
	out  *output
	lane *publish.Lane[*segment]
	err  error // why run ended early; read after the group's Wait

	// The rest belongs to run.
	loaded bool
	init   string // the init segment that is at the sink
	lapsed bool   // something did not get through: read back before the next playlist
	// pending are segments at the sink that no playlist there lists yet.
	pending []*segment
	deleted int64 // everything below this number; -1: not known yet

	mu    sync.Mutex // guards what snapshots and the manifests read
	list  hls.Media
	runs  []dash.Run // of what is listed, from before the window on
	turns int        // how often runs began or left
	whole *dash.Text // subtitles of a clip as one file, when that is there
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
	m := hls.Media{Target: p.target, Live: p.spec.Live, Window: p.window, Epoch: p.spec.Epoch, Keys: t.lock.tags()}
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

func (k *taker) path(name string) string { return path.Join(k.t.rendition.Name, name) }

// run takes segments until the end, then ends the playlists.
func (k *taker) run(ctx context.Context) {
	if k.err = k.lane.Run(ctx); k.err != nil {
		return
	}
	if err := k.leave(ctx); err != nil {
		k.err = k.fatal(err)
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
		return k.fatal(err)
	}
	if last, ok := k.list.Last(); ok && s.number <= last {
		return nil // listed already: what viewers know is never written again
	}
	if err := k.putSegment(ctx, s); err != nil {
		return k.setback(ctx, s, err)
	}
	if err := k.append(s); err != nil {
		return k.fatal(err)
	}
	if more && len(k.pending) < maxPending {
		return nil
	}
	if err := k.putPlaylists(ctx); err != nil {
		return k.setback(ctx, s, err)
	}
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

// setback ends a clip's lane. A live one goes on without the segment, unless a
// successor has taken over or the destination never accepted anything.
func (k *taker) setback(ctx context.Context, s *segment, err error) error {
	var status publish.Status
	hopeless := errors.As(err, &status) && status.Code < 500 && !k.ready()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !k.t.p.spec.Live || superseded(err) || hopeless {
		return k.fatal(err)
	}
	k.t.p.log.Warn("output in trouble", "rendition", k.t.rendition.Name, "segment", s.number, "output", k.out.name, "error", err)
	k.event(Event{Kind: Trouble, Segment: s.number, Err: err})
	k.lapsed = true
	return nil
}

// putSegment puts the init segment, when it is new here, and the segment.
func (k *taker) putSegment(ctx context.Context, s *segment) error {
	ctx, cancel := k.bounded(ctx)
	defer cancel()
	if s.init != nil && s.init.Name != k.init { // subtitles have none
		if err := k.put(ctx, s.init.Name, s.init.Bytes); err != nil {
			return err
		}
		k.init = s.init.Name
	}
	return k.put(ctx, s.entry.URI, s.bytes)
}

func (k *taker) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if !k.t.p.spec.Live {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, k.t.p.patience())
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
	k.mu.Lock()
	k.dropped++
	k.mu.Unlock()
	k.t.p.log.Warn("output too slow, segment dropped", "rendition", k.t.rendition.Name, "segment", s.number, "output", k.out.name)
	k.event(Event{Kind: Dropped, Segment: s.number, Bytes: int64(len(s.bytes))})
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
