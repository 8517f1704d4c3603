package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// WatchOptions say what to follow, and how closely.
type WatchOptions struct {
	// Target is a live tree, as in Options.
	Target string
	// For ends the watch; 0: it lasts until ctx ends or every playlist has.
	For time.Duration
	// Pace is the time between two looks at a playlist, and the precision of
	// every delay. 0 is a player's: the target duration after a new version,
	// half of it after none (RFC 8216bis §6.3.4).
	Pace time.Duration
	// See, which may be nil, is told of every segment as it comes, Tell of
	// everything that is not as it should be. Neither is called twice at a time.
	See  func(Sighting)
	Tell func(Incident)
}

// Sighting is one segment of one rendition as a player gets it.
type Sighting struct {
	Rendition string
	Number    int64
	// Due is when the last of it was on air by the grid: EXT-X-PROGRAM-DATE-TIME
	// and its length. Zero where the playlist tells no time.
	Due    time.Time
	Length time.Duration
	// Listed is when a playlist first had it; Fetched when it was read whole,
	// zero for a gap.
	Listed, Fetched time.Time
	// Gap: the number is listed as missing.
	Gap bool
	// Late: it came more than its length later than segments here usually do.
	Late bool
}

// Incident is one thing that was not as it should be.
type Incident struct {
	At time.Time `json:"at"`
	// Rule is the one that broke.
	Rule      string `json:"rule"`
	Rendition string `json:"rendition,omitempty"`
	What      string `json:"what"`
}

// Watch follows a live tree as a player does until its time is over, ctx ends
// or the programme does; none of these is an error. It errs with ErrCannotLook
// when there is no tree. Its memory is bounded by the window of the playlists.
func Watch(ctx context.Context, o WatchOptions) (Report, error) {
	t, err := open(ctx, o.Target)
	if err != nil {
		return Report{}, err
	}
	w := newWatcher(o, t)
	names, err := playlistsOf(t.masterPath, t.masterObject)
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	if o.For > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, o.For)
		defer end()
	}
	w.run(ctx, names)
	return w.report(), nil
}

// watcher follows every playlist of one tree, each in a goroutine of its own.
type watcher struct {
	o      WatchOptions
	store  store
	master string
	book   *book
	began  time.Time
	ended  time.Time
	// renditions and gone (those that were listed once) are followMaster's.
	renditions []*watched
	gone       map[string]bool

	mu        sync.Mutex // guards what follows
	looks     int
	failed    int
	away      outages
	ends      endings
	edge      drift
	incidents []Incident // the newest
}

func newWatcher(o WatchOptions, t *tree) *watcher {
	return &watcher{o: o, store: t.store, master: t.masterPath, book: newBook(watchRules()), began: time.Now(),
		ends: endings{at: map[int64]*ending{}}}
}

// run ends with ctx, or when every playlist has its end.
func (w *watcher) run(ctx context.Context, names []string) {
	var all sync.WaitGroup
	following, ended := context.WithCancel(ctx)
	defer ended()
	var playing atomic.Int64
	start := func(name string) {
		r := w.join(name)
		playing.Add(1)
		all.Go(func() {
			w.follow(following, r)
			if playing.Add(-1) == 0 {
				ended()
			}
		})
	}
	playing.Add(1) // until all of the first ones have begun
	for _, name := range names {
		start(name)
	}
	all.Go(func() { w.followMaster(following, start) })
	all.Go(func() { w.followManifest(following) })
	if playing.Add(-1) == 0 {
		ended()
	}
	all.Wait()
	w.ended = time.Now()
}

func (w *watcher) join(name string) *watched {
	r := newWatched(name, path.Dir(name))
	w.renditions = append(w.renditions, r)
	return r
}

// playlistsOf are the media playlists that a master playlist names, once each,
// those of I-frames left out.
func playlistsOf(p string, o object) ([]string, error) {
	list, kind, err := m3u8.DecodeWith(strings.NewReader(string(o.body)), true, nil)
	master, ok := list.(*m3u8.MasterPlaylist)
	if err != nil || !ok || kind != m3u8.MASTER {
		return nil, fmt.Errorf("%s is no master playlist: %v", p, err)
	}
	var names []string
	seen := map[string]bool{}
	add := func(uri string) {
		name := path.Join(path.Dir(p), uri)
		if uri != "" && !seen[name] && !strings.Contains(uri, "://") && !strings.HasPrefix(name, "..") {
			seen[name], names = true, append(names, name)
		}
	}
	for _, v := range master.Variants {
		if !v.Iframe {
			add(v.URI)
		}
	}
	for _, a := range master.GetAllAlternatives() {
		add(a.URI)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s names no playlist of this tree", p)
	}
	return names, nil
}

