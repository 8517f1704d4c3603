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
	frames   int64 // encoded, all renditions
	decoded  int64
	idle     time.Duration // since any rendition gained a frame
	fed      int64         // decoded since then
	started  bool
}

// patience is how long a worker may go without a frame.
type patience struct {
	firstFrame time.Duration
	fed        time.Duration // while it decodes
	starved    time.Duration // while nothing arrives: a paused source is no fault of the worker
}

// patienceFor: a generated or local live source never pauses, a network one may.
func patienceFor(a *galav1.Assignment, l Limits) patience {
	if a.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		return patience{firstFrame: max(l.FirstFrame, l.VODStall), fed: l.VODStall, starved: l.VODStall}
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
	gap := w.advance(now)
	frames := framesOf(s)
	if frames != w.frames || waiting {
		w.started = w.started || frames > 0
		w.frames, w.decoded, w.idle, w.fed = frames, s.GetFramesDecoded(), 0, 0
		return ""
	}
	w.idle += gap
	w.fed += max(0, s.GetFramesDecoded()-w.decoded)
	w.decoded = s.GetFramesDecoded()
	return w.verdict()
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
		return fmt.Sprintf("decodes, but no rendition gained a frame for %s", w.patience.fed)
	case w.started && w.idle > w.patience.starved:
		return fmt.Sprintf("no rendition gained a frame for %s", w.patience.starved)
	}
	return ""
}

func framesOf(s *galav1.WorkerStatus) (n int64) {
	for _, r := range s.GetRenditions() {
		n += r.GetFrames()
	}
	return n
}
