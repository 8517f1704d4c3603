package browser

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/dashboard"
	"google.golang.org/protobuf/proto"
)

var (
	desktop     = Look{Width: 1360, Height: 900}
	desktopDark = Look{Width: 1360, Height: 900, Dark: true}
	phone       = Look{Width: 390, Height: 844}
	phoneDark   = Look{Width: 390, Height: 844, Dark: true}
)

// wantFit is a page that nobody has to scroll sideways, on a desk or a phone.
func wantFit(t *testing.T, p *Page) {
	t.Helper()
	for _, look := range []Look{desktop, phone} {
		if err := p.Relook(look); err != nil {
			t.Fatal(err)
		}
		if err := p.WaitEval(within(t, 5*time.Second), "a page that fits its width", `document.documentElement.scrollWidth <= innerWidth`); err != nil {
			t.Error(err)
		}
	}
}

func shootAll(t *testing.T, p *Page, name string) {
	t.Helper()
	for suffix, look := range map[string]Look{"light": desktop, "dark": desktopDark, "phone": phone, "phone-dark": phoneDark} {
		shoot(t, p, name+"-"+suffix, look)
	}
}

// wantSmooth is what a viewer wants: no stall and no error event.
func wantSmooth(t *testing.T, s State) {
	t.Helper()
	if len(s.Errors) != 0 || s.Stalls != 0 {
		t.Errorf("playback had %d stalls and the errors %+v, want none", s.Stalls, s.Errors)
	}
}

func playing(after float64) func(State) bool {
	return func(s State) bool { return s.Status == "playing" && s.CurrentTime > after }
}

func TestOverviewShowsJobsAndFleet(t *testing.T) {
	f := newFarm(t, busy())
	p := open(t, startBrowser(t), f.URL, desktop)
	ctx := within(t, 20*time.Second)
	if _, err := p.WaitFor(ctx, "the feed", func(s State) bool { return s.Feed.Jobs == 6 && s.Feed.Agents == 3 }); err != nil {
		t.Fatal(err)
	}
	for what, expression := range map[string]string{
		"a card for every active job": `document.querySelectorAll("article.card").length === 4`,
		"a line for every ended job":  `document.querySelectorAll("a.line").length === 2`,
		"the reason of a waiting job": `document.body.textContent.includes("Waits for a device")`,
		"the advice of a failed job":  `document.body.textContent.includes("Give the farm a decrypted file.")`,
		"an agent that is gone":       `document.querySelector(".agent .dot.bad").textContent === "laptop"`,
		"what is wrong with a device": `document.body.textContent.includes("it has no encoder")`,
		"the late rung of a live job": `document.querySelector(".rung.late th").textContent.startsWith("360p")`,
		"the progress of a file":      `document.querySelector(".progress").textContent.includes("43 %")`,
	} {
		if err := p.WaitEval(ctx, what, expression); err != nil {
			t.Error(err)
		}
	}
	shootAll(t, p, "overview")
	wantFit(t, p)
}

// GPUs of the driver twin are called that beside every figure of theirs, also
// when there are none.
func TestTwinsAreCalledTwins(t *testing.T) {
	twin := func(id string, state galav1.DeviceState) *galav1.DeviceView {
		return &galav1.DeviceView{Id: id, Model: "NVIDIA L4 (driver twin)", Role: "encode", Figures: &galav1.DeviceFigures{
			Id: id, Model: "NVIDIA L4 (driver twin)", State: state, EncoderPercent: proto.Uint32(44), Trouble: "GPU is lost (NVML 15)",
		}}
	}
	fleet := []*galav1.AgentView{{Name: "laptop", Connected: true, LastBeat: ago(200 * time.Millisecond), TelemetryAt: ago(300 * time.Millisecond),
		Devices: []*galav1.DeviceView{twin("GPU-1", galav1.DeviceState_DEVICE_STATE_WELL), twin("GPU-2", galav1.DeviceState_DEVICE_STATE_LOST)}}}
	f := newFarm(t, dashboard.View{Agents: fleet})
	p := open(t, startBrowser(t), f.URL, desktop)
	ctx := within(t, 20*time.Second)
	for what, expression := range map[string]string{
		"beside gauges":  `[...document.querySelectorAll(".device")].some((d) => d.querySelector("strong").textContent.endsWith("(driver twin)") && d.querySelector(".gauges")?.textContent.includes("44 %"))`,
		"beside trouble": `[...document.querySelectorAll(".device")].some((d) => d.querySelector("strong").textContent.endsWith("(driver twin)") && d.querySelector(".trouble")?.textContent.startsWith("Lost"))`,
	} {
		if err := p.WaitEval(ctx, what, expression); err != nil {
			t.Error(err)
		}
	}
	wantFit(t, p)
}

