package supervisor

import (
	"fmt"
	"net/url"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// stallWatch notices a worker that lives but gets nothing done. It is told the
// time; a gap in the telling (a suspended agent) counts as one tick, so that
// nobody is blamed for what nobody watched.
type stallWatch struct {
	patience patience
	tick     time.Duration
	last     time.Time
	seen     mark
	idle     time.Duration // since there was progress
	fed      int64         // decoded since then
	started  bool          // a rendition has a frame
}

// mark is how far a worker had come.
type mark struct {
	encoded int64 // frames, segments and bytes of all renditions, and what comes after them
	decoded int64
}

// patience is how long a worker may go without progress.
type patience struct {
	// decoding counts as progress: a VOD worker that resumes decodes its way to
	// the first segment that is missing, and cannot decode far ahead otherwise.
	decoding   bool
	firstFrame time.Duration
	fed        time.Duration // while it decodes
	starved    time.Duration // while nothing arrives: a paused source is no fault of the worker
}

// patienceFor: a generated or local live source never pauses, a network one may.
func patienceFor(a *galav1.Assignment, l Limits) patience {
	if a.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		return patience{decoding: true, firstFrame: max(l.FirstFrame, l.VODStall), fed: l.VODStall, starved: l.VODStall}
	}
	p := patience{firstFrame: l.FirstFrame, fed: max(l.LiveStall, frames(a.GetGrid(), l.LiveFrames))}
	p.starved = p.fed
	if overNetwork(a.GetInput()) {
		p.starved = max(p.fed, l.SourceSilence)
	}
	return p
}

func overNetwork(input string) bool {
	u, err := url.Parse(input)
	return err == nil && u.Host != ""
}

// fedFrames: fewer decoded frames than this between two encoded ones prove
// nothing, encoders look ahead.
const fedFrames = 100

// observe takes the newest status and answers why the worker is stalled, or "".
func (w *stallWatch) observe(now time.Time, s *galav1.WorkerStatus, waiting bool) string {
	gap, at := w.advance(now), markOf(s)
	w.started = w.started || at.encoded > 0
	if waiting || w.progressed(at) {
		w.seen, w.idle, w.fed = at, 0, 0
		return ""
	}
	w.idle += gap
	w.fed += max(0, at.decoded-w.seen.decoded)
	w.seen.decoded = at.decoded
	return w.verdict()
}

// progressed: before its first frame every live worker may decode its way to
// a boundary.
func (w *stallWatch) progressed(at mark) bool {
	return at.encoded != w.seen.encoded || at.decoded != w.seen.decoded && (w.patience.decoding || !w.started)
}

func (w *stallWatch) advance(now time.Time) time.Duration {
	gap := now.Sub(w.last)
	if w.last.IsZero() {
		gap = 0
	}
	w.last = now
	return min(gap, 2*w.tick)
}

func (w *stallWatch) verdict() string {
	switch {
	case !w.started && w.idle > w.patience.firstFrame:
		return fmt.Sprintf("no first frame within %s", w.patience.firstFrame)
	case w.started && w.fed >= fedFrames && w.idle > w.patience.fed:
		return fmt.Sprintf("decodes, but no rendition got anything done for %s", w.patience.fed)
	case w.started && w.idle > w.patience.starved:
		return fmt.Sprintf("no rendition got anything done for %s", w.patience.starved)
	}
	return ""
}

func markOf(s *galav1.WorkerStatus) mark {
	m := mark{decoded: s.GetFramesDecoded(), encoded: s.GetFinishing()}
	for _, r := range s.GetRenditions() {
		m.encoded += r.GetFrames() + r.GetSegments() + r.GetBytes()
	}
	return m
}
