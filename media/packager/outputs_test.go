package packager_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
)

func (j *journal) of(kind packager.Kind) []packager.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []packager.Event
	for _, e := range j.all {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func hang(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func unavailable(context.Context, string, string) error { return publish.Status{Code: 503} }

// A trouble is told when it begins and when it is over, with what it cost,
// whatever that is.
func TestTroubleIsToldTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := newMemory(), newMemory()
		a := air(t, liveSpec(t, good, bad), good, bad)
		a.must(3)
		bad.setGate(unavailable)
		a.must(10)
		now := a.p.Outputs()[1]
		if now.State != packager.InTrouble || now.Lost != 10 || now.Behind != 10 || now.Cause == nil || now.Since.IsZero() {
			t.Errorf("in trouble: %+v", now)
		}
		bad.setGate(nil)
		a.must(20)
		troubles, recoveries := a.j.of(packager.Trouble), a.j.of(packager.Recovered)
		if len(troubles) != 1 || len(recoveries) != 1 {
			t.Fatalf("%d troubles, %d recoveries", len(troubles), len(recoveries))
		}
		r := recoveries[0]
		if troubles[0].Output != "sink1" || r.Output != "sink1" || r.Lost != 10 || r.Duration < 10*time.Second || r.Duration > 20*time.Second {
			t.Errorf("trouble %+v, recovery %+v", troubles[0], r)
		}
		for i, want := range []packager.OutputProgress{{State: packager.Well, LastSegment: a.next - 1}, {State: packager.Well, LastSegment: a.next - 1, Lost: 10}} {
			got := a.p.Outputs()[i]
			if whole := a.p.Outputs()[0].Bytes; got.Bytes == 0 || got.Bytes > whole || i == 1 && got.Bytes > whole*23/33+1000 {
				t.Errorf("output %d got %d bytes; the one that has all 33 segments %d", i, got.Bytes, whole)
			}
			got.LastSegmentAt, got.Bytes = time.Time{}, 0
			if got != want {
				t.Errorf("output %d is %+v, want %+v", i, got, want)
			}
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An output that comes and goes for an hour does not fill the job's record.
func TestFlappingOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := newMemory(), newMemory()
		a := air(t, liveSpec(t, good, bad), good, bad)
		a.must(3)
		for range 90 {
			bad.setGate(unavailable)
			a.must(2)
			bad.setGate(nil)
			a.must(38)
		}
		if n := len(a.j.of(packager.Trouble)); n < 2 || n > 8 {
			t.Errorf("%d troubles in an hour of 90", n)
		}
		if lost := a.p.Outputs()[1].Lost; lost != 180 {
			t.Errorf("%d lost, want 180", lost)
		}
	})
}

// A black hole has its 30 seconds of segments and no more; the end of the job
// does not wait for it.
func TestStopDoesNotWaitForADeadOutput(t *testing.T) {
	for name, gate := range map[string]func(context.Context, string, string) error{
		"black hole": hang, "refuses": unavailable,
		"forbids": func(context.Context, string, string) error { return publish.Status{Code: 403} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, dead := newMemory(), newMemory()
				dead.setGate(gate)
				a := air(t, liveSpec(t, good, dead), good, dead)
				a.must(60)
				began := time.Now()
				if err := a.p.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("the end took %v", took)
				}
				if m := list(t, good); !m.Ended || len(gaps(m)) > 0 {
					t.Errorf("the good output: %+v", m)
				}
				o := a.p.Outputs()[1]
				if o.State != packager.InTrouble || o.Lost != 60 || o.LastSegment != -1 {
					t.Errorf("the dead output: %+v", o)
				}
				if n := len(a.j.of(packager.Trouble)); n != 1 {
					t.Errorf("%d troubles", n)
				}
			})
		})
	}
}

// While another output takes everything, one that said no is asked again.
func TestRefusalIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, closed := newMemory(), newMemory()
		closed.setGate(func(context.Context, string, string) error { return publish.Status{Code: 403} })
		a := air(t, liveSpec(t, good, closed), good, closed)
		a.must(10)
		closed.setGate(nil)
		a.must(10)
		if m := list(t, closed); m.Segments[5].Number != a.next-1 || len(gaps(m)) > 0 {
			t.Errorf("%+v", m)
		}
		if n := len(a.j.of(packager.Recovered)); n != 1 {
			t.Errorf("%d recoveries", n)
		}
	})
}

// One output is away when a worker takes over: its playlist is read back when
// it is there again, and goes on.
func TestResumeWhileAnOutputIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, away := newMemory(), newMemory()
		a := air(t, liveSpec(t, good, away), good, away)
		a.must(4)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec := liveSpec(t, good, away)
		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, a.next
		away.setGate(hang)
		b := air(t, spec, good, away)
		b.must(15)
		if m := list(t, good); len(gaps(m)) > 0 || m.Segments[5].Number != b.next-1 {
			t.Errorf("the good output: %+v", m)
		}
		away.setGate(nil)
		b.must(30)
		m := list(t, away)
		if m.Segments[5].Number != b.next-1 || m.Epoch != 2 || len(gaps(m)) > 0 {
			t.Errorf("the other: %+v", m)
		}
		if len(b.j.of(packager.Trouble)) != 1 || len(b.j.of(packager.Recovered)) != 1 {
			t.Errorf("%d troubles, %d recoveries", len(b.j.of(packager.Trouble)), len(b.j.of(packager.Recovered)))
		}
	})
}