// A job's page says what is known of it before there is anything to play.
func TestJobPageTellsWhyAndWhere(t *testing.T) {
	f := newFarm(t, busy())
	p := open(t, startBrowser(t), f.URL+"/?job=final-2026", desktop)
	ctx := within(t, 20*time.Second)
	for what, text := range map[string]string{
		"the placement's reason": "NVENC 61 % after placement", "what happened": "SIGSEGV in libnvcuvid",
		"a repair": "padded with silence", "the grid": "segments of 2 s", "the address": f.URL + "/origin/final-2026/master.m3u8",
		"the address for DASH": f.URL + "/origin/final-2026/manifest.mpd",
	} {
		if err := p.WaitEval(ctx, what, `document.body.textContent.includes("`+text+`")`); err != nil {
			t.Error(err)
		}
	}
	shootAll(t, p, "onair")
	wantFit(t, p)
}

// The page of a redundant job shows every replica, where it runs or why it does
// not, and the fleet what is closed.
func TestReplicasAndCordonsAreShown(t *testing.T) {
	j := degraded()
	j.Placements = []*galav1.PlacementView{{Assignment: "court-7-1", Agent: "studio-2", Device: "GPU-5e1f", Epoch: 4, Reason: "least loaded"}}
	j.Replicas = []*galav1.ReplicaView{
		{Number: 1, State: galav1.JobState_JOB_STATE_RUNNING, Reason: "runs on studio-2/GPU-5e1f", Placement: j.Placements[0]},
		{Number: 2, State: galav1.JobState_JOB_STATE_DEGRADED, Reason: "no device has room: studio-1/GPU-11 is in zone a"},
	}
	j.Warm = "studio-3"
	fleet := agents()
	fleet[0].Cordon = &galav1.CordonView{Drain: true}
	fleet[1].Devices[0].Cordon = &galav1.CordonView{}
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{j}, Agents: fleet})
	p := open(t, startBrowser(t), f.URL+"/?job=court-7", desktop)
	ctx := within(t, 20*time.Second)
	for what, expression := range map[string]string{
		"both replicas":            `document.querySelectorAll(".replicas li").length === 2`,
		"where the first runs":     `document.querySelector(".replicas li")?.textContent.includes("studio-2 / GPU-5e1f")`,
		"why the second does not":  `document.querySelectorAll(".replicas li")[1]?.textContent.includes("is in zone a")`,
		"who holds the source too": `document.body.textContent.includes("studio-3 holds the source too")`,
	} {
		if err := p.WaitEval(ctx, what, expression); err != nil {
			t.Error(err)
		}
	}
	wantFit(t, p)
	p = open(t, startBrowser(t), f.URL, desktop)
	for what, expression := range map[string]string{
		"a host that is drained":    `document.querySelector(".agent header")?.textContent.includes("draining")`,
		"a device that is cordoned": `[...document.querySelectorAll(".device")].some((d) => d.textContent.includes("cordoned"))`,
	} {
		if err := p.WaitEval(ctx, what, expression); err != nil {
			t.Error(err)
		}
	}
	wantFit(t, p)
}

func TestEmptyFarmSaysWhatToDo(t *testing.T) {
	p := open(t, startBrowser(t), newFarm(t, dashboard.View{}).URL, desktop)
	ctx := within(t, 20*time.Second)
	for what, text := range map[string]string{"a first job": "gala live submit", "a missing agent": "No agent is attached"} {
		if err := p.WaitEval(ctx, what, `document.body.textContent.includes("`+text+`")`); err != nil {
			t.Error(err)
		}
	}
	shootAll(t, p, "empty")
}

