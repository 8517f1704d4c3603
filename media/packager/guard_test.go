package packager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/publish"
)

// A list of a higher epoch that is seconds old is somebody's while it moves: a
// first worker that was slow to start steps down before its successor, whether it
// resumes or not; what an earlier job of its name left a moment ago stops nobody.
func TestAYoungListOfAHigherEpoch(t *testing.T) {
	for _, c := range []struct {
		name          string
		lives, resume bool
	}{{"a successor's", true, false}, {"a leftover", false, false}, {"a successor's, resumed", true, true}, {"a leftover, resumed", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMemory()
				spec := liveSpec(t, s)
				spec.Epoch = 7
				young := airAt(t, spec, guarded{s})
				young.next -= 8 // it is behind
				young.must(4)
				spec.Epoch = 1
				if c.resume {
					spec.Epoch, spec.Resume, spec.FirstSegment = 2, true, time.Now().Unix()
				}
				old := airAt(t, spec, guarded{s})
				if !c.lives {
					young.p.Abort()
					old.must(8)
					if m := list(t, s); m.Epoch != spec.Epoch || m.Segments[len(m.Segments)-1].Number != old.next-1 {
						t.Errorf("%+v", m)
					}
					return
				}
				var err error
				for range 8 {
					if err = old.segments(1); err != nil {
						break
					}
					young.must(1)
				}
				mustBe(t, err, media.Superseded, "epoch 7, ours is")
				if m := list(t, s); m.Epoch != 7 {
					t.Errorf("%+v", m)
				}
			})
		})
	}
}

// A server that takes four seconds for each look has the ten of its patience for each of them:
// the pause between two looks is no part of it.
func TestAYoungListAtASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		spec := liveSpec(t, s)
		spec.Epoch = 7
		before := airAt(t, spec, guarded{s})
		before.next -= 8
		before.must(4)
		before.p.Abort()
		s.setGate(func(ctx context.Context, op, _ string) error {
			if op != "get" {
				return nil
			}
			select {
			case <-time.After(4 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		spec.Epoch = 1
		a := airAt(t, spec, guarded{s})
		a.must(30)
		if m := list(t, s); m.Epoch != 1 {
			t.Errorf("it is the list of epoch %d after half a minute", m.Epoch)
		}
	})
}

// An origin that shows a writer nothing is written to by the worker that takes
// over, too.
func TestSuccessorAtAnOriginThatShowsNothing(t *testing.T) {
	for _, code := range []int{400, 401, 403, 405, 501} {
		synctest.Test(t, func(t *testing.T) {
			s := newMemory()
			s.setGate(func(_ context.Context, op, _ string) error {
				if op == "get" {
					return publish.Status{Code: code}
				}
				return nil
			})
			spec := liveSpec(t, s)
			a := airAt(t, spec, guarded{s})
			a.must(3)
			if err := a.p.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
			b := airAt(t, spec, guarded{s})
			b.must(3)
			if m := list(t, s); m.Epoch != 2 || m.Segments[len(m.Segments)-1].Number != b.next-1 {
				t.Errorf("%d: %+v", code, m)
			}
		})
	}
}

// A successor whose token is wrong at first is told of nothing: when the token has
// been put right it goes on where the playlist ends, and takes nothing away.
func TestSuccessorWithAWrongToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, other := newMemory(), newMemory()
		spec := liveSpec(t, s, other)
		air := func() *onAir { return airAt(t, spec, guarded{s}, guarded{other}) }
		a := air()
		a.must(4)
		if err := a.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		last, _ := list(t, s).Last()
		s.setGate(func(context.Context, string, string) error { return publish.Status{Code: 401} })
		spec.Resume, spec.FirstSegment, spec.Epoch = true, a.next, 2
		b := air()
		b.must(2)
		s.setGate(nil)
		b.must(3)
		if m := list(t, s); m.Segments[0].Number != last || m.Segments[len(m.Segments)-1].Number != b.next-1 {
			t.Errorf("it lists %d to %d, want %d to %d", m.Segments[0].Number, m.Segments[len(m.Segments)-1].Number, last, b.next-1) // the window has six
		}
	})
}
