package supervisor

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// stallWatch notices a worker that lives but gets nothing done. It is told the
// time; a gap in the telling (a suspended agent) counts as one tick, so that
// nobody is blamed for what nobody watched. A worker that waits for a processor
// has longer, to a bound: to start it again would help nobody.
type stallWatch struct {
	patience patience
	tick     time.Duration
	last     time.Time
	seen     mark
	idle     time.Duration // since there was progress
	fed      int64         // decoded since then
	started  bool          // a rendition has a frame
	used     *usage        // of the processors, when it was first found idle
	judged   time.Duration // since then
	starved  bool          // it waited for a processor since then
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
	waiting    time.Duration // for a processor, on top of the others
}

// opening is how long a live worker may be busy with opening another input, before
// it goes on without.
const opening = 7 * time.Second

// patienceFor: a live worker goes on in real time whatever its inputs do, when it has
// found that one is lost and no other opens. Files on the web and lists of segments pause.
func patienceFor(a *galav1.Assignment, l Limits) patience {
	if a.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		return patience{decoding: true, firstFrame: max(l.FirstFrame, l.VODStall), fed: l.VODStall, starved: l.VODStall, waiting: l.Waiting}
	}
	p := patience{waiting: l.Waiting, firstFrame: l.FirstFrame, fed: max(l.LiveStall, frames(a.GetGrid(), l.LiveFrames))}
	p.starved = p.fed
	loss := time.Duration(a.GetFailover().GetLossMs()) * time.Millisecond
	inputs := []string{a.GetInput()}
	for _, b := range a.GetBackups() {
		inputs = append(inputs, b.GetUrl())
	}
	for _, name := range inputs {
		switch {
		case !overNetwork(name):
		case input.Continuous(name) && !strings.HasPrefix(name, "http"):
			p.starved = max(p.starved, loss+opening)
		default: // segments of a list come at once, and then none for long
			p.starved = max(p.starved, loss+l.SourceSilence)
		}
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

// observe takes the newest status, and answers why the worker is stalled, or "".
// It asks what its threads have used, which costs a file each, only of one that
// gets nothing done.
func (w *stallWatch) observe(now time.Time, s *galav1.WorkerStatus, used func() usage, waiting bool) string {
	gap, at := w.advance(now), markOf(s)
	w.started = w.started || at.encoded > 0
	if waiting || w.progressed(at) {
		w.seen, w.idle, w.fed, w.used, w.judged, w.starved = at, 0, 0, nil, 0, false
		return ""
	}
	w.idle += gap
	w.starve(used(), gap)
	w.fed += max(0, at.decoded-w.seen.decoded)
	w.seen.decoded = at.decoded
	return w.verdict()
}

// starve judges by all of the time without progress: on a host that has far too
// much to do, what a thread waited is told seconds later, when it has run.
func (w *stallWatch) starve(u usage, gap time.Duration) {
	if w.used == nil {
		w.used = &u
		return
	}
	w.judged += gap
	w.starved = u.since(*w.used).hungry(w.judged)
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
	if !w.starved {
		return w.late(0)
	}
	why := w.late(w.patience.waiting)
	if why != "" {
		why += fmt.Sprintf(", and %s more in which it waited for a processor", w.patience.waiting)
	}
	return why
}

// late is why the worker is stalled, with so much more patience.
func (w *stallWatch) late(more time.Duration) string {
	switch idle := w.idle - more; {
	case !w.started && idle > w.patience.firstFrame:
		return fmt.Sprintf("no first frame within %s", w.patience.firstFrame)
	case w.started && w.fed >= fedFrames && idle > w.patience.fed:
		return fmt.Sprintf("decodes, but no rendition got anything done for %s", w.patience.fed)
	case w.started && idle > w.patience.starved:
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
