package packager

import (
	"sync"
	"time"
)

// health is how an output of a live job fares. However many segments of
// however many renditions a trouble costs, it is told twice: when it begins,
// and, with what was lost, when it is over.
type health struct {
	mu sync.Mutex
	// failing are the takers that got nothing through since they failed.
	failing map[*taker]struct{}
	since   time.Time // zero: no trouble
	last    time.Time // newest failure
	before  int64     // segments lost when it began
	cause   error
	// calm is how long nothing may fail until a trouble counts as over: longer
	// each time, so that an output which flaps is not told of for ever.
	calm time.Duration
}

// The shortest and the longest that health.calm is.
const (
	firstCalm   = 5 * time.Second
	longestCalm = 5 * time.Minute
)

// fail notes that something did not get through; k is nil where that was no
// rendition's. It tells whether this begins a trouble.
func (h *health) fail(k *taker, now time.Time, lost int64, err error) (begins bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k != nil {
		if h.failing == nil {
			h.failing = map[*taker]struct{}{}
		}
		h.failing[k] = struct{}{}
	}
	h.last, h.cause = now, err
	if !h.since.IsZero() {
		return false
	}
	h.since, h.before = now, lost
	h.calm = min(max(2*h.calm, firstCalm), longestCalm)
	return true
}

// well notes that a taker's playlist got through. It tells whether that ends a
// trouble, and when it had begun and what had been lost by then.
func (h *health) well(k *taker, now time.Time) (over bool, since time.Time, before int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failing, k)
	if h.since.IsZero() || len(h.failing) > 0 || now.Sub(h.last) < h.calm {
		return false, time.Time{}, 0
	}
	since, h.since, h.cause = h.since, time.Time{}, nil
	return true, since, h.before
}

// trouble is the one that the output is in, zero for none.
func (h *health) trouble() (since time.Time, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since, h.cause
}

// fails tells of a trouble when it begins.
func (o *output) fails(k *taker, segment int64, err error) {
	now := o.p.now()
	if !o.health.fail(k, now, o.lost(), err) {
		return
	}
	e := Event{Kind: Trouble, Output: o.name, At: now, Segment: segment, Err: err}
	if k != nil {
		e.Rendition = k.t.rendition.Name
	}
	o.p.events(e)
}

// gotThrough tells of the end of a trouble.
func (o *output) gotThrough(k *taker, segment int64) {
	now := o.p.now()
	over, since, before := o.health.well(k, now)
	if !over {
		return
	}
	o.p.events(Event{Kind: Recovered, Output: o.name, At: now, Segment: segment, Duration: now.Sub(since), Lost: o.lost() - before})
}

// lost counts the segments, of all renditions, that never came here.
func (o *output) lost() (n int64) {
	for _, k := range o.takers() {
		n += k.progress().Lost
	}
	return n
}

func (o *output) takers() []*taker {
	all := make([]*taker, 0, len(o.p.order))
	for _, t := range o.p.order {
		all = append(all, t.takers[o.index])
	}
	return all
}

// OutputState is how an output fares.
type OutputState int

// The states of an output.
const (
	Starting  OutputState = iota // nothing of this packager is there yet
	Well                         // it takes what comes
	InTrouble                    // something did not get through, or comes too slowly
)

// OutputProgress is one output of a job as it stands.
type OutputProgress struct {
	State OutputState
	Since time.Time // of the trouble
	Cause error     // of the trouble
	// LastSegment is the newest that every rendition lists there, -1 before the
	// first; subtitles, which come later, do not count beside others.
	LastSegment   int64
	LastSegmentAt time.Time
	// Behind is how many segments the slowest rendition there lacks of what was
	// made; Lost counts those, of all renditions, that will never be there.
	Behind, Lost int64
	Bytes        int64 // of the segments that this packager brought there
}

// Outputs is a snapshot, in the order of the spec's outputs.
func (p *Packager) Outputs() []OutputProgress {
	all := make([]OutputProgress, len(p.outputs))
	for i, o := range p.outputs {
		all[i] = o.progress()
	}
	return all
}

func (o *output) progress() OutputProgress {
	out := OutputProgress{LastSegment: -1, Lost: o.lost()}
	first, begun := true, false
	for _, k := range o.takers() {
		if k.t.rendition.Text != nil && k.t != o.p.order[0] {
			continue
		}
		p := k.progress()
		out.Bytes += p.Bytes
		begun = begun || p.Segments > 0
		if first || p.LastSegment < out.LastSegment {
			out.LastSegment = p.LastSegment
		}
		if p.LastSegmentAt.After(out.LastSegmentAt) {
			out.LastSegmentAt = p.LastSegmentAt
		}
		out.Behind, first = max(out.Behind, k.behind(p)), false
	}
	if begun {
		out.State = Well
	}
	if out.Since, out.Cause = o.health.trouble(); !out.Since.IsZero() {
		out.State = InTrouble
	}
	return out
}

// behind is how many segments were made since the newest that is here.
func (k *taker) behind(p Progress) int64 {
	newest, from := k.t.newest.Load(), k.t.oldest.Load()
	if newest < 0 {
		return 0
	}
	return newest - max(p.LastSegment, from-1)
}
