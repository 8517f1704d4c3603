package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// binary is gala-worker, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gala-worker")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "gala-worker")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is far above what anything here takes.
const patience = 60 * time.Second

// process is one running worker.
type process struct {
	t    *testing.T
	dir  string // runtime directory
	tree string
	cmd  *exec.Cmd
	out  bytes.Buffer
	rpc  galav1.WorkerClient
	ctx  context.Context
}

func rung(name string) ladders.Rendition {
	return ladders.Rendition{Name: name, Video: &ladders.Video{Width: 160, Height: 90, Divisor: 1, Codec: "h264", Profile: "main", Level: "1.3", Bitrate: 200_000, Maxrate: 300_000, Bufsize: 600_000, Preset: "fastest"}, Codecs: "avc1.4D400D", Bandwidth: 300_000, AverageBandwidth: 200_000}
}

func sound(name string) ladders.Rendition {
	return ladders.Rendition{Name: name, Audio: &ladders.Audio{Codec: "aac", Channels: 1, SampleRate: 48000, Bitrate: 64_000, Group: "sound", Default: true}, Codecs: "mp4a.40.2", Bandwidth: 70_000, AverageBandwidth: 64_000}
}

// assignment is a job of one small rung and sound, of the card.
func assignment(t *testing.T, kind galav1.JobKind, input string) *galav1.Assignment {
	t.Helper()
	g, err := timeline.NewGrid(timeline.Rate{Num: 25, Den: 1}, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &galav1.Assignment{
		Id: "a1", Job: "job", Kind: kind, Epoch: 7, Attempt: 1, Input: input, Device: "cpu", Grid: wire.GridProto(g), WritesManifest: true, WindowSeconds: 60,
		Source: &galav1.SourceInfo{
			Video: []*galav1.VideoTrack{{Width: 160, Height: 90, Fps: &galav1.Rational{Num: 25, Den: 1}}},
			Audio: []*galav1.AudioTrack{{Index: 1, Channels: 1, SampleRate: 48000}},
		},
		Renditions: wire.RenditionProtos([]ladders.Rendition{rung("v"), sound("a")}),
	}
}

// start runs a worker on an assignment; without outputs, into a folder.
func start(t *testing.T, a *galav1.Assignment) *process {
	t.Helper()
	root := t.TempDir()
	p := &process{t: t, dir: filepath.Join(root, "run"), tree: filepath.Join(root, "job")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if a.Outputs == nil {
		a.Outputs = []*galav1.Output{{Url: "file://" + p.tree}}
	}
	text, err := protojson.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "assignment.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	p.spawn()
	return p
}

func (p *process) spawn() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.ctx = ctx
	p.cmd = exec.CommandContext(ctx, binary, "run", "--dir", p.dir)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+filepath.Join(p.dir, "sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}}))
	if err != nil {
		p.t.Fatal(err)
	}
	p.rpc = galav1.NewWorkerClient(conn)
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // where a test failed before its end
		_ = conn.Close()
		cancel()
	})
}

// outcome waits for the end and checks that there is exactly one outcome.
func (p *process) outcome() *galav1.Outcome {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("ended with %v: %s", err, p.out.String())
	}
	if p.out.Len() > 0 {
		p.t.Errorf("printed %q", p.out.String())
	}
	return p.left()
}

func (p *process) left() *galav1.Outcome {
	p.t.Helper()
	o := &galav1.Outcome{}
	if err := protojson.Unmarshal(p.read(filepath.Join(p.dir, "outcome.json")), o); err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p *process) read(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatalf("%v; log: %s", err, p.log())
	}
	return b
}

func (p *process) log() []byte { b, _ := os.ReadFile(filepath.Join(p.dir, "log")); return b }

func (p *process) want(o *galav1.Outcome, code galav1.OutcomeCode, words ...string) {
	p.t.Helper()
	if o.GetCode() != code || o.GetMessage() == "" && code != galav1.OutcomeCode_OUTCOME_CODE_FINISHED || o.GetEndedAt() == nil {
		p.t.Errorf("outcome %v; log: %s", o, p.log())
	}
	for _, w := range words {
		if !strings.Contains(o.GetMessage()+" | "+o.GetAdvice(), w) {
			p.t.Errorf("outcome %q (advice %q) does not say %q", o.GetMessage(), o.GetAdvice(), w)
		}
	}
}