// follow one media playlist to its end.
func (w *watcher) follow(ctx context.Context, r *watched) {
	for ctx.Err() == nil {
		fresh, over := w.look(ctx, r)
		if over {
			return
		}
		pause := w.o.Pace
		if pause == 0 {
			pause = r.pace(fresh)
		}
		if !rest(ctx, pause) {
			return
		}
	}
}

// pace of a player. A playlist that is not there yet is asked for each second.
func (r *watched) pace(fresh bool) time.Duration {
	target := time.Duration(max(r.target, 1)) * time.Second
	if fresh || r.target == 0 {
		return target
	}
	return target / 2
}

// rest tells whether the whole pause has passed.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// masterEvery is how often the master playlist is looked at.
const masterEvery = 5 * time.Second

// followMaster sees renditions come and go.
func (w *watcher) followMaster(ctx context.Context, start func(string)) {
	for rest(ctx, masterEvery) {
		o, ok := w.get(ctx, w.master)
		if !ok {
			continue
		}
		names, err := playlistsOf(w.master, o)
		w.holds("watch-lists", err == nil, "", at(w.master), "%v", err)
		if err != nil {
			continue
		}
		w.compareLists(names, start)
	}
}

func (w *watcher) compareLists(names []string, start func(string)) {
	gone := map[string]bool{}
	for _, r := range w.renditions {
		gone[r.path] = true
	}
	for _, name := range names {
		if !gone[name] {
			start(name)
		}
		delete(gone, name)
	}
	w.book.looked("watch-renditions")
	for name := range gone {
		if !w.gone[name] {
			w.holds("watch-renditions", false, path.Dir(name), at(w.master), "%s is no longer listed", name)
		}
	}
	w.gone = gone
}

// answerWithin is how long a player waits for an answer before it asks again.
const answerWithin = 8 * time.Second

// get reads an object and keeps the record of when the tree did not answer.
func (w *watcher) get(ctx context.Context, name string) (object, bool) {
	asked, done := context.WithTimeout(ctx, answerWithin)
	defer done()
	o, err := w.store.get(asked, name)
	if ctx.Err() != nil {
		return object{}, false
	}
	there := err == nil || errors.Is(err, errNotThere)
	w.mu.Lock()
	w.looks++
	if !there {
		w.failed++
	}
	lasted, over := w.away.note(time.Now(), there)
	w.mu.Unlock()
	w.book.looked("watch-reach")
	if over {
		w.holds("watch-reach", false, "", at(name), "the tree did not answer for %v", lasted.Round(time.Millisecond))
	}
	return o, err == nil
}

// outages of the tree as a whole.
type outages struct{ since time.Time }

// note tells how long it was away when it is back.
func (a *outages) note(now time.Time, there bool) (lasted time.Duration, over bool) {
	switch {
	case !there && a.since.IsZero():
		a.since = now
	case there && !a.since.IsZero():
		lasted, over = now.Sub(a.since), true
		a.since = time.Time{}
	}
	return lasted, over
}

// incidentsKept bounds what a watch of days remembers one by one.
const incidentsKept = 200

// holds is the book's, and tells of what is broken.
func (w *watcher) holds(id string, ok bool, rendition string, where Place, format string, args ...any) {
	w.book.holds(id, ok, where, format, args...)
	if ok {
		return
	}
	in := Incident{At: time.Now(), Rule: id, Rendition: rendition, What: fmt.Sprintf(format, args...)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.incidents = append(w.incidents, in); len(w.incidents) > incidentsKept {
		w.incidents = w.incidents[1:]
	}
	if w.o.Tell != nil {
		w.o.Tell(in)
	}
}

// see tells of a segment.
func (w *watcher) see(s Sighting) {
	if w.o.See != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.o.See(s)
	}
}
