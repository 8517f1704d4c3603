package packager_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf/cmaftest"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/steering"
)

// below is a folder of a sink, as a replica's tree is one of its job's.
type below struct {
	folder string
	*memory
}

func (b below) Put(ctx context.Context, name string, body []byte) error {
	return b.memory.Put(ctx, path.Join(b.folder, name), body)
}

func (b below) Get(ctx context.Context, name string) ([]byte, error) {
	return b.memory.Get(ctx, path.Join(b.folder, name))
}

func (b below) Delete(ctx context.Context, name string) error {
	return b.memory.Delete(ctx, path.Join(b.folder, name))
}

// replicaOn puts replica n of two on air, in a folder of s.
func replicaOn(t *testing.T, s *memory, n int, video cmaftest.Track) *onAir {
	t.Helper()
	spec := liveSpec(t, s)
	spec.Replica, spec.Replicas = n, 2
	p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{below{fmt.Sprintf("r%d", n), s}}, Above: []media.Sink{s}, Log: quiet(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	if err := p.Init("v", video.Config); err != nil {
		t.Fatal(err)
	}
	return &onAir{t: t, p: p, next: time.Now().Unix()}
}

// order of the variants above the replicas.
func variants(s *memory) (out []string) {
	for line := range strings.Lines(s.text("master.m3u8")) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// Above two replicas stand the variants of both, and a manifest with two base
// addresses; the death of either changes nothing there.
func TestAboveReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		two := replicaOn(t, s, 2, video)
		two.must(8)
		if got := strings.Join(variants(s), " "); got != "r2/v/media.m3u8" {
			t.Errorf("one replica: %s", got)
		}
		if m := s.text(manifestName); strings.Count(m, "<BaseURL") != 1 || !strings.Contains(m, `<BaseURL serviceLocation="r2">r2/</BaseURL>`) {
			t.Errorf("one replica: %s", m)
		}
		began := s.text(manifestName)
		one := replicaOn(t, s, 1, video)
		for range 10 {
			one.must(1)
			two.must(1)
		}
		if got := strings.Join(variants(s), " "); got != "r1/v/media.m3u8 r2/v/media.m3u8" {
			t.Errorf("two replicas: %s", got)
		}
		// The Periods stay those that players know.
		both := strings.Replace(began, "r2/</BaseURL>", "r2/</BaseURL>\n  <BaseURL serviceLocation=\"r1\">r1/</BaseURL>", 1)
		if got := s.text(manifestName); got != both {
			t.Errorf("two replicas:\n%s\nwant\n%s", got, both)
		}
		two.p.Abort()
		one.must(10)
		if got := s.text(manifestName); got != both || len(variants(s)) != 2 {
			t.Errorf("after the death of the one that the manifest is from:\n%s", got)
		}
		if err := one.p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.text(manifestName); !strings.Contains(got, `type="static"`) || !strings.Contains(got, `<BaseURL serviceLocation="r1">`) {
			t.Errorf("at the end:\n%s", got)
		}
	})
}

// Segments that another decoder configuration belongs to are not interchangeable.
// While the manifest's own replica is on air it stays that one's; when it has died
// the manifest is of the other.
func TestReplicasOfDifferentEncoders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		other := video
		other.Config.SARNum, other.Config.SARDen = 4, 3
		s := newMemory()
		one, two := replicaOn(t, s, 1, video), replicaOn(t, s, 2, other)
		for range 8 {
			one.must(1)
			two.must(1)
		}
		if m := s.text(manifestName); strings.Count(m, "<BaseURL") != 1 || !strings.Contains(m, `serviceLocation="r1"`) {
			t.Errorf("both on air: %s", m)
		}
		if len(variants(s)) != 2 {
			t.Errorf("variants %v", variants(s))
		}
		one.p.Abort()
		two.must(6)
		if m := s.text(manifestName); strings.Count(m, "<BaseURL") != 1 || !strings.Contains(m, `serviceLocation="r2"`) {
			t.Errorf("r1 has died: %s", m)
		}
	})
}