// news follows Watch until f is content, answering proposals on the way.
func (p *process) news(f func(*galav1.WatchResponse) bool) *galav1.WatchResponse {
	p.t.Helper()
	watch, err := p.rpc.Watch(p.ctx, &galav1.WatchRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		n, err := watch.Recv()
		if err != nil {
			p.t.Fatalf("watch: %v; log: %s", err, p.log())
		}
		if a := n.GetProposal(); a != nil {
			if _, err := p.rpc.SetAnchor(p.ctx, &galav1.SetAnchorRequest{Anchor: a}); err != nil {
				p.t.Fatal(err)
			}
		}
		if f(n) {
			return n
		}
	}
}

func segments(n int64) func(*galav1.WatchResponse) bool {
	return func(w *galav1.WatchResponse) bool {
		rs := w.GetStatus().GetRenditions()
		for _, r := range rs {
			if r.GetSegments() < n {
				return false
			}
		}
		return len(rs) > 0
	}
}

// playlist is a rendition's, and its segment files.
func (p *process) playlist(rendition string) (text string, files []string) {
	p.t.Helper()
	text = string(p.read(filepath.Join(p.tree, rendition, "media.m3u8")))
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, ".m4s") {
			files = append(files, line)
			if len(p.read(filepath.Join(p.tree, rendition, line))) == 0 {
				p.t.Errorf("%s/%s is empty", rendition, line)
			}
		}
	}
	return text, files
}

// A clip, from assignment to tree: finished, and the outcome tells how far.
func TestClip(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:?size=160x90&duration=5s"))
	o := p.outcome()
	p.want(o, galav1.OutcomeCode_OUTCOME_CODE_FINISHED)
	if len(o.GetStatus().GetRenditions()) != 2 || !o.GetStatus().GetFirstSegment() {
		t.Errorf("status %v", o.GetStatus())
	}
	for _, r := range o.GetStatus().GetRenditions() {
		if r.GetSegments() != 5 || r.GetLastSegment() != 4 || r.GetBytes() == 0 {
			t.Errorf("rendition %v", r)
		}
		text, files := p.playlist(r.GetName())
		if len(files) != 5 || !strings.Contains(text, "#EXT-X-ENDLIST") {
			t.Errorf("%s: playlist %s", r.GetName(), text)
		}
	}
	if master := string(p.read(filepath.Join(p.tree, "master.m3u8"))); !strings.Contains(master, "v/media.m3u8") || !strings.Contains(master, "a/media.m3u8") {
		t.Errorf("master %s", master)
	}
	if !strings.Contains(string(p.log()), "ended") {
		t.Errorf("log %s", p.log())
	}
}

// The second life of a clip makes what the first did not, and leaves alone what
// it did.
func TestClipResumes(t *testing.T) {
	a := assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:?size=1280x720&duration=40s")
	first := start(t, a)
	first.news(segments(2))
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	o := first.outcome()
	first.want(o, galav1.OutcomeCode_OUTCOME_CODE_STOPPED)
	next := int64(40)
	for _, r := range o.GetStatus().GetRenditions() {
		next = min(next, r.GetLastSegment()+1)
	}
	if next < 2 || next >= 40 {
		t.Fatalf("the first life ended before segment %d", next)
	}
	kept := first.read(filepath.Join(first.tree, "v", "1.m4s"))
	a.Epoch, a.Attempt, a.Resume, a.ResumeSegment = 8, 2, true, next
	second := start(t, a)
	second.tree = first.tree
	second.want(second.outcome(), galav1.OutcomeCode_OUTCOME_CODE_FINISHED)
	for _, r := range []string{"v", "a"} {
		if text, files := second.playlist(r); len(files) != 40 || !strings.Contains(text, "#EXT-X-ENDLIST") || strings.Contains(text, "#EXT-X-DISCONTINUITY") {
			t.Errorf("%s: %s", r, text)
		}
	}
	if !bytes.Equal(kept, second.read(filepath.Join(first.tree, "v", "1.m4s"))) {
		t.Error("a segment of the first life was written again")
	}
}

