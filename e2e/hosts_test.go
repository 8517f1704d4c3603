package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/browser"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// spreadOut is a farm whose own agent takes no work, and one more agent for each name.
func spreadOut(t *testing.T, names ...string) (*farm.Farm, *client.Client, map[string]*farm.Host) {
	t.Helper()
	f := farm.Start(t)
	c := f.Client()
	f.Must("fleet", "cordon", own(t, c), "--reason", "it only keeps the farm")
	all := map[string]*farm.Host{}
	for _, name := range names {
		all[name] = f.Host(name)
	}
	return f, c, all
}

// own is the name of the agent that `gala up` has started.
func own(t *testing.T, c *client.Client) string {
	t.Helper()
	var name string
	farm.Until(t, 30*time.Second, "the farm's own agent is attached", func() bool {
		agents, err := c.Agents(t.Context())
		if err != nil || len(agents) == 0 {
			return false
		}
		name = agents[0].GetName()
		return true
	})
	return name
}

// on waits until a job runs on a host.
func on(t *testing.T, f *farm.Farm, c *client.Client, id string, h *farm.Host) *galav1.Job {
	t.Helper()
	var job *galav1.Job
	farm.Until(t, 60*time.Second, id+" runs on "+h.Name, func() bool {
		job = f.Job(c, id)
		return job.GetState() == galav1.JobState_JOB_STATE_RUNNING && hostOf(job) == h.Name
	})
	return job
}

// whole: no playlist below a folder of the origin lists a segment as missing, or a
// break.
func whole(t *testing.T, f *farm.Farm, folder string) {
	t.Helper()
	lists, _ := filepath.Glob(filepath.Join(f.Data, "origin", folder, "*", "media.m3u8"))
	if len(lists) == 0 {
		t.Fatalf("no playlists in %s", folder)
	}
	for _, name := range lists {
		text := read(t, name)
		if gaps, breaks := strings.Count(text, "#EXT-X-GAP"), strings.Count(text, "#EXT-X-DISCONTINUITY\n"); gaps+breaks > 0 {
			t.Errorf("%s: %d segments are missing, %d discontinuities", name, gaps, breaks)
		}
	}
}

func event(job *galav1.Job, kind string) *galav1.JobEvent {
	i := slices.IndexFunc(job.GetEvents(), func(e *galav1.JobEvent) bool { return e.GetKind() == kind })
	if i < 0 {
		return nil
	}
	return job.GetEvents()[i]
}

// A host is drained under a live job and a clip: the one moves at a segment
// boundary and shows neither gap nor break, the other keeps what it finished. A
// drain with nowhere to go says so, and changes nothing on air.
func TestADrainedHostIsEmptyAndNothingIsMissing(t *testing.T) {
	t.Parallel()
	f, c, h := spreadOut(t, "a1")
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--wait")
	f.Must("fleet", "drain", "a1", "--no-wait", "--reason", "new kernel")
	job := goesOn(t, f, c, "gala", newest(f.Job(c, "gala")), 3)
	if hostOf(job) != "a1" || job.GetAttempts() != 1 || !strings.Contains(job.GetReason(), "it stays there: no device has room") {
		t.Errorf("with no other host: on %s after %d attempts: %s", hostOf(job), job.GetAttempts(), job.GetReason())
	}
	f.Must("fleet", "uncordon", "a1")
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", clip)
	before := segments(t, f, c, "clip", 2)
	kept := finishedFiles(t, f, "clip", newest(before))

	b := f.Host("b1")
	if out := f.Must("fleet", "drain", "a1"); !strings.Contains(out, "a1 is empty") {
		t.Errorf("gala fleet drain: %s", out)
	}
	if left := h["a1"].Workers(); len(left) > 0 {
		t.Errorf("the drained host still runs %v", left)
	}
	job = on(t, f, c, "gala", b)
	if happened(job, "worker_crashed") || !happened(job, "handed_over") || job.GetAttempts() != 2 {
		t.Errorf("%d attempts, events %v", job.GetAttempts(), job.GetEvents())
	}
	job = goesOn(t, f, c, "gala", newest(job), 4)
	for _, r := range job.GetRenditions() {
		t.Logf("%s: %d segments, %d late", r.GetRendition().GetName(), r.GetSegments(), r.GetLateSegments())
	}
	whole(t, f, "gala")
	verify(t, f, "gala") // the card's numbers run through
	stopped(t, f, c, "gala")
	done(t, f, c, "clip")
	wantWholeClip(t, f, "clip")
	for path, at := range kept {
		if now := finishedFiles(t, f, "clip", newest(before))[path]; !now.Equal(at) {
			t.Errorf("%s was written again", path)
		}
	}
	if out := f.Must("fleet", "ls"); !strings.Contains(out, "draining") {
		t.Errorf("gala fleet ls:\n%s", out)
	}
}

