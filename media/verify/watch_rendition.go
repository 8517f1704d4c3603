package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/media/cmaf"
)

// watched is one media playlist over time. Its own goroutine alone touches it
// until the watch is over.
type watched struct {
	name, path string
	target     int64 // seconds, 0 before the first look
	first      int64 // of the list, when it was last looked at
	last       int64
	seen       bool // it was there once
	known      map[int64]*listed
	body       []byte // of the newest version, and what it says
	list       *playlist
	init       *initSegment
	pending    []Sighting // listed, and not read yet
	renewed    time.Time  // when its newest segment was listed
	stale      bool       // told for this pause
	over       bool
	fresh      int // new versions
	random     *rand.Rand

	kind    string // video, audio, or "" for text
	counts  counts
	delay   spread
	pause   spread // between two new segments
	usual   median
	lastNew time.Time
}

// counts of one rendition.
type counts struct{ segments, gaps, never, late, stale, discontinuities, changed, refused int }

// listed is what a number stood for when it was listed first.
type listed struct {
	path string
	gap  bool
	read bool
	sum  [sha256.Size]byte // of its bytes, when read
	told bool              // that it cannot be read
}

func newWatched(name, folder string) *watched {
	return &watched{name: folder, path: name, known: map[int64]*listed{}, random: rand.New(rand.NewPCG(1, 2))}
}

// look at the playlist once. fresh: it has a new segment.
func (w *watcher) look(ctx context.Context, r *watched) (fresh, over bool) {
	o, ok := w.get(ctx, r.path)
	now := time.Now()
	if ctx.Err() != nil {
		return false, false
	}
	if !ok {
		w.checkRenewed(r, now)
		return false, false
	}
	if !bytes.Equal(o.body, r.body) {
		list, err := parsePlaylist(r.path, o)
		w.holds("watch-lists", err == nil, r.name, at(r.path), "%v", err)
		if err != nil || len(list.entries) == 0 {
			w.checkRenewed(r, now)
			return false, err == nil && list.closed
		}
		r.body, r.list, r.target, r.over = o.body, list, list.target, list.closed
		if !r.seen {
			r.join(list, now)
		}
		if fresh = w.compareWindow(r, list, now); fresh {
			r.fresh++
		}
	}
	w.checkRenewed(r, now)
	w.fetch(ctx, r)
	if fresh && r.fresh%sampleEvery == 0 {
		w.sample(ctx, r)
	}
	return fresh, r.over && len(r.pending) == 0
}

// join takes what is listed at the first look as it is: when it came is not known.
func (r *watched) join(list *playlist, now time.Time) {
	r.seen, r.renewed, r.lastNew = true, now, now
	for _, e := range list.entries {
		r.known[e.number] = &listed{path: e.path, gap: e.gap}
	}
	r.first, r.last = list.entries[0].number, list.entries[len(list.entries)-1].number
}

// compareWindow holds a version of the playlist against the one before.
func (w *watcher) compareWindow(r *watched, list *playlist, now time.Time) (fresh bool) {
	first, last := list.entries[0].number, list.entries[len(list.entries)-1].number
	w.holds("watch-forward", first >= r.first && last >= r.last, r.name, at(r.path), "it had %d–%d, now %d–%d", r.first, r.last, first, last)
	w.book.looked("watch-numbers", "watch-gap", "watch-discontinuity", "watch-append")
	for n := r.last + 1; n < first; n++ {
		r.counts.never++
		w.holds("watch-numbers", false, r.name, at(r.path), "number %d was never listed", n)
		w.see(Sighting{Rendition: r.name, Number: n, Listed: now, Gap: true})
	}
	for _, e := range list.entries {
		if had := r.known[e.number]; had != nil {
			w.holds("watch-append", had.path == e.path && had.gap == e.gap, r.name, at(e.path),
				"number %d was %s (gap: %v), now it is %s (gap: %v)", e.number, had.path, had.gap, e.path, e.gap)
		} else if e.number > r.last {
			fresh = true
			w.list(r, e, now)
		}
	}
	for n := range r.known {
		if n < first {
			delete(r.known, n)
		}
	}
	r.first, r.last = max(r.first, first), max(r.last, last)
	return fresh
}

// list takes a number that is new.
func (w *watcher) list(r *watched, e entry, now time.Time) {
	r.known[e.number] = &listed{path: e.path, gap: e.gap}
	r.renewed, r.stale = now, false
	s := Sighting{Rendition: r.name, Number: e.number, Length: time.Duration(e.micros) * time.Microsecond, Listed: now, Gap: e.gap}
	if !e.time.IsZero() {
		s.Due = e.time.Add(s.Length)
	}
	if e.discontinuity {
		r.counts.discontinuities++
		w.holds("watch-discontinuity", false, r.name, at(e.path), "a discontinuity stands before number %d", e.number)
	}
	if e.gap {
		r.counts.gaps++
		w.holds("watch-gap", false, r.name, at(e.path), "number %d is listed as missing", e.number)
		w.see(s)
		return
	}
	r.pending = append(r.pending, s)
}

