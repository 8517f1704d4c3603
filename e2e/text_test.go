package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/webvtt"
)

// shown turns on the first text track of a kind and waits until a cue of it
// with this text is on screen at second at.
func shown(t *testing.T, p *browser.Page, kind string, at float64, text string) {
	t.Helper()
	track := fmt.Sprintf("[...document.querySelector('video').textTracks].find((t) => t.kind === %q)", kind)
	if err := p.WaitEval(within(t, 30*time.Second), "a track of "+kind, track); err != nil {
		t.Fatal(err)
	}
	if _, err := browser.Eval[bool](p, fmt.Sprintf("(%s).mode = 'showing', document.querySelector('video').pause(), true", track)); err != nil {
		t.Fatal(err)
	}
	seek := fmt.Sprintf("document.querySelector('video').currentTime = %f, true", at)
	if _, err := browser.Eval[bool](p, seek); err != nil {
		t.Fatal(err)
	}
	active := fmt.Sprintf("[...((%s).activeCues || [])].map((c) => c.text).join('|')", track)
	if err := p.WaitEval(within(t, 30*time.Second), "the text "+text, fmt.Sprintf("(%s).includes(%q)", active, text)); err != nil {
		seen, _ := browser.Eval[string](p, fmt.Sprintf("JSON.stringify([...((%s).cues || [])].map((c) => [c.startTime, c.endTime, c.text]))", track))
		t.Fatalf("%v; the track holds %s", err, seen)
	}
}

// queued waits for a VOD job and holds its tree against our own rules.
func queued(t *testing.T, f *farm.Farm, id, ladder, file string) {
	t.Helper()
	f.Must("vod", "queue", "--id", id, "--ladder", ladder, "--wait", filepath.Join(farm.Media(t), file))
	verify(t, f, id)
}

// Closed captions of a source are on the viewer's screen, and two readers that
// are not ours find them in every rendition.
func TestCaptionsOnScreen(t *testing.T) {
	f := farm.Start(t)
	queued(t, f, "sintel", "mini", "sintel_cea608_170p24.ts")
	p := watchJob(t, f, "sintel")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	shown(t, p, "captions", 2.5, "Japanese")
	shoot(t, p, "captions")
	for _, player := range browser.Foreign {
		t.Run(player, func(t *testing.T) { offersCaptions(t, f, player) })
	}
	file := joined(t, filepath.Join(f.Data, "origin", "sintel", "240p"))
	if out := tool(t, "mediainfo", file); !strings.Contains(out, "EIA-608") {
		t.Errorf("mediainfo sees no captions:\n%s", out)
	}
	out := tool(t, "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame_side_data=side_data_type", file)
	if n := strings.Count(out, "Closed Captions"); n < 200 {
		t.Errorf("ffprobe sees captions on %d frames, want 240 or so", n)
	}
}

// Subtitles of a file are a choice in the player, and on the viewer's screen.
func TestSubtitlesOnScreen(t *testing.T) {
	f := farm.Start(t)
	queued(t, f, "nasa", "mini", "nasa_2video_2audio_2subs.mp4")
	p := watchJob(t, f, "nasa")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	shown(t, p, "subtitles", 6.5, "largest cleanrooms in the world") // over the boundary at 6 s
	shoot(t, p, "subtitles")
	for _, player := range browser.Foreign {
		t.Run(player, func(t *testing.T) { offersSubtitles(t, f, player) })
	}
}

// choice is a text track that a foreign player offers.
type choice struct {
	Language, Role, Label string
	Embedded              bool
}

