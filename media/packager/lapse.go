package packager

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/timeline"
)

// LapseClass is the CLASS of the date ranges in which a live job has no programme:
// its last picture stands, or its slate, and sound is silence.
const LapseClass = "com.gala.slate"

// lapse is frames [from, to) of the grid; to is open while it lasts.
type lapse struct{ from, to int64 }

const open = math.MaxInt64

// lapses are those of a live job, the oldest first, as its playlists and manifests
// mark them, and the brand of its segments. Their names follow from the frame they
// began with; a successor goes on with one that its predecessor left open.
type lapses struct {
	grid timeline.Grid

	mu  sync.Mutex
	all []lapse
	// back is when there was programme last, by this worker: what is read back
	// after that, and is open, ended then. 0: never.
	back  int64
	turns int // how often they changed
}

// mostLapses bounds what a source that comes and goes leaves in the playlists.
const mostLapses = 50

// Lapse tells that there is no programme from grid frame n on, or that there is
// again.
func (p *Packager) Lapse(on bool, n int64, cause string) {
	p.log.Info("lapse", "on", on, "frame", n, "cause", cause)
	l := &p.lapses
	l.mu.Lock()
	defer l.mu.Unlock()
	if !on {
		l.back = n
		l.close(n)
		return
	}
	if last := len(l.all) - 1; last >= 0 && l.all[last].to == open {
		return
	}
	l.turns++
	l.all = append(l.all, lapse{n, open})
	if extra := len(l.all) - mostLapses; extra > 0 {
		l.all = slices.Delete(l.all, 0, extra)
	}
}

func (l *lapses) close(n int64) {
	for i := range l.all {
		if x := &l.all[i]; x.to == open && x.from < n {
			x.to = n
			l.turns++
		}
	}
}

// recall takes over what a predecessor marked: an open one that began before ours
// is the same. from is the frame with which this worker begins: what was marked after that is of
// pictures which it makes anew, and marks itself where it lacks them.
func (l *lapses) recall(old []hls.DateRange, from int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range old {
		x, ok := l.read(r)
		if !ok || x.from >= from {
			continue
		}
		if x.to > from {
			x.to = open
		}
		if x.to == open && x.from < l.back {
			x.to = l.back
		}
		if i := slices.IndexFunc(l.all, func(have lapse) bool { return have.from == x.from }); i >= 0 {
			if x.to < l.all[i].to { // another output tells when it ended
				l.all[i].to, l.turns = x.to, l.turns+1
			}
			continue
		}
		l.all, l.turns = append(l.all, x), l.turns+1
	}
	slices.SortStableFunc(l.all, func(a, b lapse) int { return cmp.Compare(a.from, b.from) })
	l.join()
}

// join makes one of lapses without programme in between.
func (l *lapses) join() {
	var all []lapse
	for _, x := range l.all {
		if last := len(all) - 1; last >= 0 && x.from <= all[last].to {
			all[last].to = max(all[last].to, x.to)
			continue
		}
		all = append(all, x)
	}
	l.all = all
}

// wall is when a frame of the grid is on air, as date ranges tell it.
func (l *lapses) wall(n int64) time.Time {
	return time.Unix(0, int64(l.grid.TimeOf(n))).Round(time.Millisecond).UTC()
}

const lapseID = "slate-"

func (l *lapses) read(r hls.DateRange) (x lapse, ok bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(r.ID, lapseID), 10, 64)
	if r.Class != LapseClass || err != nil {
		return lapse{}, false
	}
	if x = (lapse{n, open}); !r.End.IsZero() {
		// A time is rounded to a millisecond, which is less than half a frame.
		x.to = l.grid.FrameAt(time.Duration(r.End.UnixNano()) + l.grid.TimeOf(1)/2)
	}
	return x, true
}

// before is the last segment, newest at most, that has programme where a playlist marks
// these: one that lasts fills all that come.
func (l *lapses) before(newest int64, marked []hls.DateRange) int64 {
	for _, r := range marked {
		if x, ok := l.read(r); ok && x.to == open {
			newest = min(newest, l.grid.Segment(x.from)-1)
		}
	}
	return max(newest, -1)
}

// list is what playlists mark.
func (l *lapses) list() []hls.DateRange {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []hls.DateRange
	for _, x := range l.all {
		r := hls.DateRange{ID: fmt.Sprint(lapseID, x.from), Class: LapseClass, Start: l.wall(x.from)}
		if x.to != open {
			r.End = l.wall(x.to)
		}
		all = append(all, r)
	}
	return all
}

// since are those that last beyond frame n, as manifests mark them.
func (l *lapses) since(n int64) (all []dash.Lapse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if x.to > n {
			all = append(all, dash.Lapse{From: x.from, To: x.to})
		}
	}
	return all
}

func (l *lapses) changes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns
}

// in tells whether any of segment number is in a lapse. Frames come after the word
// that they are in one.
func (l *lapses) in(number int64) bool {
	from, to := l.grid.FirstFrame(number), l.grid.FirstFrame(number+1)
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, func(x lapse) bool { return x.from < to && from < x.to })
}
