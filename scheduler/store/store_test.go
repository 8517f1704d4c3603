package store_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
	"github.com/galafarm/gala/scheduler/store/embedded"
	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

// The client library asks a Redis that was away once a second, until it notices
// within a second that it was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// stores are the implementations that the suite below holds to one contract.
var stores = []struct {
	name string
	open func(*testing.T) store.Store
}{
	{"memory", func(*testing.T) store.Store { return store.NewMemory() }},
	{"miniredis", func(t *testing.T) store.Store {
		return opened(t, "redis://"+miniredis.RunT(t).Addr()+"/0")
	}},
	{"redis-server", func(t *testing.T) store.Store { return opened(t, realRedis(t)) }},
}

func realRedis(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED FOR WANT OF redis-server: install it (apt install redis-server); the Redis store is tested against miniredis only")
	}
	server, err := embedded.Start(context.WithoutCancel(t.Context()), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

func opened(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			for _, c := range conformance {
				t.Run(c.name, func(t *testing.T) { c.run(t, s.open(t)) })
			}
		})
	}
}

var conformance = []struct {
	name string
	run  func(*testing.T, store.Store)
}{
	{"what is created is read back equal", readsBack},
	{"an id is taken once", takenOnce},
	{"an unknown id is not found", notFound},
	{"a stale revision does not write", staleRevision},
	{"of many writers one wins each revision", oneWins},
	{"pages go from the newest to the oldest", pages},
	{"restore writes back only what was lost", restores},
	{"the history has every event", history},
	{"a record from before the history brings its events", oldHistory},
	{"a watcher sees what was there and then what changes", watches},
	{"a slow watcher misses no newest form", slowWatcher},
	{"a watcher ends with its context", watcherEnds},
	{"cordons are kept until they are removed", keepsCordons},
}

func newJob(id string) job.Job {
	at := time.Date(2026, 7, 19, 20, 0, 0, 123456000, time.UTC)
	j := job.Job{
		Spec:  job.Spec{ID: id, Kind: job.Live, Input: "testcard:", Ladder: "mini"},
		State: job.Accepted, Created: at, Updated: at,
		Grid:       &timeline.Grid{Rate: timeline.Rate{Num: 30000, Den: 1001}, FramesPerGOP: 60, GOPsPerSegment: 1, Timescale: 30000},
		Anchors:    []timeline.Anchor{{Generation: 1, Source: 1 << 40, Base: timeline.Timebase{Num: 1, Den: 90000}, Frame: 1 << 45}},
		Renditions: []ladders.Rendition{{Name: "480p", Video: &ladders.Video{Width: 854, Height: 480, Divisor: 1}}},
		Replicas: []job.Replica{{Placement: &job.Placement{Assignment: id + "-0", Agent: "a1", Epoch: 3, ResumedAt: -1},
			Epoch: 3, Published: map[string]int64{"480p": 892345678}}},
	}
	j.Record(at, "accepted", "submitted", "waiting")
	return j
}

func create(t *testing.T, s store.Store, id string) job.Job {
	t.Helper()
	j, err := s.Create(t.Context(), newJob(id))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var equal = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(job.Job{}, "Seq", "Kept", "Version")}

func readsBack(t *testing.T, s store.Store) {
	made := create(t, s, "match")
	want := newJob("match")
	want.Revision = 1
	if diff := cmp.Diff(want, made, equal); diff != "" {
		t.Error("created (-want +got):", diff)
	}
	got, err := s.Get(t.Context(), "match")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Error("read (-want +got):", diff)
	}
}

func takenOnce(t *testing.T, s store.Store) {
	create(t, s, "match")
	other := newJob("match")
	other.Spec.Input = "/another.mp4"
	got, err := s.Create(t.Context(), other)
	if !errors.Is(err, store.ErrExists) {
		t.Fatalf("error %v, want ErrExists", err)
	}
	if got.Spec.Input != "testcard:" || got.Revision != 1 || got.Seq == 0 {
		t.Errorf("got %+v, want the record that holds the id", got)
	}
}

func notFound(t *testing.T, s store.Store) {
	if _, err := s.Get(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if _, err := s.Update(t.Context(), newJob("none")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Update: %v, want ErrNotFound", err)
	}
}

func staleRevision(t *testing.T, s store.Store) {
	first := create(t, s, "match")
	second, err := s.Update(t.Context(), first)
	if err != nil || second.Revision != 2 || second.Seq != first.Seq {
		t.Fatalf("revision %d seq %d, %v; want 2, %d", second.Revision, second.Seq, err, first.Seq)
	}
	first.Reason = "stale"
	if _, err := s.Update(t.Context(), first); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("error %v, want ErrConflict", err)
	}
	if got, _ := s.Get(t.Context(), "match"); got.Reason == "stale" || got.Revision != 2 {
		t.Errorf("the stale write left %q at revision %d", got.Reason, got.Revision)
	}
}