// A host is cut off in the middle of everything: noticed within the lease and its
// grace, taken over with a higher epoch, and what it writes when it comes back is
// refused. With the card, whose past every host has, nothing is missing.
func TestAHostThatIsCutOffIsReplaced(t *testing.T) {
	t.Parallel()
	f, c, h := spreadOut(t, "a1")
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--wait")
	before := goesOn(t, f, c, "gala", newest(f.Job(c, "gala")), 2)
	b := f.Host("b1")
	cut := time.Now()
	h["a1"].Freeze()
	job := on(t, f, c, "gala", b)
	lost := event(job, "agent_lost")
	if lost == nil {
		t.Fatalf("events %v", job.GetEvents())
	}
	took := lost.GetTime().AsTime().Sub(cut)
	t.Logf("lost after %v; epoch %d on %s", took.Round(time.Millisecond), job.GetPlacements()[0].GetEpoch(), hostOf(job))
	if took > 1500*time.Millisecond {
		t.Errorf("the host was missed after %v", took)
	}
	goesOn(t, f, c, "gala", newest(before), 6)
	h["a1"].Thaw()
	farm.Until(t, 60*time.Second, "the worker of the lower epoch ends", func() bool { return len(h["a1"].Workers()) == 0 })
	job = goesOn(t, f, c, "gala", newest(f.Job(c, "gala")), 3)
	if hostOf(job) != "b1" || job.GetAttempts() != 2 {
		t.Errorf("on %s after %d attempts", hostOf(job), job.GetAttempts())
	}
	whole(t, f, "gala")
	verify(t, f, "gala")
	stopped(t, f, c, "gala")
}

// Two replicas on two hosts make the same segments. One host dies: the other's
// tree does not notice; a third host takes the lost half up where it broke off.
func TestReplicasOfALiveJob(t *testing.T) {
	t.Parallel()
	f, c, h := spreadOut(t, "a1", "b1")
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--redundancy", "2", "--wait")
	var job *galav1.Job
	both := func(min int) func() bool {
		return func() bool {
			job = f.Job(c, "gala")
			return job.GetState() == galav1.JobState_JOB_STATE_RUNNING && len(job.GetPlacements()) == 2 &&
				!slices.ContainsFunc(job.GetReplicas(), func(r *galav1.ReplicaView) bool {
					return r.GetState() != galav1.JobState_JOB_STATE_RUNNING || slices.ContainsFunc(r.GetRenditions(), func(s *galav1.RenditionStatus) bool { return s.GetSegments() < int64(min) })
				})
		}
	}
	farm.Until(t, 60*time.Second, "both replicas run", both(7))
	if a, b := job.GetReplicas()[0].GetPlacement().GetAgent(), job.GetReplicas()[1].GetPlacement().GetAgent(); a == b {
		t.Errorf("both replicas run on %s", a)
	}
	if n := len(job.GetAnchors()); n != 1 {
		t.Errorf("%d anchors, want one for both", n)
	}
	verify(t, f, "gala") // both trees at once: the same boundaries, frames and names
	verify(t, f, "gala/r1")
	verify(t, f, "gala/r2")
	master := read(t, filepath.Join(f.Data, "origin", "gala", "master.m3u8"))
	if one, two := strings.Index(master, "\nr1/"), strings.Index(master, "\nr2/"); one < 0 || two < one {
		t.Errorf("the variants of r1, then those of r2:\n%s", master)
	}
	if manifest := read(t, filepath.Join(f.Data, "origin", "gala", "manifest.mpd")); strings.Count(manifest, "<BaseURL") != 2 {
		t.Errorf("two base addresses:\n%s", manifest)
	}
	if out := f.Must("live", "show", "gala"); !strings.Contains(out, "replica 1") || !strings.Contains(out, "r2/") {
		t.Errorf("gala live show:\n%s", out)
	}

	dies := job.GetReplicas()[1].GetPlacement().GetAgent()
	h[dies].Kill()
	farm.Until(t, 30*time.Second, "the job is degraded", func() bool {
		job = f.Job(c, "gala")
		return job.GetState() == galav1.JobState_JOB_STATE_DEGRADED && strings.Contains(job.GetReason(), "replica 2")
	})
	goesOn(t, f, c, "gala", newest(job), 3)
	whole(t, f, "gala/r1")
	third := f.Host("c1")
	farm.Until(t, 60*time.Second, "replica 2 runs on the third host", func() bool {
		return both(1)() && job.GetReplicas()[1].GetPlacement().GetAgent() == third.Name
	})
	goesOn(t, f, c, "gala", newest(job), 4)
	whole(t, f, "gala/r1")
	whole(t, f, "gala/r2") // the card was made up for: less than half a minute was missing
	verify(t, f, "gala")
	if e := job.GetReplicas()[0].GetPlacement().GetEpoch(); e != 1 {
		t.Errorf("replica 1 is at epoch %d: it was touched", e)
	}
	stopped(t, f, c, "gala")
	verify(t, f, "gala")
}

