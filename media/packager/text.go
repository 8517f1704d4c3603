package packager

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
)

// A rendition of subtitles has no frames of its own. Its segments are cut when
// those of the leading rendition are - the first with pictures, else the first
// with sound -, so that numbers and lengths are the same, to the short last one.

// textGroup is the one group of subtitles: languages to choose from.
const textGroup = "text"

// Cue takes one cue of a rendition of subtitles, before the pictures that it is
// shown with.
func (p *Packager) Cue(rendition string, c webvtt.Cue) error {
	t, ok := p.tracks[rendition]
	if !ok || t.rendition.Text == nil {
		return fmt.Errorf("packager: no subtitles %q in this assignment", rendition)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.End <= t.cut {
		p.log.Warn("cue came after its segment and is lost", "rendition", rendition, "start_us", c.Start)
		return nil
	}
	t.cues = append(t.cues, c)
	return nil
}

// lead chooses what the subtitles are cut by.
func lead(order []*track) *track {
	i := slices.IndexFunc(order, func(t *track) bool { return t.rendition.Video != nil })
	if i < 0 {
		i = slices.IndexFunc(order, func(t *track) bool { return t.rendition.Audio != nil })
	}
	if i < 0 {
		return nil
	}
	return order[i]
}

// counting is the frame grid that a track's segments are cut by.
func (t *track) counting() pace {
	if t.rendition.Text == nil {
		return t.pace
	}
	return lead(t.p.order).pace
}

// cutText sends the segments of subtitles that go with a segment of the leader,
// from and until in µs on the grid.
func (p *Packager) cutText(ctx context.Context, with *segment, from, until hls.Micros) error {
	for _, t := range p.order {
		if t.rendition.Text == nil {
			continue
		}
		t.mu.Lock()
		body := t.textSegment(int64(from), int64(until))
		t.mu.Unlock()
		s := &segment{number: with.number, bytes: body, end: with.end, entry: hls.Segment{
			Number: with.number, URI: hls.TextName(with.number), Duration: with.entry.Duration, Time: with.entry.Time,
		}}
		if err := t.deliver(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// textSegment holds the cues on screen in it, and lets go of those that are over.
func (t *track) textSegment(from, until int64) []byte {
	var over []webvtt.Cue
	for _, c := range t.cues {
		if c.Over(from, until) {
			over = append(over, c)
		}
	}
	t.cut = until
	t.cues = slices.DeleteFunc(t.cues, func(c webvtt.Cue) bool { return c.End <= until })
	return webvtt.Segment(over)
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
