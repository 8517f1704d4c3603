package scheduler

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/store"
	"github.com/galafarm/gala/timeline"
)

// bubble runs a loop on a clock of its own, with a store that can fail.
func bubble(t *testing.T, run func(t *testing.T, l *loop, s *moody)) {
	synctest.Test(t, func(t *testing.T) {
		s := &moody{Memory: store.NewMemory()}
		l := newLoop(Config{Store: s}.withDefaults(), api.NewBoard())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = l.run(ctx) })
		wg.Go(func() { _ = l.watchStore(ctx) })
		synctest.Wait()
		run(t, l, s)
		cancel()
		wg.Wait()
	})
}

// moody is a store that fails when told to.
type moody struct {
	*store.Memory
	away   atomic.Bool
	writes atomic.Int64
}

var errAway = errors.New("the store is away")

func (m *moody) Update(ctx context.Context, j job.Job) (job.Job, error) {
	m.writes.Add(1)
	if m.away.Load() {
		return job.Job{}, errAway
	}
	return m.Memory.Update(ctx, j)
}

func placedJob(id string) job.Job {
	return job.Job{
		Spec: job.Spec{ID: id, Kind: job.Live, Input: "in", Ladder: "mini"}, State: job.Running, Attempts: 1,
		Source:     &job.Source{Info: []byte("{}")},
		Grid:       &timeline.Grid{Rate: timeline.Rate{Num: 25, Den: 1}, FramesPerGOP: 50, GOPsPerSegment: 1, Timescale: 25},
		Renditions: []ladders.Rendition{{Name: "480p", Video: &ladders.Video{Width: 720, Height: 480, Divisor: 1, Codec: "h264", Preset: "fast"}}},
		Replicas: []job.Replica{{OnAir: true, Epoch: 1,
			Placement: &job.Placement{Assignment: id + "-0", Agent: "a", Device: "cpu", Epoch: 1, ResumedAt: -1, Cost: 8_640_000}}},
	}
}

func hello(name string, session fleet.Session, held ...fleet.Held) fleet.Attached {
	return fleet.Attached{Name: name, Instance: "1", Session: session, Held: held, Devices: []fleet.Device{
		{ID: "cpu", Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: 20_000_000}}}
}

func (l *loop) must(t *testing.T, e fleet.Event) {
	t.Helper()
	if err := l.Tell(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// beatFor keeps agents alive for a while.
func (l *loop) beatFor(t *testing.T, d time.Duration, agents ...fleet.Beat) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(400 * time.Millisecond) {
		for _, b := range agents {
			l.must(t, b)
		}
	}
	synctest.Wait()
}

var held = fleet.Held{Assignment: "match-0", Job: "match", Device: "cpu", Epoch: 1}

// From the last beat to the durable higher epoch: within a second and a half.
func TestDetectionTime(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop, s *moody) {
		if _, err := s.Create(t.Context(), placedJob("match")); err != nil {
			t.Fatal(err)
		}
		l.must(t, hello("a", 1, held))
		l.must(t, hello("b", 2))
		l.beatFor(t, 4*time.Second, fleet.Beat{Agent: "a", Session: 1, Assignments: []string{"match-0"}}, fleet.Beat{Agent: "b", Session: 2})
		last := time.Now()
		l.must(t, fleet.Beat{Agent: "a", Session: 1, Assignments: []string{"match-0"}})
		for {
			l.must(t, fleet.Beat{Agent: "b", Session: 2})
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			j, err := s.Get(t.Context(), "match")
			if err != nil {
				t.Fatal(err)
			}
			if j.Replicas[0].Epoch == 2 {
				break
			}
			if time.Since(last) > 1500*time.Millisecond {
				t.Fatalf("not moved %v after the last beat: %s", time.Since(last), j.Reason)
			}
		}
		if took := time.Since(last); took < 1200*time.Millisecond {
			t.Errorf("moved after %v, within the lease", took)
		}
	})
}

// Progress four times a second is no reason to write.
func TestProgressIsNotWrittenDown(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop, s *moody) {
		if _, err := s.Create(t.Context(), placedJob("match")); err != nil {
			t.Fatal(err)
		}
		l.must(t, hello("a", 1, held))
		for n := range 240 { // a minute
			l.must(t, fleet.Beat{Agent: "a", Session: 1, Assignments: []string{"match-0"}})
			l.must(t, fleet.Report{Agent: "a", Session: 1, Assignment: "match-0", Job: "match", Epoch: 1, Status: &fleet.Status{
				FirstSegment: true, FramesDecoded: int64(n), Renditions: []fleet.Progress{{Name: "480p", Frames: int64(n), LastSegment: int64(100 + n/8)}}}})
			time.Sleep(250 * time.Millisecond)
		}
		synctest.Wait()
		if n := s.writes.Load(); n > 14 {
			t.Errorf("%d writes in a minute of progress, want one in 5 s", n)
		}
		j, err := s.Get(t.Context(), "match")
		if err != nil || j.Replicas[0].Published["480p"] < 120 {
			t.Errorf("published %v, %v", j.Replicas[0].Published, err)
		}
	})
}

// With the store away nothing is granted and nothing stops; afterwards the
// decision is written.
func TestStoreAway(t *testing.T) {
	bubble(t, func(t *testing.T, l *loop, s *moody) {
		if _, err := s.Create(t.Context(), placedJob("match")); err != nil {
			t.Fatal(err)
		}
		l.must(t, hello("a", 1, held))
		l.must(t, hello("b", 2))
		b := fleet.Beat{Agent: "b", Session: 2, Assignments: []string{"match-0"}} // once it is granted
		l.beatFor(t, time.Second, fleet.Beat{Agent: "a", Session: 1, Assignments: []string{"match-0"}}, b)
		s.away.Store(true)
		l.beatFor(t, 10*time.Second, b) // a is silent
		if j, _ := s.Get(t.Context(), "match"); j.Replicas[0].Epoch != 1 {
			t.Fatalf("epoch %d without a store", j.Replicas[0].Epoch)
		}
		if l.storeError() == nil {
			t.Error("the store counts as well")
		}
		s.away.Store(false)
		l.beatFor(t, 2*time.Second, b)
		j, err := s.Get(t.Context(), "match")
		if err != nil || j.Replicas[0].Epoch != 2 || j.Placements()[0].Agent != "b" {
			t.Errorf("epoch %d on %v, %v", j.Replicas[0].Epoch, j.Placements(), err)
		}
		if l.storeError() != nil {
			t.Error("the store still counts as away")
		}
	})
}