// guarded is a place that fences nobody.
type guarded struct{ *memory }

func (g guarded) Replace(ctx context.Context, path string, body []byte, may func([]byte) error) error {
	old, err := g.Get(ctx, path)
	if err == nil {
		err = may(old[:min(len(old), 512)])
	}
	if err != nil && !errors.Is(err, media.ErrNotFound) && !publish.Unseen(err) {
		return err
	}
	return g.Put(ctx, path, body)
}

func airAt(t *testing.T, spec media.Spec, sinks ...media.Sink) *onAir {
	t.Helper()
	video, _ := clip(t)
	a := &onAir{t: t, j: &journal{}, next: time.Now().Unix()}
	a.p = open(t, spec, a.j.add, sinks...)
	if err := a.p.Init("v", video.Config); err != nil {
		t.Fatal(err)
	}
	return a
}

// A writer that was stopped wakes up when its successor has long been on air:
// it touches nothing, not even a segment (DESIGN §4).
func TestStoppedWriterWakesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		old := airAt(t, spec, guarded{s})
		old.must(4)

		spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, old.next
		young := airAt(t, spec, guarded{s})
		young.must(10)
		before, log := list(t, s), len(s.history())

		// As it was stopped, it had a segment whole and none of it sent.
		writes := pictures(old.next*25, old.next*25+50, 25, 1)
		var err error
		for _, pkt := range writes {
			if err = old.p.Write(t.Context(), "v", pkt); err != nil {
				break
			}
			synctest.Wait()
		}
		mustBe(t, old.p.Stop(t.Context()), media.Superseded, "epoch 2, ours is 1")
		if got := s.history()[log:]; len(got) > 0 {
			t.Errorf("the old writer did %v", got)
		}
		if !list(t, s).Equal(before) {
			t.Error("the playlist moved")
		}
		young.must(2)
		if m := list(t, s); len(gaps(m)) > 0 || m.Segments[5].Number != young.next-1 {
			t.Errorf("%+v", m)
		}
	})
}

// A writer that lost its lease but not its way to the origin finds out with
// its next segment.
func TestCutOffWriterFindsItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		old := airAt(t, spec, guarded{s})
		old.must(4)
		m := list(t, s)
		m.Epoch = 2
		if err := s.Put(t.Context(), "v/media.m3u8", m.Encode()); err != nil {
			t.Fatal(err)
		}
		_ = old.segments(1)
		mustBe(t, old.segments(1), media.Superseded, "epoch 2, ours is 1")
		if list(t, s).Epoch != 2 {
			t.Error("the successor's playlist was overwritten")
		}
	})
}

// What another job of this name left there does not fence this one.
func TestLeftoversOfAnotherJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		spec.Epoch = 7
		a := airAt(t, spec, guarded{s})
		a.must(4)
		a.p.Abort()
		time.Sleep(time.Minute)
		spec.Epoch = 1
		b := airAt(t, spec, guarded{s})
		b.must(3)
		if m := list(t, s); m.Epoch != 1 || m.Segments[0].Number != b.next-3 {
			t.Errorf("%+v", m)
		}
	})
}

// An origin that shows a writer nothing is written to all the same, also after a
// trouble.
func TestOriginThatShowsNothing(t *testing.T) {
	for _, code := range []int{400, 401, 403, 405, 501} {
		synctest.Test(t, func(t *testing.T) {
			s := newMemory()
			closed := func(_ context.Context, op, _ string) error {
				if op == "get" {
					return publish.Status{Code: code}
				}
				return nil
			}
			s.setGate(closed)
			a := airAt(t, liveSpec(t, s), guarded{s})
			a.must(3)
			s.setGate(unavailable)
			a.must(2)
			s.setGate(closed)
			a.must(3)
			if m := list(t, s); m.Segments[len(m.Segments)-1].Number != a.next-1 || len(gaps(m)) != 2 {
				t.Errorf("%d: %+v", code, m)
			}
		})
	}
}

// takers are how many one programme may have.
const takers = 200

