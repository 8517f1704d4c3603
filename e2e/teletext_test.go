package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/teletext/inserter"
	"github.com/galafarm/gala/media/webvtt"
)

// wavePage is how many frames of the clip with a number in every frame a page of
// teletext stays on screen; passes are how often the clip is in the broadcast.
const waveLength, wavePage, wavePasses = 50, 10, 10

// withTeletext is that clip as a transport stream, with a page of subtitles that says
// the number of the frame it comes with.
func withTeletext(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	bare, name := filepath.Join(dir, "bare.ts"), filepath.Join(dir, "teletext.ts")
	clip := filepath.Join(farm.Media(t), "wave_croatia_1080p25_qr.mp4")
	if out, err := exec.CommandContext(t.Context(), ourFFmpeg(t), "-v", "error", "-stream_loop", fmt.Sprint(wavePasses-1), "-i", clip, "-c", "copy", "-muxdelay", "0", "-muxpreload", "0", bare).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	ts, err := os.ReadFile(bare)
	if err != nil {
		t.Fatal(err)
	}
	var pages []inserter.Page
	for n := int64(0); n < waveLength*wavePasses; n += wavePage {
		pages = append(pages, inserter.Page{At: n * 3600, Page: 0x199, Option: inserter.Swedish, Tall: true, Lines: []string{fmt.Sprintf("bild %d", n%waveLength+1), "på årets blåbär, é"}})
	}
	ts, err = inserter.Insert(ts, []inserter.Listing{{Language: "swe", Type: 2, Page: 0x199}, {Language: "fin", Type: 5, Page: 0x888}}, pages...)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, ts, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Teletext of a live source is in the playlists as subtitles, letters and all, goes
// on when the worker is killed, and is on the viewer's screen.
func TestTeletextOnAir(t *testing.T) {
	file := withTeletext(t)
	f := farm.Start(t)
	c := f.Client()
	port := freePort(t)
	sendClip(t, file, "-map", "0", "-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts", "udp://127.0.0.1:"+port+"?pkt_size=1316")
	f.Must("live", "submit", "--id", "air", "--ladder", "mini", "--input", "udp://127.0.0.1:"+port)
	before := segments(t, f, c, "air", 7)
	var renditions []string
	for _, r := range before.GetRenditions() {
		renditions = append(renditions, r.GetRendition().GetName())
	}
	if !slices.Contains(renditions, "text-sv") || !slices.Contains(renditions, "text-fi") {
		t.Fatalf("renditions %v", renditions)
	}
	verify(t, f, "air")
	inStep(t, f)

	signal(t, theWorker(t, f), syscall.SIGKILL)
	goesOn(t, f, c, "air", newest(before), 8)
	verify(t, f, "air")
	if n := gaps(t, f, "air"); n > 0 {
		t.Errorf("%d segments are missing after the worker was killed", n)
	}
	inStep(t, f)
	if notes := f.Job(c, "air").GetNotes(); slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "after their segment") }) {
		t.Errorf("subtitles are late: %q", notes)
	}

	p := watchJob(t, f, "air")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	const track = "[...document.querySelector('video').textTracks].find((t) => t.kind === 'subtitles' && t.language === 'sv')"
	if err := p.WaitEval(within(t, 30*time.Second), "the Swedish track", track); err != nil {
		t.Fatal(err)
	}
	if _, err := browser.Eval[bool](p, "("+track+").mode = 'showing', true"); err != nil {
		t.Fatal(err)
	}
	const video, text = "document.querySelector('video')", "på årets blåbär, é"
	see(t, p, "it plays", func(s browser.State) bool { return s.Status == "playing" })
	active := "[...((" + track + ").activeCues || [])].some((c) => c.text.includes('" + text + "'))"
	if err := p.WaitEval(within(t, 30*time.Second), "a text on screen", video+".played.length > 0 && "+video+".played.end(0) - "+video+".played.start(0) > 1 && "+active+" && ("+video+".pause(), "+video+".controls = false, true)"); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitEval(within(t, 10*time.Second), "the text of a picture that stands", active); err != nil {
		t.Fatal(err)
	}
	still(t, p, "teletext")
	stopped(t, f, c, "air")
	verify(t, f, "air")
}

// inStep: the subtitles of the window say the numbers of the frames that they are
// shown with. A machine that has too much to do loses datagrams, and a page in them:
// the one before then stays, and the next is in step again.
func inStep(t *testing.T, f *farm.Farm) {
	t.Helper()
	cues := cuesOf(t, f, "air/text-sv")
	if len(cues) < 20 {
		t.Fatalf("%d cues", len(cues))
	}
	cues = cues[1:] // the first was cut where the window begins
	for i, cue := range cues {
		off := (frameOf(t, cue) - frameOf(t, cues[0]) - (cue.Start-cues[0].Start+20_000)/40_000) % waveLength
		if off = (off+waveLength+waveLength/2)%waveLength - waveLength/2; max(off, -off) > 1 {
			t.Errorf("cue %d, %q, is %d frames out of step with the first", i, cue.Text, off)
		}
		if i > 0 && cue.Start != cues[i-1].End {
			t.Errorf("nothing is on screen from %d to %d µs", cues[i-1].End, cue.Start)
		}
	}
}

// cuesOf are the subtitles that a playlist lists.
func cuesOf(t *testing.T, f *farm.Farm, rendition string) []webvtt.Cue {
	t.Helper()
	var all [][]webvtt.Cue
	for _, name := range regexp.MustCompile(`(?m)^\d+\.vtt$`).FindAllString(fetched(t, f.Origin(rendition+"/media.m3u8")), -1) {
		cues, err := webvtt.Parse([]byte(fetched(t, f.Origin(rendition+"/"+name))))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, cues)
	}
	return webvtt.Gather(all)
}

// frameOf is the number that a cue says.
func frameOf(t *testing.T, c webvtt.Cue) (n int64) {
	t.Helper()
	if _, err := fmt.Sscanf(c.Text, "bild %d\npå årets blåbär, é", &n); err != nil {
		t.Fatalf("cue %q", c.Text)
	}
	return n
}

func fetched(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, r.Status, err)
	}
	return string(body)
}