func TestPageIsRightAfterItsConnectionWasLost(t *testing.T) {
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{onAir()}})
	p := open(t, startBrowser(t), f.URL, desktop)
	ctx := within(t, 30*time.Second)
	before, err := p.WaitFor(ctx, "the feed", func(s State) bool { return s.Feed.Jobs == 1 })
	if err != nil {
		t.Fatal(err)
	}
	f.CloseClientConnections()
	f.put(queued())
	if _, err := p.WaitFor(ctx, "what changed meanwhile", func(s State) bool {
		return s.Feed.Connections > before.Feed.Connections && s.Feed.Jobs == 2
	}); err != nil {
		t.Fatal(err)
	}
	cancelled := job("replay-119", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_CANCELLED, "Cancelled by an operator.")
	cancelled.Revision = 2
	f.put(cancelled)
	if err := p.WaitEval(ctx, "the change after it", `document.querySelector("a.line.cancelled") !== null`); err != nil {
		t.Error(err)
	}
}

func clipJob() *galav1.Job {
	j := done()
	j.Spec.Id, j.Outputs = "clip", nil
	j.Renditions = []*galav1.RenditionStatus{
		status(video("360p", 640, 360, 900_000), 880_000, 9, 14, time.Minute),
		status(video("180p", 320, 180, 250_000), 260_000, 9, 14, time.Minute),
		status(audio("stereo"), 96_000, 9, 14, time.Minute),
	}
	return j
}

func TestFileLadderPlaysAndSwitchesBothWays(t *testing.T) {
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{clipJob()}})
	makeLadder(t, filepath.Join(f.root, "clip"), 30)
	p := open(t, startBrowser(t), f.URL+"/?job=clip", desktop)
	ctx := within(t, 60*time.Second)
	s, err := p.WaitFor(ctx, "two seconds of playback", playing(2))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Levels) != 2 || s.Levels[0].Name != "180p" || s.Levels[1].Name != "360p" {
		t.Fatalf("levels %+v, want 180p and 360p", s.Levels)
	}
	for _, level := range []int{0, 1, 0} {
		if s, err = p.SwitchTo(ctx, level); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = p.WaitFor(ctx, "playback after the switches", playing(s.CurrentTime+2)); err != nil {
		t.Fatal(err)
	}
	wantSmooth(t, s)
	shootAll(t, p, "job")
}