// 200 outputs, most of them well, some of each kind that is not: what is well
// gets every segment on time, and what waits for the others is held once.
func TestManyTakers(t *testing.T) {
	const segments = 60
	size := int64(1 << 20) // of a segment
	var grew int64
	var goroutines int
	synctest.Test(t, func(t *testing.T) {
		var all []*memory
		for range takers {
			all = append(all, newForgetful())
		}
		for i, gate := range []func(context.Context, string, string) error{
			hang, unavailable,
			func(context.Context, string, string) error { return publish.Status{Code: 403} },
			func(ctx context.Context, _, _ string) error { // slower than real time
				time.Sleep(3 * time.Second)
				return ctx.Err()
			},
		} {
			for k := range 10 {
				all[10*i+k].setGate(gate)
			}
		}
		spec := liveSpec(t, all...)
		spec.Window = 15 * time.Minute
		a := air(t, spec, all...)
		a.big = int(size)
		before := heap()
		began := time.Now()
		a.must(segments)
		if took := time.Since(began); took > (segments+1)*time.Second {
			t.Errorf("%d segments took %v", segments, took)
		}
		grew, goroutines = heap()-before, runtime.NumGoroutine()
		for i, o := range a.p.Outputs() {
			switch {
			case i < 40 && o.State != packager.InTrouble:
				t.Errorf("output %d: %+v", i, o)
			case i >= 40 && (o.State != packager.Well || o.Lost > 0 || o.LastSegment != a.next-1):
				t.Errorf("output %d of those that are well: %+v", i, o)
			}
		}
		for _, e := range a.j.of(packager.Late) {
			if !slices.ContainsFunc(spec.Outputs[:40], func(name string) bool { return name == e.Output }) {
				t.Errorf("late at %s", e.Output)
				break
			}
		}
		if n := len(a.j.of(packager.Trouble)); n < 30 || n > 40 {
			t.Errorf("%d troubles of 40 outputs", n)
		}
		if err := a.p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	// Segments of half a minute wait for the dead ones, one is on its way, and
	// each output has a list.
	if most := 40*size + takers*64<<10; grew > most {
		t.Errorf("%d MiB held for %d outputs, want at most %d", grew>>20, takers, most>>20)
	}
	t.Logf("%d outputs hold %.1f MiB of segments of 1 MiB, %d goroutines", takers, float64(grew)/(1<<20), goroutines)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Outputs that lost nothing are given the very same bytes; one that lost
// something has a list of its own.
func TestOutputsShareTheirPlaylists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*memory
		for range 3 {
			all = append(all, newMemory())
		}
		a := air(t, liveSpec(t, all...), all...)
		a.must(2)
		all[2].setGate(unavailable)
		a.must(1)
		all[2].setGate(nil)
		a.must(1)
		if all[0].text("v/media.m3u8") != all[1].text("v/media.m3u8") || all[0].text("v/iframes.m3u8") != all[1].text("v/iframes.m3u8") {
			t.Error("two outputs that have the same differ")
		}
		if m := list(t, all[2]); len(gaps(m)) != 1 || len(gaps(list(t, all[0]))) != 0 {
			t.Errorf("the third lists %+v", m)
		}
	})
}

// The last segment of a job that is stopped says that it is the last, here and
// nowhere else.
func TestLastSegmentSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		a := air(t, liveSpec(t, s), s)
		a.must(3)
		a.p.EndAt(a.next)
		a.must(1)
		if err := a.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range list(t, s).Segments {
			body := s.text("v/" + hls.SegmentName(e.Number))
			if got, want := slices.Contains([]string{body[16:20], body[20:24], body[24:28]}, "lmsg"), e.Number == a.next-1; got != want {
				t.Errorf("segment %d says that it is the last: %v (%q)", e.Number, got, body[:28])
			}
		}
	})
}

// The same over real connections, to one server: everything arrives at each of
// 200 trees, over a connection of its own, and nothing is left of it.
func TestManyTakersByHTTP(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{} // segments by tree
	conns := map[net.Conn]bool{}
	most := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if tree, file := path.Split(r.URL.Path); path.Ext(file) == ".m4s" && n > 0 {
			got[tree]++
		}
		w.WriteHeader(http.StatusCreated)
	}))
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if conns[c] = s != http.StateClosed; s == http.StateClosed {
			delete(conns, c)
		}
		most = max(most, len(conns))
	}
	srv.Start()
	defer srv.Close()
	const segments = 4
	spec := liveSpec(t, newMemory())
	var sinks []media.Sink
	spec.Outputs = nil
	for i := range takers {
		u, err := url.Parse(fmt.Sprintf("%s/%d", srv.URL, i))
		if err != nil {
			t.Fatal(err)
		}
		s := publish.NewHTTP(u, 1, publish.DefaultPatience())
		defer func() { _ = s.Close() }()
		sinks, spec.Outputs = append(sinks, s), append(spec.Outputs, u.String())
	}
	video, _ := clip(t)
	j := &journal{}
	p := open(t, spec, j.add, sinks...)
	if err := p.Init("v", video.Config); err != nil {
		t.Fatal(err)
	}
	first, began := time.Now().Unix(), time.Now()
	for n := first; n < first+segments; n++ {
		for _, pkt := range pictures(n*25, n*25+25, 25, 1) {
			if err := p.Write(t.Context(), "v", fat(pkt, 20_000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if !slices.ContainsFunc(p.Outputs(), func(o packager.OutputProgress) bool { return o.LastSegment < first+segments-1 }) {
			break
		}
	}
	if err := p.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for i := range takers {
		if n := got[fmt.Sprintf("/%d/v/", i)]; n != segments {
			t.Errorf("taker %d got %d segments", i, n)
		}
	}
	if most > takers+takers/10 {
		t.Errorf("%d connections for %d takers", most, takers)
	}
	t.Logf("%d segments of 0.5 MB to %d takers in %v, %d connections at most", segments, takers, time.Since(began), most)
}
