package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor/fakeworker"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

var start = time.Unix(1_800_000_000, 0)

func TestJudge(t *testing.T) {
	killed := exit{known: true, status: syscall.WaitStatus(syscall.SIGKILL)}
	segv := exit{known: true, status: syscall.WaitStatus(syscall.SIGSEGV)}
	own := &galav1.Outcome{Code: galav1.OutcomeCode_OUTCOME_CODE_SINK_ERROR}
	tests := []struct {
		name string
		e    evidence
		want string
	}{
		{"the worker's word counts before everything", evidence{written: own, exit: segv, stop: &stopRecord{Cause: causeStalled}, oomKill: true}, "sink_error"},
		{"killed for memory", evidence{exit: killed, oomKill: true}, "out_of_memory"},
		{"adopted and killed for memory", evidence{oomKill: true}, "out_of_memory"},
		{"another worker was killed for memory", evidence{exit: segv, oomKill: true}, "crashed"},
		{"killed by someone", evidence{exit: killed}, "crashed"},
		{"adopted, nothing known", evidence{writeErr: os.ErrNotExist}, "crashed"},
		{"our kill is no memory kill", evidence{exit: killed, oomKill: true, stop: &stopRecord{Cause: causeNow}}, "stopped"},
		{"stalled", evidence{exit: killed, stop: &stopRecord{Cause: causeStalled}}, "stalled"},
		{"not ready", evidence{exit: killed, stop: &stopRecord{Cause: causeStartTimeout}}, "start_timeout"},
		{"superseded", evidence{exit: killed, stop: &stopRecord{Cause: causeSuperseded}}, "superseded"},
		{"unreadable", evidence{exit: segv, writeErr: errors.New("half")}, "crashed"},
	}
	for _, tt := range tests {
		if got := codeName(judge(tt.e)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestLadder(t *testing.T) {
	l := DefaultLimits()
	onAir := live("a", fakeworker.Script{})
	onAir.Grid = &galav1.Grid{Fps: &galav1.Rational{Num: 25, Den: 1}, FramesPerGop: 50, GopsPerSegment: 1}
	tests := []struct {
		cause cause
		spec  *galav1.Assignment
		want  string
	}{
		{causeFinish, onAir, "ask 12s, term 2s, kill 5s"},
		{causeFinish, vod("v", fakeworker.Script{}), "ask 30s, term 2s, kill 5s"},
		{causeNow, onAir, "ask 2s, term 2s, kill 5s"},
		{causeSuperseded, onAir, "ask 500ms, kill 5s"},
		{causeStalled, onAir, "quit 300ms, kill 5s"},
		{causeStartTimeout, onAir, "kill 5s"},
	}
	for _, tt := range tests {
		var steps []string
		for _, r := range ladder(stopRecord{Cause: tt.cause}, tt.spec, l) {
			steps = append(steps, r.name+" "+r.wait.String())
		}
		if got := strings.Join(steps, ", "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.cause, got, tt.want)
		}
	}
}

func TestStopPrecedence(t *testing.T) {
	order := []cause{causeFinish, causeNow, causeSuperseded}
	for i, old := range order {
		for j, next := range order {
			if got := (stopRecord{Cause: next}).overrides(&stopRecord{Cause: old}); got != (j > i) {
				t.Errorf("%s after %s: %v", next, old, got)
			}
		}
		if (stopRecord{Cause: causeStalled}).overrides(&stopRecord{Cause: old}) {
			t.Errorf("a stall turned a %s into a fault", old)
		}
	}
}

func at(frames, decoded int64) *galav1.WorkerStatus {
	return &galav1.WorkerStatus{FramesDecoded: decoded, Renditions: []*galav1.RenditionProgress{{Frames: frames}}}
}

// firstStall plays one status per quarter of a second and says when the watch
// spoke.
func firstStall(a *galav1.Assignment, l Limits, play func(tick int) *galav1.WorkerStatus) (time.Duration, string) {
	const every = 250 * time.Millisecond
	w := stallWatch{patience: patienceFor(a, l), tick: every}
	for tick := range 4 * 120 {
		now := start.Add(time.Duration(tick) * every)
		if why := w.observe(now, play(tick), idle, false); why != "" {
			return now.Sub(start), why
		}
	}
	return 0, ""
}

func TestStallWatch(t *testing.T) {
	card, pull := live("card", fakeworker.Script{}), live("pull", fakeworker.Script{})
	card.Input, pull.Input = "testcard:?fps=25", "https://host/live.m3u8"
	web, push, slowLoss, mixed := live("web", fakeworker.Script{}), live("push", fakeworker.Script{}), live("loss", fakeworker.Script{}), live("mixed", fakeworker.Script{})
	web.Input, push.Input, slowLoss.Input, mixed.Input = "https://host/clip.mp4", "srt://host:9000", "udp://239.1.1.1:5000", "srt://host:9000"
	slowLoss.Failover = &galav1.Failover{LossMs: 10_000}
	mixed.Backups = []*galav1.BackupInput{{Url: "https://host/live.m3u8"}}
	slow := live("slow", fakeworker.Script{})
	slow.Input, slow.Grid.Fps = "testcard:", &galav1.Rational{Num: 1, Den: 2}
	clip := vod("clip", fakeworker.Script{})
	after := func(tick int, n int64) int64 { return min(n, int64(tick)) }
	tests := []struct {
		name string
		spec *galav1.Assignment
		play func(tick int) *galav1.WorkerStatus
		want time.Duration
	}{
		{"works", card, func(n int) *galav1.WorkerStatus { return at(int64(n), int64(n)) }, 0},
		{"nothing at all", card, func(int) *galav1.WorkerStatus { return nil }, 60 * time.Second},
		{"stops", card, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 3500 * time.Millisecond},
		{"between two segments of a list", pull, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 17 * time.Second},
		{"hangs, whatever its source does", push, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 8 * time.Second},
		{"waits longer for its source", slowLoss, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 18 * time.Second},
		{"a backup that is a list", mixed, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 17 * time.Second},
		{"a looped file whose server is away", web, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 17 * time.Second},
		{"decodes on", pull, func(n int) *galav1.WorkerStatus { return at(after(n, 4), int64(50*n)) }, 3500 * time.Millisecond},
		{"half a frame a second", slow, func(n int) *galav1.WorkerStatus { return at(after(n, 4), 0) }, 21 * time.Second},
		{"a slow file", clip, func(n int) *galav1.WorkerStatus { return at(int64(n/200), int64(n)) }, 0},
		{"a file that decodes to where it resumes", clip, func(n int) *galav1.WorkerStatus { return at(0, int64(50*n)) }, 0},
		{"a stuck file", clip, func(n int) *galav1.WorkerStatus { return at(after(n, 4), after(n, 200)) }, 110 * time.Second},
		{"a source before its boundary", pull, func(n int) *galav1.WorkerStatus { return at(0, int64(n)) }, 0},
	}
	for _, tt := range tests {
		got, why := firstStall(tt.spec, DefaultLimits(), tt.play)
		if (tt.want == 0) != (got == 0) || got < tt.want || got > tt.want+time.Second {
			t.Errorf("%s: after %s (%q), want %s", tt.name, got, why, tt.want)
		}
	}
}

func idle() usage { return usage{} }

// A worker that is starved of processors has longer, to a bound; one that hangs on
// the same host is caught in the usual time.
func TestStarvedIsNotHung(t *testing.T) {
	a := live("a", fakeworker.Script{})
	a.Input = "testcard:"
	for _, tt := range []struct {
		name  string
		each  usage // second, from the fourth on
		until int   // seconds, then it works again; 0: never
		want  time.Duration
		says  string
	}{
		{"stopped", usage{}, 0, 4 * time.Second, "for 2.5s"},
		{"asleep but for a ticker", usage{10 * time.Millisecond, 600 * time.Millisecond}, 0, 4 * time.Second, "for 2.5s"},
		{"spins", usage{2 * time.Second, 2 * time.Second}, 0, 4 * time.Second, "for 2.5s"},
		{"starved", usage{100 * time.Millisecond, 9 * time.Second}, 0, 64 * time.Second, "for 2.5s, and 1m0s more in which it waited for a processor"},
		{"starved for a while", usage{100 * time.Millisecond, 9 * time.Second}, 40, 0, ""},
		{"starved, and told of it every two seconds", usage{100 * time.Millisecond, 9 * time.Second}, 40, 0, ""},
	} {
		w := stallWatch{patience: patienceFor(a, DefaultLimits()), tick: guardTick}
		u, got, why := usage{5 * time.Second, time.Second}, time.Duration(0), ""
		for tick := 0; tick < 2*120 && why == ""; tick++ {
			done := int64(min(tick, 2))
			if tick > 2 && !strings.Contains(tt.name, "every two") {
				u.ran, u.waited = u.ran+tt.each.ran/2, u.waited+tt.each.waited/2
			}
			if tick > 2 && tick%4 == 0 && strings.Contains(tt.name, "every two") {
				u.ran, u.waited = u.ran+2*tt.each.ran, u.waited+2*tt.each.waited
			}
			if tt.until > 0 && tick > 2*tt.until {
				done = int64(tick)
			}
			now := time.Duration(tick) * guardTick
			if why = w.observe(start.Add(now), at(done, 0), func() usage { return u }, false); why != "" {
				got = now
			}
		}
		if got < tt.want || got > tt.want+time.Second || !strings.Contains(why, tt.says) {
			t.Errorf("%s: after %s (%q), want %s (%q)", tt.name, got, why, tt.want, tt.says)
		}
	}
}

// An agent that was suspended has seen nothing, and blames nobody.
func TestStallWatchAfterASuspension(t *testing.T) {
	a := live("a", fakeworker.Script{})
	w := stallWatch{patience: patienceFor(a, DefaultLimits()), tick: guardTick}
	w.observe(start, at(1, 1), idle, false)
	if why := w.observe(start.Add(time.Hour), at(1, 1), idle, false); why != "" {
		t.Error(why)
	}
}

func TestWorkerEnvironment(t *testing.T) {
	got := workerEnv([]string{"HOME=/root", "AWS_SECRET=x", "GALA_TOKEN=x", "GALA_WORKER_X=1", "https_proxy=p", "LD_LIBRARY_PATH=/l", "GALA_TWIN=/t", "GALA_TWINS=x", "CUDA_CACHE_DISABLE=1"}, "GPU-1", "/c", "/a.mp4")
	want := []string{"LANG=C.UTF-8", "CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=GPU-1", "CUDA_CACHE_PATH=/c", "CUDA_CACHE_MAXSIZE=268435456", "GALA_WORKER_X=1", "https_proxy=p", "LD_LIBRARY_PATH=/l", "GALA_TWIN=/t"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if env := workerEnv(nil, "cpu", "/c", ""); !slices.Equal(env, []string{"LANG=C.UTF-8", "CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES="}) {
		t.Errorf("a processor's worker sees GPUs: %q", env)
	}
}

// Credentials go to those who fetch from a bucket, and to nobody else.
func TestCredentialsOfWorkers(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	const secret = "AWS_SECRET_ACCESS_KEY=x"
	for source, want := range map[string]bool{
		"s3://clips/a.mp4": true, "S3://clips/a.mp4?region=eu-west-1": true,
		"": false, "/clips/a.mp4": false, "https://s3.example.com/a.mp4": false, "testcard:s3://": false, "srt://s3:9000": false,
	} {
		if got := slices.Contains(workerEnv(os.Environ(), "GPU-1", "", source), secret); got != want {
			t.Errorf("%q: a worker has them: %v", source, got)
		}
		if got := slices.Contains(tool{source: source}.command(t.Context()).Env, secret); got != want {
			t.Errorf("%q: a probe has them: %v", source, got)
		}
	}
}

// Each kind of bucket has credentials of its own, and gets no others.
func TestCredentialsOfOneCloud(t *testing.T) {
	all := []string{"AWS_SECRET_ACCESS_KEY=x", "GOOGLE_APPLICATION_CREDENTIALS=x", "STORAGE_EMULATOR_HOST=x", "AZURE_STORAGE_KEY=x", "AZURE_STORAGE_SAS_TOKEN=x", "AZURE_STORAGE_CONNECTION_STRING=x"}
	for _, c := range []struct {
		places []string
		want   []string
	}{
		{[]string{"gs://clips/a.mp4", "/out"}, all[1:3]},
		{[]string{"GS://clips/a.mp4"}, all[1:3]},
		{[]string{"testcard:", "azblob://live/x"}, all[3:5]},
		{[]string{"s3://clips/a.mp4", "azblob://live/x"}, []string{all[0], all[3], all[4]}},
		{[]string{"https://storage.googleapis.com/clips/a.mp4", "file:///gs://x"}, nil},
	} {
		if got := workerEnv(all, "GPU-1", "", c.places...)[3:]; !slices.Equal(got, c.want) {
			t.Errorf("%v: a worker has %q, want %q", c.places, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	stacks := strings.Repeat("goroutine 1 [running]:\n\tsome/where.go:1\n", 4000)
	tests := []struct{ log, stderr, want string }{
		{"a\nb\n", "noise\n", "a\nb"},
		{"", "noise\n", "noise"},
		{strings.Repeat("x\n", 100), "", strings.TrimSpace(strings.Repeat("x\n", quoteLines))},
		{"fine\n", "noise\nfatal error: unexpected signal\n[signal SIGSEGV]\n" + stacks, "fatal error: unexpected signal\n[signal SIGSEGV]"},
		{"encoding\n", "SIGQUIT: quit\n" + stacks, "encoding"},
		{"\x1b[31mred\x00\xff\n", "", "[31mred?"},
		{"", "", ""},
	}
	for _, tt := range tests {
		dir := runDir(t.TempDir())
		if err := errors.Join(dir.write(fileLog, []byte(tt.log)), dir.write(fileStderr, []byte(tt.stderr))); err != nil {
			t.Fatal(err)
		}
		if got := dir.quote(); !strings.HasPrefix(got, tt.want) || strings.Count(got, "\n") >= quoteLines {
			t.Errorf("quoted %q, want %q first", got, tt.want)
		}
	}
	if got := runDir(t.TempDir()).quote(); got != "" {
		t.Errorf("no log quoted as %q", got)
	}
}

func TestOOMCounter(t *testing.T) {
	root := t.TempDir()
	files := oomFiles("9:name=systemd:/\n4:memory:/a/b\n0::/x\n", root)
	for file, text := range map[string]string{
		"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		"x/memory.events":           "low 0\noom 1\noom_kill 7\n",
	} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n := (oomCounter{files}).read(); n != 3 {
		t.Errorf("version 1: %d of %q", n, files)
	}
	if n := (oomCounter{oomFiles("0::/x\n", root)}).read(); n != 7 {
		t.Errorf("version 2: %d", n)
	}
	if n := (oomCounter{}).read(); n != 0 {
		t.Errorf("no groups: %d", n)
	}
}

func TestStartTicks(t *testing.T) {
	stat := "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 2"
	if n, err := startTicks([]byte(stat)); err != nil || n != 12345 {
		t.Errorf("%d %v", n, err)
	}
	if _, err := startTicks([]byte("42 (a) S 1")); err == nil {
		t.Error("short stat was read")
	}
}

func TestProbeArguments(t *testing.T) {
	got := probeArgs(&galav1.ProbeRequest{Input: "-x", AllowedSources: []string{"file:/media/*", "https://a/*"}}, "")
	if want := []string{"probe", "--json", "--allow=file:/media/*", "--allow=https://a/*", "--", "-x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