// Every writer adds one note for each write that it was told succeeded.
func oneWins(t *testing.T, s store.Store) {
	create(t, s, "match")
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; n < each; {
				j, err := s.Get(t.Context(), "match")
				if err != nil {
					t.Error(err)
					return
				}
				j.Replicas[0].Published = map[string]int64{"n": j.Replicas[0].Published["n"] + 1}
				j.Note(fmt.Sprint("writer ", w))
				switch _, err := s.Update(t.Context(), j); {
				case err == nil:
					n++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	j, err := s.Get(t.Context(), "match")
	if err != nil {
		t.Fatal(err)
	}
	if j.Replicas[0].Published["n"] != writers*each || j.Revision != writers*each+1 {
		t.Errorf("%d writes counted at revision %d, want %d and %d", j.Replicas[0].Published["n"], j.Revision, writers*each, writers*each+1)
	}
}

func pages(t *testing.T, s store.Store) {
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("job-%d", i)
		create(t, s, id)
		want = slices.Insert(want, 0, id)
	}
	var got []string
	var before uint64
	for {
		page, err := s.List(t.Context(), before, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, j := range page {
			got = append(got, j.Spec.ID)
		}
		before = page[len(page)-1].Seq
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func restores(t *testing.T, s store.Store) {
	lost := newJob("lost")
	lost.Revision = 9
	back, err := s.Restore(t.Context(), lost)
	if err != nil || back.Revision != 10 {
		t.Fatalf("revision %d, %v; want 10", back.Revision, err)
	}
	if _, err := s.Restore(t.Context(), lost); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("restoring what the store has in a later form: %v, want ErrConflict", err)
	}
	lost.Revision, lost.Reason = 20, "newer"
	if back, err = s.Restore(t.Context(), lost); err != nil || back.Revision != 21 {
		t.Fatalf("revision %d, %v; want 21", back.Revision, err)
	}
	if _, err := s.Update(t.Context(), back); err != nil {
		t.Fatal("a restored record cannot be written:", err)
	}
	if all, err := s.List(t.Context(), 0, 10); err != nil || len(all) != 1 {
		t.Fatalf("%d jobs listed, %v; want 1", len(all), err)
	}
}

// eventKinds pages through a job's history.
func eventKinds(t *testing.T, s store.Store, id string, after uint64, page int) (kinds []string) {
	t.Helper()
	for {
		events, err := s.History(t.Context(), id, after, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return kinds
		}
		for _, e := range events {
			if e.Seq <= after || e.Time.IsZero() {
				t.Fatalf("event %+v after %d", e, after)
			}
			kinds, after = append(kinds, e.Kind), e.Seq
		}
	}
}

func history(t *testing.T, s store.Store) {
	if _, err := s.History(t.Context(), "nobody", 0, 10); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("history of no job: %v", err)
	}
	j := newJob("a")
	at := j.Created
	j, err := s.Create(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	const writes = job.MaxEvents + 20
	want := []string{"accepted"}
	for i := range writes {
		at = at.Add(time.Second)
		for _, kind := range []string{"placed", fmt.Sprint("lost-", i)} {
			j.Record(at, kind, "", "")
			want = append(want, kind)
		}
		stale := j.Clone()
		if j, err = s.Update(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		stale.Record(at, "never happened", "", "")
		if _, err := s.Update(t.Context(), stale); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("a stale write: %v", err)
		}
	}
	if len(j.Events) != job.MaxEvents {
		t.Errorf("the record keeps %d events", len(j.Events))
	}
	for _, page := range []int{7, 1000} {
		if diff := cmp.Diff(want, eventKinds(t, s, "a", 0, page)); diff != "" {
			t.Errorf("pages of %d (-want +got): %s", page, diff)
		}
	}
	if got := eventKinds(t, s, "a", 2*writes, 10); len(got) != 1 || got[0] != want[2*writes] {
		t.Errorf("after all but the last: %v", got)
	}
}

// The first write of a build that counts events numbers those that are there.
func oldHistory(t *testing.T, s store.Store) {
	j := newJob("a")
	j.Recorded, j.Events = 0, []job.Event{{Time: j.Created, Kind: "accepted"}, {Time: j.Created, Kind: "placed"}}
	j, err := s.Create(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	j.Record(j.Created, "worker_crashed", "", "")
	if _, err := s.Update(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"accepted", "placed", "worker_crashed"}, eventKinds(t, s, "a", 0, 10)); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

// follower runs a watch and keeps the newest form of every job.
type follower struct {
	batches chan store.Batch
	end     context.CancelFunc
	result  chan error
}

func follow(t *testing.T, s store.Store) *follower {
	ctx, end := context.WithCancel(t.Context())
	f := &follower{batches: make(chan store.Batch), end: end, result: make(chan error, 1)}
	go func() {
		f.result <- s.Watch(ctx, func(b store.Batch) error {
			select {
			case f.batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		end()
		if err := <-f.result; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
	return f
}

func (f *follower) until(t *testing.T, seen map[string]uint64, done func(store.Batch) bool) {
	t.Helper()
	for {
		select {
		case b := <-f.batches:
			for _, j := range b.Jobs {
				if j.Revision < seen[j.Spec.ID] {
					t.Fatalf("job %s went from revision %d back to %d", j.Spec.ID, seen[j.Spec.ID], j.Revision)
				}
				seen[j.Spec.ID] = j.Revision
			}
			if done(b) {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the watch stands still; seen %v", seen)
		}
	}
}

func watches(t *testing.T, s store.Store) {
	create(t, s, "before")
	f := follow(t, s)
	seen := map[string]uint64{}
	f.until(t, seen, func(b store.Batch) bool { return b.Synced })
	if diff := cmp.Diff(map[string]uint64{"before": 1}, seen); diff != "" {
		t.Fatal("synced with (-want +got):", diff)
	}
	j := create(t, s, "after")
	f.until(t, seen, func(store.Batch) bool { return seen["after"] == 1 })
	if _, err := s.Update(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	f.until(t, seen, func(store.Batch) bool { return seen["after"] == 2 })
}

// The watcher reads nothing while the records change more often than any
// buffer holds, and then gets the newest form of each.
func slowWatcher(t *testing.T, s store.Store) {
	a, b := create(t, s, "a"), create(t, s, "b")
	f := follow(t, s)
	seen := map[string]uint64{}
	f.until(t, seen, func(b store.Batch) bool { return b.Synced })
	var err error
	for range 300 {
		if a, err = s.Update(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if b, err = s.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	f.until(t, seen, func(store.Batch) bool { return seen["a"] == a.Revision && seen["b"] == b.Revision })
}

func watcherEnds(t *testing.T, s store.Store) {
	f := follow(t, s)
	f.until(t, map[string]uint64{}, func(b store.Batch) bool { return b.Synced })
	f.end()
	select {
	case err := <-f.result:
		f.result <- err
	case <-time.After(5 * time.Second):
		t.Fatal("the watch goes on")
	}
}

// A Redis that comes back empty makes the watcher read everything anew, so
// that its reader can tell what was lost.
func TestWatchTellsThatRedisForgot(t *testing.T) {
	mini := miniredis.RunT(t)
	s := opened(t, "redis://"+mini.Addr()+"/0")
	create(t, s, "a")
	f := follow(t, s)
	f.until(t, map[string]uint64{}, func(b store.Batch) bool { return b.Synced })
	mini.FlushAll()
	f.until(t, map[string]uint64{}, func(b store.Batch) bool { return b.Reset && b.Synced && len(b.Jobs) == 0 })
	create(t, s, "b")
	seen := map[string]uint64{}
	f.until(t, seen, func(store.Batch) bool { return seen["b"] == 1 })
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, url := range []string{"", "http://x", "redis://:secret@" + filepath.Join("127.0.0.1:1", "0"), "redis+sentinel://127.0.0.1:1", "unix:///nowhere/sock"} {
		_, err := store.Open(t.Context(), url)
		if err == nil {
			t.Errorf("%q opened", url)
			continue
		}
		if text := err.Error(); strings.Contains(text, "secret") {
			t.Errorf("%q: the password is told: %v", url, err)
		}
		t.Log(err)
	}
}

func TestRecordOfALaterBuildIsRefused(t *testing.T) {
	mini := miniredis.RunT(t)
	s := opened(t, "redis://"+mini.Addr()+"/0")
	mini.HSet("gala:{jobs}:late", "rev", "1", "seq", "1", "body", `{"version":99}`)
	if _, err := s.Get(t.Context(), "late"); !errors.Is(err, store.ErrRecord) {
		t.Fatalf("error %v, want ErrRecord", err)
	}
}

func keepsCordons(t *testing.T, s store.Store) {
	at := time.Date(2026, 7, 19, 20, 0, 0, 0, time.UTC)
	put := func(c fleet.Cordon) fleet.Cordon {
		t.Helper()
		c.Since = at
		if err := s.PutCordon(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := func(when string, all ...fleet.Cordon) {
		t.Helper()
		got, err := s.Cordons(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got): %s", when, diff)
		}
	}
	remove := func(agent, device string) {
		t.Helper()
		if err := s.DeleteCordons(t.Context(), agent, device); err != nil {
			t.Fatal(err)
		}
	}
	want("at first")
	remove("a1", "")
	put(fleet.Cordon{Agent: "a1"})
	whole := put(fleet.Cordon{Agent: "a1", Drain: true, Reason: "new kernel"})
	device := put(fleet.Cordon{Agent: "a1", Device: "GPU-1"})
	other := put(fleet.Cordon{Agent: "a10", Device: "cpu"})
	want("three", whole, device, other)
	remove("a1", "GPU-1")
	want("without the device's", whole, other)
	put(fleet.Cordon{Agent: "a1", Device: "GPU-1"})
	remove("a1", "")
	want("without the agent's, whose name another begins with", other)
}
