package libav

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// clip is what one real file is expected to become.
type clip struct {
	file string
	// probe is the chosen picture as describeProbe writes it, "-" for none.
	probe  string
	audio  int   // tracks that decode
	frames int64 // on the grid
	// doubled and dropped are what the grid asks for: gaps filled, leads and
	// tails held, rates converted.
	doubled, dropped int64
	aac              int64    // audio frames of 1024 at 48 kHz
	notes            []string // what must be said, in part; nothing else may be
	refusal          []string // instead of all that: what the error and its advice say
}

func (c clip) String() string { return c.file }

func describeProbe(v *VideoInfo) string {
	if v == nil {
		return "-"
	}
	s := fmt.Sprintf("%s %dx%d@%s", v.Codec, v.Width, v.Height, v.Rate)
	for word, on := range map[string]bool{" interlaced": v.Interlaced, " variable": v.Variable, " hdr": v.HDR()} {
		if on {
			s += word
		}
	}
	if v.Rotation != 0 {
		s += fmt.Sprintf(" rot%d", v.Rotation)
	}
	if v.SARNum != v.SARDen {
		s += fmt.Sprintf(" sar%d:%d", v.SARNum, v.SARDen)
	}
	return s
}

func TestRealMedia(t *testing.T) {
	dir := mediaDir(t)
	for _, c := range clips() {
		t.Run(c.file, func(t *testing.T) { c.check(t, filepath.Join(dir, c.file)) })
	}
}

// Every file of the set has its expectation.
func TestEveryFileIsExpected(t *testing.T) {
	dir := mediaDir(t)
	expected := map[string]bool{}
	for _, c := range clips() {
		expected[c.file] = true
	}
	text, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "\t")
		if name != "file" && !strings.HasPrefix(name, "ssrf/") && !expected[name] {
			t.Errorf("no expectation is written for %s", name)
		}
	}
}

func (c clip) check(t *testing.T, name string) {
	facts, err := Probe(t.Context(), name, anything)
	if c.refusal != nil {
		wantError(t, err, media.SourceError, c.refusal...)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	out := newCollector()
	p := open(t, Options{Spec: spec, Output: out})
	if c.frames > longClip {
		out.on = func(_ string, k media.Packet) error { p.Stop(); return nil }
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	frames, st := c.frames, p.Status()
	if frames > longClip { // whole segments, as many as were begun
		n := spec.Grid.FramesPerSegment()
		frames = min(max(int64(len(out.indexes("v")))/n, 1), 3) * n
	}
	if got := describeProbe(facts.BestVideo()); got != c.probe || len(facts.Audio) != c.audio {
		t.Errorf("probed %q with %d audio tracks, want %q with %d", got, len(facts.Audio), c.probe, c.audio)
	}
	if c.probe != "-" {
		out.wantRun(t, "v", spec.Grid, 0, frames, 1)
	}
	// Where exactly the last samples fall may differ by a frame.
	if n := int64(len(out.indexes("a"))); n < c.aac-1 || n > c.aac+1 {
		t.Errorf("%d audio frames, want %d", n, c.aac)
	} else {
		out.wantRun(t, "a", timeline.Grid{}, 0, n, 1)
	}
	if st.Doubled != c.doubled || st.Dropped != c.dropped {
		t.Errorf("%d doubled and %d dropped, want %d and %d", st.Doubled, st.Dropped, c.doubled, c.dropped)
	}
	c.wantNotes(t, st.Notes)
}

// longClip is how many frames are too many to encode all of them here.
const longClip = 3000

// wantNotes: each expected note is there, and there is no other.
func (c clip) wantNotes(t *testing.T, notes []string) {
	t.Helper()
	for i, w := range c.notes {
		if i >= len(notes) || !strings.Contains(notes[i], w) {
			t.Errorf("note %d of %q does not say %q", i, notes, w)
		}
	}
	if len(notes) > len(c.notes) {
		t.Errorf("unexpected notes: %q", notes[len(c.notes):])
	}
}