// choices waits for the tracks that a foreign player offers.
func choices(t *testing.T, p *browser.Page) []choice {
	t.Helper()
	if err := p.WaitEval(within(t, 30*time.Second), "a choice of text", "gala.texts().length > 0"); err != nil {
		t.Fatal(err)
	}
	all, err := browser.Eval[[]choice](p, "gala.texts()")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// offersCaptions: players read from the manifest what is inside the pictures.
func offersCaptions(t *testing.T, f *farm.Farm, player string) {
	p := watchDash(t, browser.ServePlayers(t, f.Page), player, "sintel")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	if got := choices(t, p); len(got) != 1 || !got[0].Embedded || got[0].Language != "und" {
		t.Errorf("%+v, want the one channel", got)
	}
}

// offersSubtitles: a choice of another language is on screen when it is made.
func offersSubtitles(t *testing.T, f *farm.Farm, player string) {
	players := browser.ServePlayers(t, f.Page)
	p := watchDash(t, players, player, "nasa")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 })
	if got := choices(t, p); got[0] != (choice{Language: "en", Role: "subtitle", Label: "English"}) {
		t.Errorf("%+v", got)
	}
	if _, err := browser.Eval[bool](p, "gala.show(0), true"); err != nil {
		t.Fatal(err)
	}
	shown(t, p, "subtitles", 6.5, "largest cleanrooms in the world")
	still(t, p, "dash-subtitles-"+player)
	askedForNothingMissing(t, f, "nasa", players)
}

// Subtitles of a live job are a choice in players of other people too, on screen when
// the playlist has them, and left when the job is over.
func TestLiveSubtitlesInDashPlayers(t *testing.T) {
	f := farm.Start(t)
	f.Must("live", "submit", "--id", "nasa", "--ladder", "mini", "--input", filepath.Join(farm.Media(t), "nasa_2video_2audio_2subs.mp4"), "--wait")
	published(t, f, "nasa")
	for _, player := range browser.Foreign {
		t.Run(player, func(t *testing.T) { showsLiveSubtitles(t, f, player, "dash-live-text-"+player) })
	}
	segments(t, f, f.Client(), "nasa", 7) // a live window has six at least
	verify(t, f, "nasa")
	f.Must("live", "stop", "nasa")
	endOf(t, f, "nasa")
	verify(t, f, "nasa")
	for _, player := range browser.Foreign {
		t.Run(player+" afterwards", func(t *testing.T) { showsLiveSubtitles(t, f, player, "dash-ended-text-"+player) })
	}
}

func showsLiveSubtitles(t *testing.T, f *farm.Farm, player, picture string) {
	players := browser.ServePlayers(t, f.Page)
	p := watchDash(t, players, player, "nasa")
	see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	if got := choices(t, p); got[0] != (choice{Language: "en", Role: "subtitle", Label: "English"}) {
		t.Errorf("%+v", got)
	}
	if _, err := browser.Eval[bool](p, "gala.show(0), true"); err != nil {
		t.Fatal(err)
	}
	const active = "[...document.querySelector('video').textTracks].filter((t) => t.mode === 'showing').flatMap((t) => [...(t.activeCues || [])])"
	if err := p.WaitEval(within(t, 60*time.Second), "a text on screen", active+".length > 0 && (document.querySelector('video').pause(), true)"); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitEval(within(t, 10*time.Second), "the text of a picture that stands", active+".length > 0"); err != nil {
		t.Fatal(err)
	}
	seen, err := browser.Eval[struct {
		Start, End float64
		Text       string
	}](p, active+".map((c) => ({ Start: c.startTime, End: c.endTime, Text: c.text }))[0]")
	if err != nil {
		t.Fatal(err)
	}
	still(t, p, picture)
	// Both count from the epoch; what goes over a boundary is in parts.
	const rounding = 2000 // µs
	from, until := int64(seen.Start*1e6), int64(seen.End*1e6)
	if all := cuesOf(t, f, "nasa/text-en"); !slices.ContainsFunc(all, func(c webvtt.Cue) bool {
		return seen.Text == c.Text && from > c.Start-rounding && until < c.End+rounding
	}) {
		t.Errorf("on screen is %+v, the playlist has %+v", seen, all)
	}
	askedForNothingMissing(t, f, "nasa", players)
}
