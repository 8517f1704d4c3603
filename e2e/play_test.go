package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
)

var shots = flag.String("shots", "", "write screenshots of the page to this `directory`")

// desk is how the page is looked at in these tests.
var desk = browser.Look{Width: 1360, Height: 900}

// watchJob opens a job's page in a Chromium of its own. What the page throws,
// logs as an error or asks of another host fails the test.
func watchJob(t *testing.T, f *farm.Farm, id string) *browser.Page {
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
	p, err := b.Open(f.Page+"?job="+id, desk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range p.Problems() {
			t.Errorf("page of %s: %s", id, problem)
		}
		p.Close()
	})
	return p
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// see waits for a state of the page.
func see(t *testing.T, p *browser.Page, what string, ok func(browser.State) bool) browser.State {
	t.Helper()
	s, err := p.WaitFor(within(t, 60*time.Second), what, ok)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func playsPast(at float64) func(browser.State) bool {
	return func(s browser.State) bool { return s.Status == "playing" && s.CurrentTime >= at }
}

// onScreen: the picture of this level is what the viewer sees.
func onScreen(level int) func(browser.State) bool {
	return func(s browser.State) bool {
		return s.Level == level && len(s.Levels) > level && s.Height == s.Levels[level].Height
	}
}

// smooth is what every viewer wants: no stall, no error event of the player.
func smooth(t *testing.T, s browser.State) {
	t.Helper()
	stalled := func(e browser.PlayError) bool { return e.Details == "bufferStalledError" }
	foreign := slices.ContainsFunc(s.Errors, func(e browser.PlayError) bool { return !stalled(e) })
	if s.Stalls == 0 && len(s.Errors) == 0 {
		return
	}
	if load := loadPerCPU(t); load > 4 && !foreign {
		t.Skipf("SKIPPED LOUDLY: %d stalls, on a machine with %.0f processes waiting for each CPU: they prove nothing", s.Stalls, load)
	}
	t.Errorf("playback had %d stalls and the errors %+v, want none", s.Stalls, s.Errors)
}

// loadPerCPU is how busy the machine was in the last minute, these tests
// included: alone they come to two.
func loadPerCPU(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	var load float64
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		t.Fatal(err)
	}
	return load / float64(runtime.NumCPU())
}

func shoot(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	for suffix, look := range map[string]browser.Look{"": desk, "-dark": {Width: 1360, Height: 900, Dark: true}, "-phone": {Width: 390, Height: 844}} {
		if err := p.Relook(look); err != nil {
			t.Fatal(err)
		}
		png, err := p.Screenshot(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*shots, name+suffix+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A viewer of the live card stays at its edge for twenty seconds, takes every
// level by hand, lets the player choose, has a slow line and a fast one again,
// and notices nothing but the size of the picture.
func TestLiveCardInChromium(t *testing.T) { liveCardInChromium(t, device{}) }

func liveCardInChromium(t *testing.T, on device) {
	f := on.start(t)
	on.submit(f, "live", "submit", "--id", "gala", "--input", "testcard:?size=854x480", "--ladder", "mini", "--wait")
	p := watchJob(t, f, "gala")
	began := see(t, p, "playback of three levels", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" && len(s.Levels) == 3 })
	see(t, p, "the player's own way up", func(s browser.State) bool { return s.Auto && onScreen(2)(s) })
	takeEveryLevel(t, p)
	pastSlowLine(t, p)
	shoot(t, p, "live")
	s := see(t, p, "twenty seconds of playback", playsPast(began.CurrentTime+20))
	if s.Dropped > s.Decoded/4 { // a busy machine drops some
		t.Errorf("%d of %d frames dropped", s.Dropped, s.Decoded)
	}
	s = see(t, p, "the live edge: at most four segments of 2 s behind it", func(s browser.State) bool { return s.Live && s.Latency != nil && *s.Latency <= 8 })
	smooth(t, s)
	gainsBack(t, p)
}

// gainsBack: a viewer whose machine was slow for a while plays a little faster
// until the edge is reached again.
func gainsBack(t *testing.T, p *browser.Page) {
	t.Helper()
	speed := func(rate string) {
		if _, err := browser.Eval[float64](p, "document.querySelector('video').playbackRate = "+rate); err != nil {
			t.Fatal(err)
		}
	}
	speed("0.25")
	see(t, p, "a viewer who fell behind", func(s browser.State) bool { return s.Latency != nil && *s.Latency > 10 })
	speed("1")
	if err := p.WaitEval(within(t, 60*time.Second), "a little more speed", "document.querySelector('video').playbackRate === 1.1"); err != nil {
		t.Error(err)
	}
}

// takeEveryLevel clicks through the rungs, down and up.
func takeEveryLevel(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, step := range []struct {
		rung  string
		level int
	}{{"240p", 0}, {"480p", 2}, {"360p", 1}} {
		if err := p.Click(`tr[data-key="` + step.rung + `"] button`); err != nil {
			t.Fatal(err)
		}
		see(t, p, step.rung+" on screen", onScreen(step.level))
	}
}

// pastSlowLine gives the choice back to the player and makes its line slow -
// slower than the best level, which is on its way, by less than what is in the
// buffer at the edge - then fast.
func pastSlowLine(t *testing.T, p *browser.Page) {
	t.Helper()
	if err := p.Press("a"); err != nil {
		t.Fatal(err)
	}
	see(t, p, "the best level by the player's choice", func(s browser.State) bool { return s.Auto && onScreen(2)(s) })
	if err := p.Throttle(900_000); err != nil {
		t.Fatal(err)
	}
	see(t, p, "a lower level on a slow line", func(s browser.State) bool { return s.Auto && s.Level >= 0 && s.Level < 2 && onScreen(s.Level)(s) })
	if err := p.Throttle(0); err != nil {
		t.Fatal(err)
	}
	see(t, p, "the best level on a fast line", func(s browser.State) bool { return s.Auto && onScreen(2)(s) })
}

// A file is watched from its beginning while it is being encoded, to its end.
func TestFileInChromiumWhileItIsEncoded(t *testing.T) { fileInChromium(t, device{}) }

func fileInChromium(t *testing.T, on device) {
	const seconds = 20
	f := on.start(t)
	on.submit(f, "vod", "queue", "--id", "clip", "--ladder", "mini", "testcard:?size=854x480&duration=20s")
	p := watchJob(t, f, "clip")
	first := see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	if first.CurrentTime > 3 {
		t.Errorf("playback began at %.1f s, want the beginning", first.CurrentTime)
	}
	s := see(t, p, "the end", func(s browser.State) bool { return s.Ended })
	smooth(t, s)
	if s.CurrentTime < seconds-0.5 || s.CurrentTime > seconds+0.5 {
		t.Errorf("playback ended at %.2f s of %d", s.CurrentTime, seconds)
	}
	shoot(t, p, "file")
}

// A file given to `live submit` plays as a programme that goes on: past its
// own end, without a stall.
func TestLoopedFileInChromium(t *testing.T) {
	clip := filepath.Join(farm.Media(t), "flower_540p2997_h264_aac.mp4") // 5 s
	f := farm.Start(t)
	f.Must("live", "submit", "--id", "loop", "--input", clip, "--ladder", "mini", "--wait")
	p := watchJob(t, f, "loop")
	s := see(t, p, "playback", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	s = see(t, p, "two seams of the loop", playsPast(s.CurrentTime+11))
	smooth(t, s)
	if !s.Live {
		t.Error("a live file is played as a recording")
	}
	shoot(t, p, "loop")
}