// A live job: ready, an anchor proposed and fixed, progress, and a stop that
// finishes the open segment and ends the playlists.
func TestLiveStopFinishes(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_LIVE, "testcard:?size=160x90"))
	ready, err := p.rpc.Ready(p.ctx, &galav1.ReadyRequest{Protocol: version.Protocol})
	if err != nil || ready.GetAssignment() != "a1" || ready.GetEpoch() != 7 || ready.GetPid() != int64(p.cmd.Process.Pid) {
		t.Fatalf("ready %v, %v", ready, err)
	}
	if _, err := p.rpc.Ready(p.ctx, &galav1.ReadyRequest{Protocol: version.Protocol + 1}); err == nil || !strings.Contains(err.Error(), "upgrade the older one") {
		t.Errorf("another protocol: %v", err)
	}
	proposed := int64(0)
	p.news(func(n *galav1.WatchResponse) bool {
		if a := n.GetProposal(); a != nil {
			proposed = a.GetFrame()
		}
		return segments(2)(n)
	})
	if proposed == 0 || proposed%25 != 0 {
		t.Errorf("proposed to begin with frame %d", proposed)
	}
	if text, _ := p.playlist("v"); strings.Contains(text, "#EXT-X-ENDLIST") || !strings.Contains(text, fmt.Sprintf("%d.m4s", proposed/25)) {
		t.Errorf("on air: %s", text)
	}
	if _, err := p.rpc.Stop(p.ctx, &galav1.StopRequest{Finish: true, Reason: "the match is over"}); err != nil {
		t.Fatal(err)
	}
	last := p.news(func(n *galav1.WatchResponse) bool { return n.GetOutcome() != nil })
	o := p.outcome()
	p.want(o, galav1.OutcomeCode_OUTCOME_CODE_STOPPED, "the match is over")
	if last.GetOutcome().GetCode() != o.GetCode() {
		t.Errorf("watchers heard %v, the file says %v", last.GetOutcome(), o)
	}
	var counts []int
	for _, r := range []string{"v", "a"} {
		text, files := p.playlist(r)
		if counts = append(counts, len(files)); !strings.Contains(text, "#EXT-X-ENDLIST") {
			t.Errorf("%s was left open: %s", r, text)
		}
	}
	if counts[0] != counts[1] {
		t.Errorf("%d segments of picture, %d of sound", counts[0], counts[1])
	}
	for _, r := range o.GetStatus().GetRenditions() {
		if r.GetLastSegment() != o.GetStatus().GetRenditions()[0].GetLastSegment() {
			t.Errorf("renditions end apart: %v", o.GetStatus().GetRenditions())
		}
	}
}

// A handover leaves the playlists open: the job goes on elsewhere.
func TestLiveHandover(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_LIVE, "testcard:?size=160x90"))
	p.news(segments(1))
	if _, err := p.rpc.Stop(p.ctx, &galav1.StopRequest{Finish: true, Leave: true, Reason: "drain"}); err != nil {
		t.Fatal(err)
	}
	p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER, "drain")
	if text, _ := p.playlist("v"); strings.Contains(text, "#EXT-X-ENDLIST") {
		t.Errorf("ended: %s", text)
	}
}

// A signal ends the worker with its outcome.
func TestTERM(t *testing.T) {
	for _, kind := range []galav1.JobKind{galav1.JobKind_JOB_KIND_LIVE, galav1.JobKind_JOB_KIND_VOD} {
		p := start(t, assignment(t, kind, "testcard:?size=160x90&duration=10h"))
		p.news(segments(1))
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_STOPPED)
	}
}

func TestSuperseded(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_LIVE, "testcard:?size=160x90"))
	p.news(segments(1))
	if _, err := p.rpc.Stop(p.ctx, &galav1.StopRequest{Superseded: true, Reason: "epoch 8 runs"}); err != nil {
		t.Fatal(err)
	}
	p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED)
}

// The stop comes before there is anything to stop.
func TestStopBeforeTheAnchor(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_LIVE, "testcard:?size=160x90"))
	if _, err := p.rpc.Stop(p.ctx, &galav1.StopRequest{Finish: true, Reason: "changed my mind"}); err != nil {
		t.Fatal(err)
	}
	p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_STOPPED, "changed my mind")
}

// A source that cannot be read: the reason, advice, and no destination touched.
func TestBadSources(t *testing.T) {
	var puts atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { puts.Add(1) }))
	defer origin.Close()
	page := filepath.Join(t.TempDir(), "page.ts")
	if err := os.WriteFile(page, []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	for input, words := range map[string][]string{
		"/no/such/clip.mp4":            {"does not exist", "check the path"},
		page:                           {"is an HTML page", "correct it"},
		"/etc/hostname":                {"list of allowed sources", "--allow-source"},
		"http://169.254.169.254/x.mp4": {"169.254.169.254"},
		"testcard:?fps=abc":            {"fps wants a rate", "testcard:?size"},
	} {
		a := assignment(t, galav1.JobKind_JOB_KIND_VOD, input)
		a.AllowedSources = []string{"file:/no/*", "file:" + filepath.Dir(page) + "/*"}
		a.Outputs = []*galav1.Output{{Url: origin.URL + "/origin/job"}}
		p := start(t, a)
		o := p.outcome()
		p.want(o, galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ERROR, words...)
		if o.GetRetryable() {
			t.Errorf("%s is worth trying again: %v", input, o)
		}
	}
	if puts.Load() > 0 {
		t.Errorf("%d requests reached the destination", puts.Load())
	}
}

