package packager

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
)

// A rendition of subtitles has no frames of its own. Its segments are cut when
// those of the leading rendition are - the smallest with pictures, else the first
// with sound -, so that numbers and lengths are the same, to the short last one.

// textGroup is the one group of subtitles: languages to choose from.
const textGroup = "text"

// textHold is how much of the leader comes, in its own time, before a segment of
// text is cut: data stay in a transport stream's decoder for up to a second
// (ISO/IEC 13818-1 §2.4.2.6), and pictures are sent as much earlier than the text
// that goes with them. The text itself is never waited for.
const textHold = time.Second

// caption is a cue on its way in.
type caption struct {
	webvtt.Cue
	// page: its end is open until the next one comes. Pages are cut where segments
	// are, so that the same segments come out whenever the end was heard of.
	page bool
}

// Cue takes one cue of a rendition of subtitles, about when the pictures come that
// it is shown with. One that comes after its segment is shown in the next.
func (p *Packager) Cue(rendition string, c webvtt.Cue) error {
	t, err := p.textTrack(rendition)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case c.End <= t.cut && !t.begun: // it was over before the first picture
		return nil
	case slices.ContainsFunc(t.captions, func(have caption) bool { return have.same(c) }):
		return nil
	case c.End <= t.cut:
		t.lateCue(c.Start)
		c.Start, c.End = t.cut, t.cut+c.End-c.Start
	}
	t.captions = append(t.captions, caption{Cue: c})
	return nil
}

// same tells a cue that was recalled and comes again.
func (c caption) same(other webvtt.Cue) bool {
	near := func(a, b int64) bool { return max(a-b, b-a) <= millisecond }
	return !c.page && near(c.Start, other.Start) && near(c.End, other.End) && c.Text == other.Text && c.Settings == other.Settings
}

// Page takes a text that is on screen until the next one of the rendition is, or
// its own end comes; one without text clears the screen.
func (p *Packager) Page(rendition string, c webvtt.Cue) error {
	t, err := p.textTrack(rendition)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.Start < t.cut && t.begun {
		if c.Text != "" {
			t.lateCue(c.Start)
		}
		c.Start, c.End = t.cut, c.End+t.cut-c.Start
	}
	t.turnPage(c)
	return nil
}

// turnPage ends the page that is there, unless the next says the same.
func (t *track) turnPage(c webvtt.Cue) {
	again := false
	for i := range t.captions {
		have := &t.captions[i]
		if !have.page || have.End <= c.Start {
			continue
		}
		have.End = c.Start
		if have.Start < c.Start && have.Text == c.Text && have.Settings == c.Settings {
			have.End, again = c.End, true
		}
	}
	t.captions = slices.DeleteFunc(t.captions, func(have caption) bool { return have.End <= have.Start })
	if c.Text != "" && !again {
		t.captions = append(t.captions, caption{Cue: c, page: true})
	}
}

func (p *Packager) textTrack(rendition string) (*track, error) {
	t, ok := p.tracks[rendition]
	if !ok || t.rendition.Text == nil {
		return nil, fmt.Errorf("packager: no subtitles %q in this assignment", rendition)
	}
	return t, nil
}

// lateCue counts what came after its segment.
func (t *track) lateCue(at int64) {
	n := t.late.Add(1)
	if n&(n-1) != 0 {
		return // a broken source sends thousands
	}
	t.p.log.Warn("subtitles came after their segment: shown in the next", "rendition", t.rendition.Name, "start_us", at, "late_us", t.cut-at, "so_far", n)
}

// lead chooses what the subtitles are cut by: the smallest pictures, which are never
// left out.
func lead(order []*track) *track {
	i := -1
	for n, t := range order {
		if v := t.rendition.Video; v != nil && (i < 0 || pixels(v) < pixels(order[i].rendition.Video)) {
			i = n
		}
	}
	if i < 0 {
		i = slices.IndexFunc(order, func(t *track) bool { return t.rendition.Audio != nil })
	}
	if i < 0 {
		return nil
	}
	return order[i]
}

func pixels(v *ladders.Video) int64 {
	return int64(v.Width) * int64(v.Height) / max(v.Divisor, 1)
}

// counting is the frame grid that a track's segments are cut by.
func (t *track) counting() pace {
	if t.rendition.Text == nil {
		return t.pace
	}
	return lead(t.p.order).pace
}

// span is a segment of the leader that subtitles are still to be cut for.
type span struct {
	with        *segment
	from, until hls.Micros // on the grid
	begin, end  int64      // the same in ticks of the leader
}

// letText cuts the subtitles that the leader, which has come to this time, is far
// enough ahead of. The leader's lock is held.
func (p *Packager) letText(ctx context.Context, at hls.Micros) error {
	for len(p.held) > 0 && p.held[0].until+hls.Micros(textHold.Microseconds()) <= at {
		if err := p.cutText(ctx, p.held[0]); err != nil {
			return err
		}
		p.held = p.held[1:]
	}
	return nil
}

// letAllText cuts them for every segment that is whole, when no more come.
func (p *Packager) letAllText(ctx context.Context) error {
	if p.leader == nil {
		return nil
	}
	p.leader.mu.Lock()
	defer p.leader.mu.Unlock()
	return p.letText(ctx, math.MaxInt64)
}

// cutText sends the segments of subtitles that go with a segment of the leader.
func (p *Packager) cutText(ctx context.Context, s span) error {
	for _, t := range p.order {
		if t.rendition.Text == nil {
			continue
		}
		t.mu.Lock()
		cues := t.onScreen(int64(s.from), int64(s.until))
		t.mu.Unlock()
		out := &segment{number: s.with.number, bytes: webvtt.Segment(cues), end: s.with.end, entry: hls.Segment{
			Number: s.with.number, URI: hls.TextName(s.with.number), Duration: s.with.entry.Duration, Time: s.with.entry.Time,
		}}
		if !out.end.IsZero() { // what is held back on purpose is not late
			out.end = out.end.Add(textHold)
		}
		if x := t.boxes; x != nil {
			var err error
			if out.boxes, err = x.segment(s, cues, t.p.brands(s.with.number)...); err != nil {
				return encoderError(t.rendition.Name, err)
			}
			out.init = &x.init
		}
		if err := t.deliver(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// onScreen are the cues of a segment, and lets go of those that are over. Of a page
// it has what is in the segment.
func (t *track) onScreen(from, until int64) []webvtt.Cue {
	var over []webvtt.Cue
	for _, c := range t.captions {
		if !c.Over(from, until) {
			continue
		}
		if c.page {
			c.Start, c.End = max(c.Start, from), min(c.End, until)
		}
		over = append(over, c.Cue)
	}
	t.cut, t.begun = until, true
	t.captions = slices.DeleteFunc(t.captions, func(c caption) bool { return c.End <= until })
	return over
}

// subtitles of the renditions that are there: names that differ.
func subtitles(present []ladders.Rendition) []hls.Subtitles {
	var out []hls.Subtitles
	names := map[string]bool{}
	for _, r := range present {
		if r.Text == nil {
			continue
		}
		s := hls.Subtitles{Group: textGroup, Name: r.Text.Label, Language: r.Text.Language, URI: path.Join(r.Name, playlistName),
			Forced: r.Text.Forced, Impaired: r.Text.Impaired}
		if s.Name == "" || names[s.Name] {
			s.Name = r.Name
		}
		names[s.Name] = true
		out = append(out, s)
	}
	return out
}