// A tree above that cannot be written costs no segment below.
func TestTroubleAboveReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		s.setGate(func(ctx context.Context, op, name string) error {
			if !strings.Contains(name, "/") {
				return errors.New("no")
			}
			return ctx.Err()
		})
		one := replicaOn(t, s, 1, video)
		one.must(8)
		if m, err := s.Get(t.Context(), "r1/v/media.m3u8"); err != nil || !strings.Contains(string(m), fmt.Sprintf("%d.m4s", one.next-1)) {
			t.Errorf("below: %v\n%s", err, m)
		}
		s.setGate(nil)
		one.must(3)
		if len(variants(s)) != 1 {
			t.Error("above it was not tried again")
		}
	})
}

// steered is the order in which players take the replicas, and how many are well.
func steered(t *testing.T, s *memory) string {
	t.Helper()
	b, err := s.Get(t.Context(), steering.Name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := steering.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(strings.Join(m.Pathways, " "), " ", m.Current)
}

// Players are sent away from a replica that has stopped, from one whose first rung
// is left out, and back when it has caught up; each replica says the same.
func TestReplicasSteerPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		video, _ := clip(t)
		s := newMemory()
		one, two := replicaOn(t, s, 1, video), replicaOn(t, s, 2, video)
		both := func(n int) {
			for range n {
				one.must(1)
				two.must(1)
			}
		}
		both(8)
		if got := steered(t, s); got != "r1 r2 2" {
			t.Errorf("both are well: %s", got)
		}
		for range 5 { // overloaded
			if err := one.p.Skip(t.Context(), "v", one.next); err != nil {
				t.Fatal(err)
			}
			one.next++
			two.must(1)
		}
		if got := steered(t, s); got != "r2 r1 1" {
			t.Errorf("the first replica makes gaps: %s", got)
		}
		both(4)
		if got := steered(t, s); got != "r1 r2 2" {
			t.Errorf("it is well again: %s", got)
		}
		one.p.Lapse(true, one.next*25, "nothing came")
		both(4)
		if got := steered(t, s); got != "r2 r1 1" {
			t.Errorf("the first replica shows the slate: %s", got)
		}
		two.p.Lapse(true, two.next*25, "nothing came")
		both(4)
		one.p.Lapse(false, one.next*25, "")
		two.p.Lapse(false, two.next*25, "")
		both(4)
		if got := steered(t, s); got != "r1 r2 2" {
			t.Errorf("both have programme again: %s", got)
		}
		s.setGate(func(ctx context.Context, op, name string) error {
			if op == "get" && strings.HasPrefix(name, "r2/") {
				return errors.New("the disk is broken there")
			}
			return ctx.Err()
		})
		one.must(4)
		if got := steered(t, s); got != "r1 r2 1" {
			t.Errorf("the second cannot be read: %s", got)
		}
		s.setGate(nil)
		both(4)
		two.p.Abort()
		one.must(4)
		if got := steered(t, s); got != "r1 r2 1" {
			t.Errorf("the second has died: %s", got)
		}
	})
}

// A job without steering, or with another server, writes none of its own.
func TestSteeringByChoice(t *testing.T) {
	for choice, want := range map[string]string{"off": "", "https://steer.example/gala?a=1&b=2": "https://steer.example/gala?a=1&b=2"} {
		synctest.Test(t, func(t *testing.T) {
			video, _ := clip(t)
			s := newMemory()
			spec := liveSpec(t, s)
			spec.Replica, spec.Replicas, spec.Steering = 1, 2, choice
			p, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{below{"r1", s}}, Above: []media.Sink{s}, Log: quiet(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Abort)
			if err := p.Init("v", video.Config); err != nil {
				t.Fatal(err)
			}
			(&onAir{t: t, p: p, next: time.Now().Unix()}).must(8)
			if _, err := s.Get(t.Context(), steering.Name); !errors.Is(err, media.ErrNotFound) {
				t.Errorf("%s: a steering manifest: %v", choice, err)
			}
			master := s.text("master.m3u8")
			if strings.Contains(master, "PATHWAY-ID") != (want != "") || want != "" && !strings.Contains(master, `SERVER-URI="`+want+`"`) {
				t.Errorf("%s:\n%s", choice, master)
			}
		})
	}
}
