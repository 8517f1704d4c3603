package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/e2e/netns"
	checks "github.com/galafarm/gala/media/verify"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/store/embedded"
)

// spread is a farm over hosts: scheduler, Redis and origin on this machine, an
// agent on each host.
type spread struct {
	t      *testing.T
	net    *netns.Net
	client *client.Client
	hosts  map[string]*netns.Host
	tree   string // of jobs: http://…/origin
	grpc   string
}

// startSpread takes flags for the scheduler, and names of hosts.
func startSpread(t *testing.T, flags []string, names ...string) *spread {
	t.Helper()
	s := &spread{t: t, net: netns.New(t), hosts: map[string]*netns.Host{}}
	data := t.TempDir()
	redis, err := embedded.Start(context.WithoutCancel(t.Context()), embedded.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop() })
	page, grpc, objects := s.port(), s.port(), s.port()
	s.grpc, s.tree = grpc, "http://"+objects+"/origin"
	s.start(exec.Command(farm.Binary(t, "gala"), "origin", "--listen", objects, "--root", filepath.Join(data, "origin"), "--token", "t"), data, "origin")
	args := append([]string{"scheduler", "--redis", redis.URL, "--listen", page, "--grpc", grpc, "--origin", "http://gala:t@" + objects}, flags...)
	s.start(exec.Command(farm.Binary(t, "gala"), args...), data, "scheduler")
	for _, name := range names {
		h := s.net.Add(name)
		s.hosts[name] = h
		t.Cleanup(h.Kill)
		s.start(h.Command(context.WithoutCancel(t.Context()), farm.Binary(t, "gala-agent"), "run", "--scheduler", grpc, "--name", name, "--data", filepath.Join(data, name)), data, name)
	}
	if s.client, err = client.Dial(grpc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.client.Close() })
	farm.Until(t, 60*time.Second, "every host is attached", func() bool { return len(s.attached()) == len(names) })
	return s
}

// port is a free one at this machine's address on the net.
func (s *spread) port() string {
	s.t.Helper()
	l, err := net.Listen("tcp", s.net.Address+":0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start a program, until the test ends.
func (s *spread) start(cmd *exec.Cmd, data, name string) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(data, name+".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if text, _ := os.ReadFile(log.Name()); s.t.Failed() {
			s.t.Logf("%s:\n%s", name, text[max(0, len(text)-4<<10):])
		}
	})
}

func (s *spread) attached() (names []string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	agents, err := s.client.Agents(ctx)
	if err != nil {
		return nil // it is starting
	}
	for _, a := range agents {
		if a.GetConnected() {
			names = append(names, a.GetName())
		}
	}
	return names
}

func (s *spread) job(id string) *galav1.Job {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	j, err := s.client.Get(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// until the job is so; the end of the job is the test's.
func (s *spread) until(id, what string, so func(*galav1.Job) bool) (j *galav1.Job) {
	s.t.Helper()
	farm.Until(s.t, 90*time.Second, what, func() bool {
		j = s.job(id)
		if client.Ended(j.GetState()) {
			s.t.Fatalf("%s is %v: %s %v", id, j.GetState(), j.GetReason(), j.GetError())
		}
		return so(j)
	})
	return j
}

// viewer watches a tree and keeps what came.
type viewer struct {
	mu   sync.Mutex
	seen []checks.Sighting
	end  func() checks.Report
}

func watch(t *testing.T, tree string) *viewer {
	t.Helper()
	v := &viewer{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan checks.Report, 1)
	go func() {
		r, err := checks.Watch(ctx, checks.WatchOptions{Target: tree, Pace: 100 * time.Millisecond, See: func(s checks.Sighting) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.seen = append(v.seen, s)
		}})
		if err != nil {
			t.Errorf("watch %s: %v", tree, err)
		}
		done <- r
	}()
	v.end = sync.OnceValue(func() checks.Report { cancel(); return <-done })
	t.Cleanup(func() { v.end() })
	return v
}

// since are the segments that came after a moment, by rendition.
func (v *viewer) since(at time.Time) map[string][]checks.Sighting {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string][]checks.Sighting{}
	for _, s := range v.seen {
		if s.Listed.After(at) {
			out[s.Rendition] = append(out[s.Rendition], s)
		}
	}
	return out
}

// The host that runs a live job is cut off: no connection is closed, its worker
// goes on encoding for nobody. The farm notices, the other host takes the job,
// what nobody can make is listed as a gap, and the first worker, when the network
// is back, writes nothing more.
func TestHostThatIsCutOff(t *testing.T) {
	s := startSpread(t, nil, "one", "two")
	// The test card is a clock: every host can make its past.
	if missing := s.cutOff(&galav1.JobSpec{Id: "gala", Input: card, Ladder: "mini"}); missing > 0 {
		t.Errorf("%d segments of the test card are missing", missing)
	}
}