// A destination that takes nothing, of either kind.
func TestBadDestinations(t *testing.T) {
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer full.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"file://" + file + "/job", full.URL + "/origin/job"} {
		a := assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:?size=160x90&duration=5s")
		a.Outputs = []*galav1.Output{{Url: url}}
		p := start(t, a)
		o := p.outcome()
		p.want(o, galav1.OutcomeCode_OUTCOME_CODE_SINK_ERROR)
		if o.GetAdvice() == "" {
			t.Errorf("%s: no advice in %v", url, o)
		}
	}
}

// An assignment that cannot be read is answered by an outcome too.
func TestBadAssignment(t *testing.T) {
	a := assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:")
	a.Epoch = 0
	p := start(t, a)
	if err := p.cmd.Wait(); err == nil {
		t.Error("exit status 0")
	}
	p.want(p.left(), galav1.OutcomeCode_OUTCOME_CODE_CRASHED, "epoch 0")
}

// An encoder that is not there.
func TestBadEncoder(t *testing.T) {
	a := assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:?size=160x90&duration=5s")
	a.Renditions[0].GetVideo().Encoder = "h264_none"
	p := start(t, a)
	p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_ENCODER_ERROR, "no encoder")
}

// run runs a command of a person and returns what it printed.
func run(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestProbeCommand(t *testing.T) {
	out, _, err := run(t, nil, "probe", "--json", "testcard:?size=640x360&fps=50")
	r := &galav1.ProbeResult{}
	if e := protojson.Unmarshal([]byte(out), r); err != nil || e != nil || r.GetSource().GetVideo()[0].GetWidth() != 640 {
		t.Errorf("%s %v %v", out, err, e)
	}
	out, _, err = run(t, nil, "probe", "--json", "--allow", "file:/media/*", "/etc/hostname")
	if e := protojson.Unmarshal([]byte(out), r); err != nil || e != nil || !strings.Contains(r.GetError().GetAdvice(), "--allow-source") {
		t.Errorf("refused: %s %v %v", out, err, e)
	}
	_, errs, err := run(t, nil, "probe", "/no/such/file.mp4")
	if err == nil || !strings.Contains(errs, "does not exist") {
		t.Errorf("missing: %q %v", errs, err)
	}
	// A name that looks like an option is a name.
	name := filepath.Join(t.TempDir(), "-x.mp4")
	if err := os.WriteFile(name, []byte("junk"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := run(t, nil, "probe", name); err == nil || !strings.Contains(errs, "not a media file") {
		t.Errorf("%q %v", errs, err)
	}
}

func TestDecodeCommand(t *testing.T) {
	p := start(t, assignment(t, galav1.JobKind_JOB_KIND_VOD, "testcard:?size=160x90&duration=2s"))
	p.want(p.outcome(), galav1.OutcomeCode_OUTCOME_CODE_FINISHED)
	inits, err := filepath.Glob(filepath.Join(p.tree, "v", "init-*.mp4"))
	if err != nil || len(inits) != 1 {
		t.Fatalf("%v, %v", inits, err)
	}
	stream := p.read(inits[0])
	for n := range 2 {
		stream = append(stream, p.read(filepath.Join(p.tree, "v", fmt.Sprintf("%d.m4s", n)))...)
	}
	out, _, err := run(t, stream, "decode", "--frames")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum struct{ Frames, Errors int }
	if e := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil || e != nil || len(lines) != 51 || sum.Frames != 50 || sum.Errors != 0 {
		t.Errorf("%d lines, %+v, %v, %v", len(lines), sum, err, e)
	}
}

func TestVersionCommand(t *testing.T) {
	out, _, err := run(t, nil, "version", "--json")
	var b struct {
		FFmpeg   string
		Encoders []string
	}
	if e := json.Unmarshal([]byte(out), &b); err != nil || e != nil || !strings.HasPrefix(b.FFmpeg, "9.") || len(b.Encoders) == 0 {
		t.Errorf("%s %v %v", out, err, e)
	}
	if out, _, err := run(t, nil, "version"); err != nil || !strings.Contains(out, "gala-worker ") || !strings.Contains(out, "FFmpeg 9.") {
		t.Errorf("%s %v", out, err)
	}
}
