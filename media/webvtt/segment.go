package webvtt

import (
	"bytes"
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
// shown over a boundary stands on both sides.
func Gather(segments [][]Cue) []Cue {
	var all []Cue
	for _, cues := range segments {
		for _, c := range cues {
			if !slices.Contains(all[max(0, len(all)-recent):], c) {
				all = append(all, c)
			}
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
	sorted := slices.Clone(cues)
	slices.SortStableFunc(sorted, func(a, b Cue) int {
		if a.Start != b.Start {
			return int(max(-1, min(1, a.Start-b.Start)))
		}
		return int(max(-1, min(1, a.End-b.End)))
	})
	var b bytes.Buffer
	b.WriteString(header)
	for _, c := range sorted {
		fmt.Fprintf(&b, "\n%s --> %s", clock(c.Start), clock(c.End))
		if c.Settings != "" {
			b.WriteString(" " + c.Settings)
		}
		b.WriteString("\n" + c.Text + "\n")
	}
	return b.Bytes()
}

// clock is a WebVTT timestamp.
func clock(us int64) string {
	ms := (max(us, 0) + 500) / 1000
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