// A source that runs by itself is held by a second host: when the first is cut
// off, the successor begins with the last whole segment out of its own ring.
func TestAWarmIngestLeavesNoGap(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "studio", "--ladder", "mini", "--input", card)
	segments(t, f, c, "studio", 3)
	f.Must("fleet", "cordon", own(t, c))
	a := f.Host("a1")
	f.Must("live", "submit", "--id", "gala", "--ladder", "mini", "--input", f.Origin("studio")+"/master.m3u8", "--wait")
	on(t, f, c, "gala", a)
	b := f.Host("b1")
	var job *galav1.Job
	farm.Until(t, 60*time.Second, "b1 holds the source", func() bool {
		job = f.Job(c, "gala")
		return job.GetWarm() == b.Name && len(b.Ingests()) == 1
	})
	if n := len(b.Workers()); n > 0 {
		t.Errorf("b1 runs %d workers for a source that it only holds", n)
	}
	job = goesOn(t, f, c, "gala", newest(job), 8) // the ring of b1 fills
	cut := time.Now()
	a.Freeze()
	moved := on(t, f, c, "gala", b)
	if e := event(moved, "agent_lost"); e != nil {
		t.Logf("lost after %v", e.GetTime().AsTime().Sub(cut).Round(time.Millisecond))
	}
	goesOn(t, f, c, "gala", newest(job), 8)
	whole(t, f, "gala")
	a.Thaw()
	farm.Until(t, 60*time.Second, "a1 holds the source now, and runs nothing", func() bool {
		return f.Job(c, "gala").GetWarm() == a.Name && len(a.Workers()) == 0
	})

	// And back, by a drain: it waits until a1 has the past.
	if out := f.Must("fleet", "drain", "b1"); !strings.Contains(out, "b1 is empty") {
		t.Errorf("gala fleet drain: %s", out)
	}
	job = on(t, f, c, "gala", a)
	goesOn(t, f, c, "gala", newest(job), 4)
	whole(t, f, "gala")
	verify(t, f, "gala")
	if n := len(job.GetAnchors()); n != 1 {
		t.Errorf("%d anchors for one source", n)
	}
	for _, e := range job.GetEvents() {
		t.Logf("%s: %s -> %s", e.GetKind(), e.GetCause(), e.GetEffect())
	}
	stopped(t, f, c, "gala")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Viewers of a redundant job go on from the other replica's tree when one dies
// together with what it wrote: with hls.js by the redundant variants, with shaka by
// the second BaseURL. dash.js 5 takes the first relative one only.
func TestPlayersTakeTheOtherReplica(t *testing.T) {
	f, c, h := spreadOut(t, "a1", "b1")
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=426x240", "--ladder", "mini", "--redundancy", "2", "--wait")
	farm.Until(t, 60*time.Second, "both replicas stand in the manifest", func() bool {
		text, err := os.ReadFile(filepath.Join(f.Data, "origin", "gala", "manifest.mpd"))
		return err == nil && strings.Count(string(text), "<BaseURL") == 2
	})
	players := browser.ServePlayers(t, f.Page)
	watching := map[string]*browser.Page{"hls.js": watchJob(t, f, "gala"), "shaka": watchDash(t, players, "shaka", "gala")}
	for player, p := range watching {
		see(t, p, player+" playing", func(s browser.State) bool { return s.CurrentTime > 0 && s.Status == "playing" })
	}
	// The replica that players took first: they read the list from its beginning.
	first := f.Job(c, "gala").GetReplicas()[0]
	if first.GetPlacement() == nil {
		t.Fatalf("replica 1 runs nowhere: %v", first)
	}
	h[first.GetPlacement().GetAgent()].Kill()
	trees, err := filepath.Glob(filepath.Join(f.Data, "origin", "gala", "r1", "*", "*.m4s"))
	if err != nil || len(trees) == 0 {
		t.Fatal("nothing of r1 to remove", err)
	}
	lists, _ := filepath.Glob(filepath.Join(f.Data, "origin", "gala", "r1", "*", "*.m3u8"))
	for _, name := range append(trees, lists...) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for player, p := range watching {
		s := see(t, p, player, func(s browser.State) bool { return s.CurrentTime > 0 })
		s = see(t, p, player+" twenty seconds later", func(now browser.State) bool { return now.CurrentTime >= s.CurrentTime+20 })
		t.Logf("%s: %d stalls, errors %+v", player, s.Stalls, s.Errors)
	}
}
