package browser

import (
	"path/filepath"
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/dashboard"
)

var (
	desktopLight = Look{Width: 1360, Height: 900}
	desktopDark  = Look{Width: 1360, Height: 900, Dark: true}
	phoneLight   = Look{Width: 390, Height: 844}
	phoneDark    = Look{Width: 390, Height: 844, Dark: true}
)

func TestOverviewShowsJobsAndFleet(t *testing.T) {
	b := startBrowser(t)
	f := newFarm(t, busy())
	p := open(t, b, f.URL, desktopLight)
	if _, err := p.WaitFor(within(t, 20*time.Second), "the feed", func(s State) bool { return s.Feed.Jobs == 6 }); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitEval(within(t, 5*time.Second), "cards", `document.querySelectorAll("article.card").length === 4`); err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]Look{"overview-light": desktopLight, "overview-dark": desktopDark, "overview-phone": phoneLight, "overview-phone-dark": phoneDark} {
		shoot(t, p, name, look)
	}
}

func TestVODLadderPlaysAndSwitchesBothWays(t *testing.T) {
	b := startBrowser(t)
	f := newFarm(t, dashboard.View{})
	makeLadder(t, filepath.Join(f.root, "clip"), 30)
	j := done()
	j.Spec.Id, j.Renditions = "clip", []*galav1.RenditionStatus{
		status(video("360p", 640, 360, 900_000), 880_000, 9, 14, time.Minute), status(video("180p", 320, 180, 250_000), 260_000, 9, 14, time.Minute), status(audio("stereo"), 96_000, 9, 14, time.Minute)}
	f.put(j)
	p := open(t, b, f.URL+"/?job=clip", desktopLight)
	ctx := within(t, 60*time.Second)
	s, err := p.WaitFor(ctx, "two seconds of playback", func(s State) bool { return s.Status == "playing" && s.CurrentTime > 2 })
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Levels) != 2 || s.Levels[0].Name != "180p" || s.Levels[1].Name != "360p" {
		t.Fatalf("levels %+v", s.Levels)
	}
	for _, level := range []int{0, 1, 0} {
		if s, err = p.SwitchTo(ctx, level); err != nil {
			t.Fatal(err)
		}
	}
	at := s.CurrentTime
	if s, err = p.WaitFor(ctx, "playback after the switches", func(s State) bool { return s.CurrentTime > at+2 }); err != nil {
		t.Fatal(err)
	}
	if len(s.Errors) != 0 || s.Stalls != 0 {
		t.Errorf("stalls %d, errors %+v", s.Stalls, s.Errors)
	}
	for name, look := range map[string]Look{"job-light": desktopLight, "job-dark": desktopDark, "job-phone": phoneLight, "job-phone-dark": phoneDark} {
		shoot(t, p, name, look)
	}
}