// The same of a source that is sent to every host once and kept by nobody: the
// second host begins to listen when it gets the job. What was sent between is
// lost: a picture that stands, or numbers that are listed as gaps.
func TestHostWithASourceIsCutOff(t *testing.T) {
	clip := filepath.Join(farm.Media(t), "svt_720p50_h264_aac.mkv")
	s := startSpread(t, []string{"--allow-source", "udp://*"}, "one", "two")
	const group = "239.213.0.1:5000"
	sendClip(t, clip, "-f", "mpegts", "udp://"+group+"?pkt_size=1316&ttl=2&localaddr="+s.net.Address)
	const mostMissing = 4 // without a second ingest that listens already
	missing := s.cutOff(&galav1.JobSpec{Id: "gala", Input: "udp://@" + group, LadderYaml: lowest})
	if missing > mostMissing {
		t.Errorf("%d segments are missing, at most %d may", missing, mostMissing)
	}
}

// A source that is pushed is held by no second host: the one that takes over has
// none of its past. Each host has a sender of its own, of one programme.
// The successor is on air within seconds: for what it was not sent a picture stands,
// or numbers are listed as gaps, few of them. The record tells who came back.
func TestHostWithAPushedSourceIsCutOff(t *testing.T) {
	clip := filepath.Join(farm.Media(t), "svt_720p50_h264_aac.mkv")
	s := startSpread(t, []string{"--allow-source", "udp://*"}, "one", "two")
	for _, h := range s.hosts {
		sendClip(t, clip, "-f", "mpegts", "udp://"+h.Address+":5000?pkt_size=1316")
	}
	const mostMissing = 4
	missing := s.cutOff(&galav1.JobSpec{Id: "gala", Input: "udp://0.0.0.0:5000", LadderYaml: lowest})
	if missing > mostMissing {
		t.Errorf("%d segments are missing, at most %d may", missing, mostMissing)
	}
	if out, code := gala(t, s.grpc, "live", "record", "gala"); code != 0 || strings.Contains(out, `"kind":"held_warm"`) || !strings.Contains(out, `"kind":"agent_back"`) {
		t.Errorf("gala live record: exit %d\n%s", code, out)
	}
}

// A rehearsal cuts a host off by itself and joins it again, and drains one and
// opens it again.
func TestRehearsalCutsAHostOff(t *testing.T) {
	s := startSpread(t, nil, "one", "two")
	if _, err := s.client.SubmitLive(t.Context(), &galav1.JobSpec{Id: "gala", Input: "testcard:?size=320x180", LadderYaml: lowest}); err != nil {
		t.Fatal(err)
	}
	s.until("gala", "it is on air", func(j *galav1.Job) bool { return len(j.GetRenditions()) > 0 && slices.Min(counts(j)) >= 1 })
	result := filepath.Join(t.TempDir(), "result.json")
	out, code := gala(t, s.grpc, "rehearse", "--job", "gala", "--faults", "host-cut,drain", "--every", "2s", "--results", result)
	r := readRehearsal(t, result)
	t.Log(out)
	if len(r.Results) != 2 {
		t.Fatalf("exit %d, %+v", code, r.Results)
	}
	for _, x := range r.Results {
		if !x.Done || !x.Recovered || x.Missing > 0 {
			t.Errorf("exit %d, %+v", code, x)
		}
		if x.Fault == "host-cut" && !strings.Contains(strings.Join(x.Events, "\n"), "agent_lost") {
			t.Errorf("events %q", x.Events)
		}
	}
	agents, err := s.client.Agents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		if !a.GetConnected() || a.GetCordon() != nil {
			t.Errorf("afterwards %s is not as it was: %v", a.GetName(), a)
		}
	}
}

