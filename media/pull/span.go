package pull

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// span is a run of segments of one length.
type span struct {
	r       *representation
	t, d    int64 // media time of the first, and the length, in ticks
	count   int64
	number  int64
	counted bool // by duration: when each is there follows from its number
}

// spans are those that are there at now, in ns.
func (r *representation) spans(now int64, ended bool) []span {
	if r.timeline == nil {
		return r.counted(now, ended)
	}
	return r.listed(now, ended)
}

// counted: a segment is there when it has passed (§5.3.9.5.3).
func (r *representation) counted(now int64, ended bool) []span {
	s := span{r: r, t: r.place.offset, d: r.duration, number: r.number, counted: true}
	until := now
	if ended && r.end < 0 {
		return nil // nothing says how much there is
	}
	if r.end >= 0 && (ended || r.end < now) {
		until = r.end + s.length() - 1 // the last may be short
	}
	s.count = r.bound(s.number, s.fit(until))
	return []span{s}
}

// listed: what a timeline lists is there; what it repeats without end, when it
// has passed (§5.3.9.6).
func (r *representation) listed(now int64, ended bool) []span {
	var all []span
	t, number := int64(0), r.number
	for i, e := range r.timeline.S {
		if e.T != nil {
			t = int64(*e.T)
		}
		if e.N != nil {
			number = int64(*e.N)
		}
		s := span{r: r, t: t, d: int64(e.D), count: int64(e.R) + 1, number: number}
		if s.d <= 0 {
			continue
		}
		if e.R < 0 {
			s.count = r.endless(i, s, now, ended)
		}
		if s.count = r.bound(number, s.count); s.count > 0 {
			all = append(all, s)
		}
		t, number = t+s.d*s.count, number+s.count
	}
	return all
}

// endless is how often an entry repeats that goes on to the next, or the end.
func (r *representation) endless(i int, s span, now int64, ended bool) int64 {
	if i+1 < len(r.timeline.S) && r.timeline.S[i+1].T != nil {
		return (int64(*r.timeline.S[i+1].T) - s.t) / s.d
	}
	if r.end >= 0 && (ended || r.end < now) {
		return s.fit(r.end)
	}
	return s.fit(now)
}

// bound holds a count to the last number, where that is told.
func (r *representation) bound(first, count int64) int64 {
	if r.last >= 0 {
		count = min(count, r.last-first+1)
	}
	return max(0, count)
}

// fit is how many of the run end by until, in ns.
func (s span) fit(until int64) int64 {
	media := timeline.Rescale(until-s.r.place.start, nanoseconds, s.r.place.base) + s.r.place.offset
	k := max(0, (media-s.t)/s.d)
	if k > 0 && s.at(k) > until { // ticks are coarser
		k--
	}
	return k
}

// at is when the k-th is shown, in ns.
func (s span) at(k int64) int64 {
	return s.r.place.start + timeline.Rescale(s.t+k*s.d-s.r.place.offset, s.r.place.base, nanoseconds)
}

// clip holds a time to the Period: its last segment may be short.
func (s span) clip(at int64) int64 {
	if s.r.end >= 0 {
		return min(at, s.r.end)
	}
	return at
}

func (s span) length() int64 { return max(1, timeline.Rescale(s.d, s.r.place.base, nanoseconds)) }

// first is the first that begins at from, in ns, or later - give or take half a
// segment: lists round.
func (s span) first(from int64) int64 {
	media := timeline.Rescale(from-s.length()/2-s.r.place.start, nanoseconds, s.r.place.base) + s.r.place.offset
	return max(0, (media-s.t+s.d-1)/s.d)
}

// late is how long a server may be behind its own manifest.
const late = 10 * time.Second

// segment is the k-th.
func (s span) segment(k int64, zero, now time.Time) (segment, error) {
	at, number := s.t+k*s.d, s.number+k
	body, err := s.r.address(s.r.media, number, at)
	if err != nil {
		return segment{}, err
	}
	init, err := s.r.address(s.r.init, number, at)
	if err != nil {
		return segment{}, err
	}
	until := now
	if s.counted {
		until = zero.Add(time.Duration(s.at(k + 1)))
	}
	return segment{object: object{at: body}, init: object{at: init}, place: s.r.place, until: until.Add(late)}, nil
}

var identifier = regexp.MustCompile(`\$(?:([A-Za-z]+)(?:%0([0-9]{1,2})d)?)?\$`)

// address fills a template in (§5.3.9.4.4).
func (r *representation) address(template string, number, at int64) (string, error) {
	var unknown error
	name := identifier.ReplaceAllStringFunc(template, func(id string) string {
		m := identifier.FindStringSubmatch(id)
		width, _ := strconv.Atoi(m[2])
		switch m[1] {
		case "":
			return "$"
		case "RepresentationID":
			return r.id
		case "Number":
			return fmt.Sprintf("%0*d", width, number)
		case "Bandwidth":
			return fmt.Sprintf("%0*d", width, r.bandwidth)
		case "Time":
			return fmt.Sprintf("%0*d", width, at)
		}
		unknown = fmt.Errorf("segment template %q: $%s$ is unknown", template, m[1])
		return id
	})
	if unknown != nil {
		return "", refusal(unknown.Error(), "give a source that is addressed by $Number$ or $Time$")
	}
	u, err := r.base.Parse(name)
	if err != nil {
		return "", noAddress(input.DisplayURL(r.base), name)
	}
	return u.String(), nil
}