// The level is picked with the rungs of the picture and with the keyboard.
func TestLevelIsPickedByClickAndByKey(t *testing.T) {
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{clipJob()}})
	makeLadder(t, filepath.Join(f.root, "clip"), 30)
	p := open(t, startBrowser(t), f.URL+"/?job=clip", desktop)
	ctx := within(t, 60*time.Second)
	if _, err := p.WaitFor(ctx, "playback", playing(0.5)); err != nil {
		t.Fatal(err)
	}
	onScreen := func(level int) func(State) bool {
		return func(s State) bool { return s.Level == level && !s.Auto }
	}
	steps := []struct {
		what string
		do   func() error
		want func(State) bool
	}{
		{"a click on 180p", func() error { return p.Click(`tr[data-key="180p"] button`) }, onScreen(0)},
		{"the key +", func() error { return p.Press("+") }, onScreen(1)},
		{"the key -", func() error { return p.Press("-") }, onScreen(0)},
		{"the key a", func() error { return p.Press("a") }, func(s State) bool { return s.Auto }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.WaitFor(ctx, step.what, step.want); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Click("a.back"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WaitFor(ctx, "the list of jobs", func(s State) bool { return s.Job == "" && s.Status == "idle" }); err != nil {
		t.Error(err)
	}
}

func TestLiveLadderIsWaitedForAndPlaysAtItsEdge(t *testing.T) {
	live := job("event", galav1.JobKind_JOB_KIND_LIVE, galav1.JobState_JOB_STATE_STARTING, "A worker on studio-1 opens the source.")
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{live}})
	p := open(t, startBrowser(t), f.URL+"/?job=event", desktop)
	ctx := within(t, 90*time.Second)
	if err := p.WaitEval(ctx, "words on what is waited for",
		`/no master playlist yet/.test(overlay.textContent) && /opens the source/.test(overlay.textContent)`); err != nil {
		t.Fatal(err)
	}
	shoot(t, p, "waiting-dark", desktopDark)
	publishTo(t, f, "event", "", 30, 2*time.Second)
	s, err := p.WaitFor(ctx, "playback", playing(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []int{0, 1} {
		if s, err = p.SwitchTo(ctx, level); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = p.WaitFor(ctx, "playback after the switches", playing(s.CurrentTime+4)); err != nil {
		t.Fatal(err)
	}
	wantSmooth(t, s)
	if s.Latency == nil || *s.Latency > 8 {
		t.Errorf("latency %v, want at most 4 segments of 2 s", s.Latency)
	}
	shoot(t, p, "live-light", desktop)
}

func TestFilePlaysFromItsBeginningWhileItIsEncoded(t *testing.T) {
	growing := job("growing", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_RUNNING, "Encoding.")
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{growing}})
	publishTo(t, f, "growing", "EVENT", 20, 1200*time.Millisecond)
	p := open(t, startBrowser(t), f.URL+"/?job=growing", desktop)
	ctx := within(t, 90*time.Second)
	s, err := p.WaitFor(ctx, "the first second", func(s State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	if err != nil {
		t.Fatal(err)
	}
	if s.CurrentTime > 3 {
		t.Errorf("playback began at %.1f s, want the beginning", s.CurrentTime)
	}
	if s, err = p.WaitFor(ctx, "the end", func(s State) bool { return s.Ended }); err != nil {
		t.Fatal(err)
	}
	wantSmooth(t, s)
	if s.CurrentTime < 19.5 {
		t.Errorf("playback ended at %.1f s of 20", s.CurrentTime)
	}
}

// An origin that is away for longer than the buffer is said in words, and
// playback goes on by itself when it is back.
func TestPlaybackGoesOnAfterTheOriginWasAway(t *testing.T) {
	live := job("event", galav1.JobKind_JOB_KIND_LIVE, galav1.JobState_JOB_STATE_RUNNING, "All renditions are on time.")
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{live}})
	publishTo(t, f, "event", "", 40, 2*time.Second)
	p := open(t, startBrowser(t), f.URL+"/?job=event", desktop)
	ctx := within(t, 120*time.Second)
	if _, err := p.WaitFor(ctx, "playback", playing(2)); err != nil {
		t.Fatal(err)
	}
	f.outage.Store(true)
	s, err := p.WaitFor(ctx, "a stall with its reason", func(s State) bool { return s.Status == "stalled" && len(s.Errors) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if words := s.Errors[0].Words; !strings.Contains(words, "HTTP 503") {
		t.Errorf("the error says %q", words)
	}
	shoot(t, p, "stalled-dark", desktopDark)
	f.outage.Store(false)
	if _, err := p.WaitFor(ctx, "playback again", playing(s.CurrentTime+3)); err != nil {
		t.Fatal(err)
	}
}

// The page may be open before its job is submitted.
func TestJobThatComesLaterIsPlayed(t *testing.T) {
	f := newFarm(t, dashboard.View{})
	p := open(t, startBrowser(t), f.URL+"/?job=event", desktop)
	ctx := within(t, 60*time.Second)
	if _, err := p.WaitFor(ctx, "the wait", func(s State) bool { return s.Status == "waiting" && !s.Live }); err != nil {
		t.Fatal(err)
	}
	f.put(job("event", galav1.JobKind_JOB_KIND_LIVE, galav1.JobState_JOB_STATE_RUNNING, "All renditions are on time."))
	publishTo(t, f, "event", "", 20, 2*time.Second)
	s, err := p.WaitFor(ctx, "playback", playing(1))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Live {
		t.Error("a live job is played as a file")
	}
	wantSmooth(t, s)
}

func TestFailedJobSaysWhyAndWhatToDo(t *testing.T) {
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{failed()}})
	p := open(t, startBrowser(t), f.URL+"/?job=upload-55", desktop)
	ctx := within(t, 20*time.Second)
	if err := p.WaitEval(ctx, "the error in words", `/encrypted/.test(overlay.textContent) && /decrypted file/.test(overlay.textContent)`); err != nil {
		t.Error(err)
	}
	shoot(t, p, "failed-light", desktop)
}

// The page asks nothing of another host: a farm may be on a closed network.
func TestPageAsksOnlyItsOwnHost(t *testing.T) {
	f := newFarm(t, dashboard.View{Jobs: []*galav1.Job{clipJob()}})
	makeLadder(t, filepath.Join(f.root, "clip"), 4)
	p := open(t, startBrowser(t), f.URL+"/?job=clip", desktop)
	if _, err := p.WaitFor(within(t, 30*time.Second), "playback", playing(1)); err != nil {
		t.Fatal(err)
	}
	for _, request := range p.Requests() {
		// The browser's own controls draw their icons from data URLs.
		own := strings.HasPrefix(request, f.URL) || strings.HasPrefix(request, "blob:"+f.URL) || strings.HasPrefix(request, "data:image/")
		if !own {
			t.Errorf("the page asked for %s", request)
		}
	}
}