// Of a job with two replicas nothing is missing for viewers, and hardly anything
// is noticed: one tree goes on while the other waits for its host.
func TestRehearsalCutsAReplicaOff(t *testing.T) {
	s := startSpread(t, nil, "one", "two")
	result := filepath.Join(t.TempDir(), "result.json")
	ladder := filepath.Join(filepath.Dir(result), "lowest.yaml")
	if err := os.WriteFile(ladder, []byte(lowest), 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := gala(t, s.grpc, "rehearse", "--redundancy", "2", "--ladder", ladder, "--input", "testcard:?size=320x180", "--faults", "host-cut", "--every", "2s", "--results", result)
	r := readRehearsal(t, result)
	t.Log(out)
	if len(r.Results) != 1 || !r.Results[0].Done || !r.Results[0].Recovered || r.Results[0].Missing > 0 {
		t.Fatalf("exit %d, %+v", code, r.Results)
	}
	if w := r.Watched; w == nil || len(w.Renditions) != 2*r.Renditions {
		t.Errorf("watched: %+v", w)
	}
}

// lowest costs a loaded machine little.
const lowest = "name: lowest\nsegment: {live: 2s, vod: 6s}\nvideo:\n  - {name: 240p, height: 240, fps: source<=30, codec: h264, bitrate: 250k, preset: fastest}\n" +
	"audio:\n  - {name: stereo, codec: aac, channels: 2, bitrate: 96k, languages: all}\n"

// cutOff puts a job on air, cuts its host off and joins it again, and tells how
// many numbers are missing.
func (s *spread) cutOff(spec *galav1.JobSpec) (missing int) {
	t, id := s.t, spec.GetId()
	t.Helper()
	if _, err := s.client.SubmitLive(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	before := s.until(id, "it is on air", func(j *galav1.Job) bool { return len(j.GetRenditions()) > 0 && slices.Min(counts(j)) >= 4 })
	first := before.GetPlacements()[0].GetAgent()
	second := map[string]string{"one": "two", "two": "one"}[first]
	v := watch(t, s.tree+"/"+id)
	all := len(before.GetRenditions())
	farm.Until(t, 60*time.Second, "the viewer sees segments", func() bool { return v.least(time.Time{}, all) >= 1 })

	cut := time.Now()
	s.hosts[first].Cut()
	after := s.until(id, "the other host has it", func(j *galav1.Job) bool {
		return len(j.GetPlacements()) == 1 && j.GetPlacements()[0].GetAgent() == second
	})
	noticed := eventTime(t, after, "agent_lost", cut).Sub(cut)
	const settled = time.Second // what was on its way has come
	farm.Until(t, 120*time.Second, "four new segments of each rendition", func() bool { return v.least(cut.Add(settled), all) >= 4 })
	missing, resumed := v.hole(cut.Add(settled))
	t.Logf("cut off: noticed after %v, first new segment after %v, %d numbers missing", noticed, resumed.Sub(cut), missing)
	if noticed > 5*time.Second {
		t.Errorf("the farm noticed after %v", noticed)
	}

	s.hosts[first].Join()
	farm.Until(t, 60*time.Second, "the host is back and has given the job up", func() bool {
		agents, err := s.client.Agents(t.Context())
		return err == nil && len(agents) == 2 && !slices.ContainsFunc(agents, func(a *galav1.AgentView) bool {
			return !a.GetConnected() || a.GetName() == first && len(a.GetAssignments()) > 0
		})
	})
	joined := time.Now()
	farm.Until(t, 60*time.Second, "it goes on", func() bool { return v.least(joined, all) >= 3 })
	s.judge(id, v.end(), missing)
	return missing
}

// judge what the viewer saw of a job whose host was cut off.
func (s *spread) judge(id string, seen checks.Report, missing int) {
	t := s.t
	t.Helper()
	for _, rule := range []string{"watch-forward", "watch-append", "watch-numbers", "watch-frozen", "watch-fetch", "watch-av"} {
		if res, _ := seen.Result(rule); res.Status == checks.Fail {
			t.Errorf("%s: %v", rule, res.Findings)
		}
	}
	if out, code := gala(t, s.grpc, "verify", s.tree+"/"+id); code != 0 || missing > 0 && !strings.Contains(out, "no-gap") {
		t.Errorf("gala verify: exit %d\n%s", code, out)
	}
	if out, code := gala(t, s.grpc, "live", "record", id); code != 0 || !strings.Contains(out, `"kind":"agent_lost"`) {
		t.Errorf("gala live record: exit %d\n%s", code, out)
	}
}

// least is how many segments came since a moment of the rendition that has the
// fewest of all.
func (v *viewer) least(at time.Time, all int) int {
	seen := v.since(at)
	if len(seen) < all {
		return 0
	}
	least := 1 << 30
	for _, of := range seen {
		least = min(least, len(slices.DeleteFunc(of, func(x checks.Sighting) bool { return x.Gap })))
	}
	return least
}

// hole is how many numbers have come as gaps since a moment, and when the first
// segment came.
func (v *viewer) hole(at time.Time) (missing int, resumed time.Time) {
	numbers := map[int64]bool{}
	for _, of := range v.since(at) {
		for _, x := range of {
			switch {
			case x.Gap:
				numbers[x.Number] = true
			case resumed.IsZero() || x.Fetched.Before(resumed):
				resumed = x.Fetched
			}
		}
	}
	return len(numbers), resumed
}

func counts(j *galav1.Job) (n []int64) {
	for _, r := range j.GetRenditions() {
		n = append(n, r.GetSegments())
	}
	return n
}

// eventTime is when a kind of event happened first after a moment.
func eventTime(t *testing.T, j *galav1.Job, kind string, after time.Time) time.Time {
	t.Helper()
	for _, e := range j.GetEvents() {
		if at := e.GetTime().AsTime(); e.GetKind() == kind && at.After(after) {
			return at
		}
	}
	t.Fatalf("no %s among the events %v", kind, j.GetEvents())
	return time.Time{}
}

// gala runs a command against a farm that the test has put together itself.
func gala(t *testing.T, address string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, farm.Binary(t, "gala"), args...)
	cmd.Env = append(os.Environ(), "GALA_FARM="+address)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(fmt.Errorf("gala %v: %w", args, err))
	}
	return string(out), cmd.ProcessState.ExitCode()
}
