package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
)

// watchDash opens a player that is not ours on a job's manifest.
func watchDash(t *testing.T, players *browser.Players, player, id string) *browser.Page {
	t.Helper()
	return watchPage(t, players.Page(player, id), player+" on "+id)
}

func watchPage(t *testing.T, url, what string) *browser.Page {
	t.Helper()
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Log(err)
		}
	})
	p, err := b.Open(url, browser.Look{Width: 960, Height: 540})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range p.Problems() {
			t.Errorf("%s: %s", what, problem)
		}
		p.Close()
	})
	return p
}

// hears: sound is decoded, not only listed.
func hears(t *testing.T, p *browser.Page) {
	t.Helper()
	if err := p.WaitEval(within(t, 60*time.Second), "decoded sound", `document.querySelector("video").webkitAudioDecodedByteCount > 10000`); err != nil {
		t.Error(err)
	}
}

// switches takes every rung by hand, down and up, as a viewer would.
func switches(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, level := range []int{0, 2, 1, 0, 1} {
		if _, err := browser.Eval[any](p, fmt.Sprintf("gala.choose(%d)", level)); err != nil {
			t.Fatal(err)
		}
		see(t, p, fmt.Sprintf("level %d on screen", level), onScreen(level))
	}
}

func still(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png, err := p.Screenshot(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// askedForNothingMissing: except for segments that came late, as the farm itself
// tells: on a busy machine some do.
func askedForNothingMissing(t *testing.T, f *farm.Farm, id string, players *browser.Players) {
	t.Helper()
	missing := players.Missing()
	if len(missing) == 0 {
		return
	}
	var late uint64
	for _, r := range f.Job(f.Client(), id).GetRenditions() {
		late += uint64(r.GetLateSegments())
	}
	if late > 0 {
		t.Logf("asked for in vain: %v, where %d segments came late", missing, late)
		return
	}
	t.Errorf("the manifest made the player ask for what is not there: %v", missing)
}

// published waits for a job's manifest.
func published(t *testing.T, f *farm.Farm, id string) {
	t.Helper()
	farm.Until(t, 60*time.Second, "a manifest of "+id, func() bool {
		res, err := http.Get(f.Origin(id + "/manifest.mpd"))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// Players of other people play the live card by its manifest, take every rung,
// stay behind the edge, and ask for nothing that is not there.
func TestLiveCardInDashPlayers(t *testing.T) {
	f := farm.Start(t)
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=854x480", "--ladder", "mini", "--wait")
	published(t, f, "gala")
	for _, player := range browser.Foreign {
		t.Run(player, func(t *testing.T) {
			players := browser.ServePlayers(t, f.Page)
			p := watchDash(t, players, player, "gala")
			began := see(t, p, "playback of three levels", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" && len(s.Levels) == 3 })
			if !began.Live || began.Latency == nil || *began.Latency > 14 {
				t.Errorf("%+v: want live, at most 14 s behind", began)
			}
			hears(t, p)
			switches(t, p)
			still(t, p, "dash-live-"+player)
			s := see(t, p, "twelve seconds of playback", playsPast(began.CurrentTime+12))
			smooth(t, s)
			askedForNothingMissing(t, f, "gala", players)
		})
	}
}

// A worker that is killed is a late segment or two: the manifest stays, and so
// does the viewer.
func TestKilledWorkerInDashPlayers(t *testing.T) {
	f := farm.Start(t)
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=426x240", "--ladder", "mini", "--wait")
	published(t, f, "gala")
	players := browser.ServePlayers(t, f.Page)
	var watching []*browser.Page
	for _, player := range browser.Foreign {
		p := watchDash(t, players, player, "gala")
		see(t, p, player+" playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
		watching = append(watching, p)
	}
	for _, pid := range f.Workers() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range watching {
		s := see(t, p, browser.Foreign[i], func(s browser.State) bool { return s.CurrentTime > 0 })
		s = see(t, p, browser.Foreign[i]+" fifteen seconds later", playsPast(s.CurrentTime+15))
		smooth(t, s)
	}
	t.Logf("asked for before it was there: %v", players.Missing())
}

// A viewer who is watching when a live job ends sees its last picture; one who
// comes later sees what is left of it.
func TestEndOfLiveInDashPlayers(t *testing.T) {
	f := farm.Start(t)
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=640x360", "--ladder", "mini", "--wait")
	published(t, f, "gala")
	players := browser.ServePlayers(t, f.Page)
	var watching []*browser.Page
	for _, player := range browser.Foreign {
		p := watchDash(t, players, player, "gala")
		s := see(t, p, player+" playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
		see(t, p, player+" for a while", playsPast(s.CurrentTime+3))
		watching = append(watching, p)
	}
	f.Must("live", "stop", "gala")
	end := endOf(t, f, "gala")
	for i, p := range watching {
		// shaka shows the last picture, and then waits there without saying that it ended.
		s := see(t, p, browser.Foreign[i]+" at the end", func(s browser.State) bool { return s.Ended || s.CurrentTime > end-0.2 })
		if len(s.Errors) > 0 {
			t.Errorf("%s: %+v", browser.Foreign[i], s.Errors)
		}
	}
	for _, player := range browser.Foreign {
		p := watchDash(t, players, player, "gala")
		s := see(t, p, player+" from what is left", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
		if left := end - s.CurrentTime; s.Live || left < 6 {
			t.Errorf("%s begins %.1f s before the end, live: %v; want the beginning", player, left, s.Live)
		}
		s = see(t, p, player+" to the end", func(s browser.State) bool { return s.Ended })
		smooth(t, s)
	}
	askedForNothingMissing(t, f, "gala", players)
}

// endOf waits for the manifest of a job that is over and is when it ends, on the
// presentation's own time.
func endOf(t *testing.T, f *farm.Farm, id string) (seconds float64) {
	t.Helper()
	farm.Until(t, 30*time.Second, "the end of "+id, func() bool {
		doc, err := mpd.MPDFromBytes(get(t, f.Origin(id+"/manifest.mpd")))
		if err != nil {
			t.Fatal(err)
		}
		last := doc.Periods[len(doc.Periods)-1]
		if doc.GetType() != mpd.STATIC_TYPE || last.Start == nil || last.Duration == nil {
			return false
		}
		seconds = (time.Duration(*last.Start) + time.Duration(*last.Duration)).Seconds()
		return true
	})
	return seconds
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// A clip plays from its first picture to its last.
func TestFileInDashPlayers(t *testing.T) {
	const seconds = 20
	f := farm.Start(t)
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "testcard:?size=854x480&duration=20s", "--wait")
	published(t, f, "clip")
	for _, player := range browser.Foreign {
		t.Run(player, func(t *testing.T) {
			players := browser.ServePlayers(t, f.Page)
			p := watchDash(t, players, player, "clip")
			first := see(t, p, "playback of three levels", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" && len(s.Levels) == 3 })
			if first.CurrentTime > 3 || first.Live {
				t.Errorf("began at %.1f s, live: %v", first.CurrentTime, first.Live)
			}
			hears(t, p)
			switches(t, p)
			still(t, p, "dash-file-"+player)
			s := see(t, p, "the end", func(s browser.State) bool { return s.Ended })
			smooth(t, s)
			// dash.js may rest half a second before it, see its player.js.
			if s.CurrentTime < seconds-0.6 || s.CurrentTime > seconds+0.5 {
				t.Errorf("playback ended at %.2f s of %d", s.CurrentTime, seconds)
			}
			askedForNothingMissing(t, f, "clip", players)
		})
	}
}
