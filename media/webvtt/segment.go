package webvtt

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// Cue is one text on screen, from Start to End in µs on the grid.
type Cue struct {
	Start, End int64
	// Text is WebVTT cue text; Settings are cue settings or empty.
	Text, Settings string
}

// Over tells whether the cue is on screen at any moment from start to end.
func (c Cue) Over(start, end int64) bool { return c.Start < end && c.End > start }

// Gather are the cues of segments that follow each other, once each: one that is
// shown over a boundary stands on both sides, whole or in two parts.
func Gather(segments [][]Cue) []Cue {
	var all []Cue
	for _, cues := range segments {
		for _, c := range cues {
			if !slices.Contains(all[max(0, len(all)-recent):], c) {
				all = append(all, c)
			}
		}
	}
	return Joined(all)
}

// Joined makes one cue of those that say the same, each from where the one before
// ends.
func Joined(cues []Cue) []Cue {
	var all []Cue
	for _, c := range cues {
		near := all[max(0, len(all)-recent):]
		i := slices.IndexFunc(near, func(have Cue) bool {
			return have.End == c.Start && have.Text == c.Text && have.Settings == c.Settings
		})
		if i < 0 {
			all = append(all, c)
		} else {
			near[i].End = c.End
		}
	}
	return all
}

// recent is how many cues back a repeated one is looked for: more are never on
// screen at a time.
const recent = 1000

// header maps the cues' clock to that of the pictures: both begin with the grid.
const header = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"

// Segment is the text of one segment with the cues given, in the order of their
// times.
func Segment(cues []Cue) []byte { return write(header, cues) }

// File is the text of a whole file, whose clock is that of its readers: it needs
// no map.
func File(cues []Cue) []byte { return write("WEBVTT\n", cues) }

func write(header string, cues []Cue) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	for _, c := range InOrder(cues) {
		fmt.Fprintf(&b, "\n%s --> %s", clock(c.Start), clock(c.End))
		if c.Settings != "" {
			b.WriteString(" " + c.Settings)
		}
		b.WriteString("\n" + c.Text + "\n")
	}
	return b.Bytes()
}

// InOrder are the cues as they stand in a segment: in the order of their times.
func InOrder(cues []Cue) []Cue {
	return slices.SortedStableFunc(slices.Values(cues), func(a, b Cue) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
}

// Milliseconds is what stands in a segment for a time in µs.
func Milliseconds(us int64) int64 { return (max(us, 0) + 500) / 1000 }

// clock is a WebVTT timestamp.
func clock(us int64) string {
	ms := Milliseconds(us)
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