// checkRenewed: the rule's time, and what our own pace adds to it.
func (w *watcher) checkRenewed(r *watched, now time.Time) {
	if !r.seen || r.over || r.stale {
		return
	}
	slack := w.o.Pace
	if slack == 0 {
		slack = r.pace(true)
	}
	limit := time.Duration(r.target)*1500*time.Millisecond + slack
	if r.stale = now.Sub(r.renewed) > limit; r.stale {
		r.counts.stale++
	}
	w.holds("watch-renewed", !r.stale, r.name, at(r.path), "no new segment for %v, the target duration is %d s", now.Sub(r.renewed).Round(time.Millisecond), r.target)
}

// fetch reads what was listed; what cannot be read yet is tried again with the
// next look, for as long as it is listed.
func (w *watcher) fetch(ctx context.Context, r *watched) {
	pending := r.pending
	r.pending = nil
	for _, s := range pending {
		i := slices.IndexFunc(r.list.entries, func(e entry) bool { return e.number == s.Number })
		if i < 0 {
			continue // it slid out unread
		}
		e := r.list.entries[i]
		o, ok := w.get(ctx, e.path)
		if ctx.Err() != nil {
			return
		}
		if !ok {
			w.refused(r, e)
			r.pending = append(r.pending, s)
			continue
		}
		s.Fetched = time.Now()
		w.book.looked("watch-fetch")
		w.arrived(ctx, r, e, s, o.body)
	}
}

// refused is told once for a number.
func (w *watcher) refused(r *watched, e entry) {
	if k := r.known[e.number]; k != nil && !k.told {
		k.told = true
		r.counts.refused++
		w.holds("watch-fetch", false, r.name, at(e.path), "listed, and cannot be read")
	}
}

// arrived counts a segment that was read whole.
func (w *watcher) arrived(ctx context.Context, r *watched, e entry, s Sighting, body []byte) {
	if k := r.known[e.number]; k != nil {
		k.sum, k.read = sha256.Sum256(body), true
	}
	r.counts.segments++
	r.pause.add(s.Fetched.Sub(r.lastNew))
	r.lastNew = s.Fetched
	if !s.Due.IsZero() {
		w.time(r, e, &s)
	}
	w.compareEnds(ctx, r, e, s.Fetched, body)
	w.see(s)
}

// time holds a segment's moment against the grid's, and against what is usual.
func (w *watcher) time(r *watched, e entry, s *Sighting) {
	delay, usual := s.Fetched.Sub(s.Due), r.usual.value()
	if s.Late = r.usual.filled() && delay-usual > s.Length+w.o.Pace; s.Late {
		r.counts.late++
	}
	w.holds("watch-late", !s.Late, r.name, at(e.path), "it came %v after it was due, %v is usual", delay.Round(time.Millisecond), usual.Round(time.Millisecond))
	r.delay.add(delay)
	r.usual.add(delay)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.edge.add(s.Fetched, delay)
}

// compareEnds holds sound and pictures of one number against each other. Text,
// and what does not parse, is left out: judging that is for a look at the tree.
func (w *watcher) compareEnds(ctx context.Context, r *watched, e entry, now time.Time, body []byte) {
	init := w.initOf(ctx, r, e)
	if init == nil {
		return
	}
	p, err := cmaf.Parse(init.track, body)
	w.holds("watch-fetch", err == nil, r.name, at(e.path), "%v", err)
	if err != nil || len(p.Samples()) == 0 {
		return
	}
	s := newSegment(e, init, body, p)
	end, frame := time.Duration(s.toMicros(s.end))*time.Microsecond, time.Duration(0)
	r.kind = "video"
	if !init.track.Video {
		r.kind, frame = "audio", time.Duration(s.frameMicros()+1)*time.Microsecond
	}
	w.mu.Lock()
	off, most, both := w.ends.add(e.number, init.track.Video, end, frame, now)
	w.mu.Unlock()
	if both {
		w.holds("watch-av", off.Abs() <= most, r.name, at(e.path), "sound ends %v after the pictures", off)
	}
}

// initOf is the init segment of an entry, nil for text and for one that is not
// there. One is kept: a list changes it now and then only.
func (w *watcher) initOf(ctx context.Context, r *watched, e entry) *initSegment {
	if e.init == "" || !strings.HasSuffix(e.path, ".m4s") {
		return nil
	}
	if r.init != nil && r.init.path == e.init {
		return r.init
	}
	o, ok := w.get(ctx, e.init)
	if !ok {
		return nil
	}
	init, err := parseInit(e.init, o.body)
	w.holds("watch-fetch", err == nil, r.name, at(e.init), "%v", err)
	if err == nil {
		r.init = init
	}
	return init
}

// sampleEvery is how many new versions of a playlist pass before an older
// segment is read again.
const sampleEvery = 5

// sample reads a segment again that is still listed, and compares.
func (w *watcher) sample(ctx context.Context, r *watched) {
	if r.last <= r.first {
		return
	}
	k := r.known[r.first+r.random.Int64N(r.last-r.first)]
	if k == nil || k.gap {
		return
	}
	o, ok := w.get(ctx, k.path)
	if !ok {
		return // it may have slid out just now
	}
	sum := sha256.Sum256(o.body)
	same := !k.read || sum == k.sum
	if !same {
		r.counts.changed++
	}
	w.holds("watch-frozen", same, r.name, at(k.path), "its bytes are not those of before")
	k.sum, k.read = sum, true
}
