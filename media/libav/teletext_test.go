package libav

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/media/teletext/inserter"
	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// broadcast is the clip with a number in every frame, passes times, as a transport
// stream with teletext beside it.
func broadcast(t *testing.T, passes int, listed []inserter.Listing, pages ...inserter.Page) string {
	t.Helper()
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO FFMPEG PROGRAM at %s: source tools/setup/env.sh to run this test", program)
	}
	bare := filepath.Join(t.TempDir(), "bare.ts")
	out, err := exec.CommandContext(t.Context(), program, "-v", "error", "-stream_loop", strconv.Itoa(passes-1), "-i", filepath.Join(mediaDir(t), waveFile), "-c", "copy", bare).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	ts, err := inserter.Insert(read(t, bare), listed, pages...)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "teletext.ts")
	if err := os.WriteFile(name, ts, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// frame n of a clip of 25 frames a second, in ticks of 1/90000.
func frame(n int64) int64 { return n * 3600 }

// nordic are subtitles in two languages, one also for those who do not hear.
var nordic = []inserter.Listing{{Language: "swe", Type: 1, Page: 0x100}, {Language: "swe", Type: 2, Page: 0x199}, {Language: "fin", Type: 2, Page: 0x888}, {Language: "swe", Type: 5, Page: 0x777}}

// pagesOf plays a file with a rendition for each of its tracks of text.
func pagesOf(t *testing.T, file string) (Info, [][]webvtt.Cue) {
	t.Helper()
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := media.Spec{Job: "t", Input: file, Grid: newGrid(t, facts.BestVideo().Rate, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v")}}
	for i := range facts.Text {
		spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: strconv.Itoa(i), Text: &ladders.Text{Track: i}})
	}
	out := newScribe()
	if err := open(t, Options{Spec: spec, Output: out}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all [][]webvtt.Cue
	for i := range facts.Text {
		all = append(all, out.pages[strconv.Itoa(i)])
	}
	return facts, all
}

// Each page of subtitles is a track of its own, with its language, in the letters
// of its country, and shown with the frame that it was sent for.
func TestTeletextOfAFile(t *testing.T) {
	file := broadcast(t, 3, nordic,
		inserter.Page{At: frame(10), Page: 0x100, Lines: []string{"Innehåll"}, Unmarked: true},
		inserter.Page{At: frame(20), Page: 0x199, Lines: []string{"Är det här", "blåbär?"}, Tall: true, Option: inserter.Swedish},
		inserter.Page{At: frame(25), Page: 0x888, Lines: []string{"Ääkkösiä & <merkkejä>"}, Option: inserter.Swedish},
		inserter.Page{At: frame(60), Page: 0x199, Lines: []string{"Ja, överst."}, Row: 2, Option: inserter.Swedish},
		inserter.Page{At: frame(80), Page: 0x199, Lines: []string{"Straße und Öl"}, Option: inserter.German, Open: true},
		inserter.Page{At: frame(90), Page: 0x199, Lines: []string{"Déjà vu, garçon"}, Option: inserter.French},
		inserter.Page{At: frame(100), Page: 0x199},
		inserter.Page{At: frame(120), Page: 0x777, Lines: []string{"(musik)"}, Option: inserter.Swedish},
	)
	facts, pages := pagesOf(t, file)
	var tracks []string
	for _, x := range facts.Text {
		tracks = append(tracks, fmt.Sprintf("%s %x %s %v", x.Codec, x.Page, x.Language, x.Impaired))
	}
	if want := []string{"dvb_teletext 199 swe false", "dvb_teletext 888 fin false", "dvb_teletext 777 swe true"}; !slices.Equal(tracks, want) {
		t.Fatalf("tracks %q, want %q", tracks, want)
	}
	want := [][]string{
		{"20 Är det här|blåbär?", "60 Ja, överst. line:0", "80 Straße und Öl", "90 Déjà vu, garçon", "100"},
		{"25 Ääkkösiä &amp; &lt;merkkejä&gt;"},
		{"120 (musik)"},
	}
	for i, all := range pages {
		if got := told(all); !slices.Equal(got, want[i]) {
			t.Errorf("%s:\n%q, want\n%q", tracks[i], got, want[i])
		}
	}
}

// told are pages in words: the frame, the text, the place.
func told(all []webvtt.Cue) []string {
	var out []string
	for _, c := range all {
		line := fmt.Sprintf("%d %s %s", (c.Start+20_000)/40_000, strings.ReplaceAll(c.Text, "\n", "|"), c.Settings)
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// A stream that lists no subtitles is taken for what its pages say of themselves.
func TestTeletextWithoutAListing(t *testing.T) {
	file := broadcast(t, 2, []inserter.Listing{{Language: "swe", Type: 1, Page: 0x100}},
		inserter.Page{At: frame(10), Page: 0x100, Lines: []string{"Index"}, Unmarked: true},
		inserter.Page{At: frame(20), Page: 0x150, Lines: []string{"one"}},
		inserter.Page{At: frame(30), Page: 0x151},
		inserter.Page{At: frame(40), Page: 0x150},
	)
	facts, pages := pagesOf(t, file)
	if len(facts.Text) != 1 || facts.Text[0].Language != "und" || !slices.ContainsFunc(facts.Notes, func(n string) bool { return strings.Contains(n, "names no page of subtitles") }) {
		t.Fatalf("%+v, notes %q", facts.Text, facts.Notes)
	}
	if got := told(pages[0]); !slices.Equal(got, []string{"20 one", "40"}) {
		t.Errorf("%q", got)
	}
}

// watched counts the pictures that are there when a page comes.
type watched struct {
	*scribe
	pictures []int
}

func (w *watched) Page(r string, c webvtt.Cue) error {
	w.mu.Lock()
	w.pictures = append(w.pictures, len(w.packets["v"]))
	w.mu.Unlock()
	return w.scribe.Page(r, c)
}

// A page that nothing closes, because its stream falls silent, is on screen and off
// it in time all the same: the pictures go on.
func TestTeletextThatFallsSilent(t *testing.T) {
	const passes = 6
	file := broadcast(t, passes, []inserter.Listing{{Language: "swe", Type: 2, Page: 0x888}},
		inserter.Page{At: frame(20), Page: 0x888, Lines: []string{"one"}, Open: true}, inserter.Page{At: frame(150), Page: 0x888, Open: true})
	spec := media.Spec{Job: "t", Input: file, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v"), {Name: "text", Text: &ladders.Text{}}}}
	out := &watched{scribe: newScribe()}
	if err := open(t, Options{Spec: spec, Output: out}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := told(out.pages["text"]); !slices.Equal(got, []string{"20 one", "150"}) {
		t.Fatalf("%q", got)
	}
	// A page waits for the rest of it, and for text that is sent late: 1.2 s.
	for i, from := range []int{20, 150} {
		if got := out.pictures[i]; got > from+32 {
			t.Errorf("the page of frame %d came with picture %d", from, got)
		}
	}
	if n := len(out.packets["v"]); n != passes*waveFrames {
		t.Errorf("%d pictures", n)
	}
}

// The text of a looped file comes in every pass, with the frames of that pass; what
// is on screen at its end goes with it.
func TestLoopedText(t *testing.T) {
	file := broadcast(t, 2, []inserter.Listing{{Language: "swe", Type: 2, Page: 0x888}},
		inserter.Page{At: frame(20), Page: 0x888, Lines: []string{"one"}}, inserter.Page{At: frame(60), Page: 0x888, Lines: []string{"two"}})
	spec := media.Spec{Job: "loop", Input: file, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Renditions: []ladders.Rendition{small("v"), {Name: "text", Text: &ladders.Text{}}}}
	out := newScribe()
	onAirTo(t, spec, evening, 250, out.collector, out)
	first := out.indexes("v")[0]
	var got []string
	for _, c := range out.pages["text"] {
		c.Start -= first * 40_000
		got = append(got, told([]webvtt.Cue{c})...)
	}
	if want := []string{"20 one", "60 two", "100", "120 one", "160 two", "200"}; len(got) < 6 || !slices.Equal(got[:6], want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// counted is a page for every tenth frame of so many passes of the clip, that says
// which frame it is shown with.
func counted(passes int) []inserter.Page {
	var out []inserter.Page
	for n := int64(0); n < int64(passes)*waveFrames; n += 10 {
		out = append(out, inserter.Page{At: frame(n), Page: 0x888, Lines: []string{fmt.Sprintf("bild %d", n%waveFrames+1)}, Option: inserter.Swedish})
	}
	return out
}

// Teletext of a live source is shown with the pictures that it was sent for, by a
// successor too.
func TestLiveTeletext(t *testing.T) {
	file := broadcast(t, 5, []inserter.Listing{{Language: "swe", Type: 2, Page: 0x888}}, counted(5)...)
	port := freePort(t)
	from := "udp://127.0.0.1:" + port
	r := hold(t, from)
	sender(t, "-stream_loop", "-1", "-i", file, "-map", "0", "-c", "copy", "-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "udp://127.0.0.1:"+port+"?pkt_size=1316")
	spec := liveFrom(t, from, r)
	spec.Loss.After = 3 * time.Second // the sender stands still for half a second where its file begins anew
	spec.Renditions = append(spec.Renditions, ladders.Rendition{Name: "text", Text: &ladders.Text{Language: "sv"}})
	p := wantInStep(t, spec, r, 200)
	if text := p.Facts().Text; len(text) != 1 || text[0].Language != "swe" || text[0].Page != 0x888 {
		t.Fatalf("%+v", text)
	}
	anchor := p.anchor
	spec.Anchor, spec.Resume, spec.FirstSegment = &anchor, true, spec.Grid.Segment(p.firstFrame())+4
	wantInStep(t, spec, r, 100)
}

// wantInStep plays frames of a live job, and holds the text against the pictures.
func wantInStep(t *testing.T, spec media.Spec, r *ring.Ring, frames int) *Pipeline {
	t.Helper()
	out := newScribe()
	p := open(t, Options{Spec: spec, Output: out, Ring: LocalRing(r)})
	out.on = func(name string, _ media.Packet) error {
		if name == "v" && len(out.packets[name]) >= frames {
			p.Stop()
		}
		return nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown := map[int64]int64{} // frame of the clip by frame of the grid
	for _, pic := range pictures(t, astiav.CodecIDH264, out.configs["v"], out.packets["v"]) {
		shown[pic.index] = waveNumber(t, pic)
	}
	judged := 0
	for _, c := range out.pages["text"] {
		var want int64
		if _, err := fmt.Sscanf(c.Text, "bild %d", &want); err != nil {
			t.Fatalf("%q", c.Text)
		}
		got, there := shown[(c.Start+20_000)/40_000]
		if !there {
			continue
		}
		judged++
		if off := (got - want + waveFrames + waveFrames/2) % waveFrames; off < waveFrames/2-1 || off > waveFrames/2+1 {
			t.Errorf("with frame %d comes the text of frame %d", got, want)
		}
	}
	if judged < frames*3/40 {
		t.Errorf("%d texts in %d frames", judged, frames)
	}
	return p
}
