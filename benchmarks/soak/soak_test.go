package soak

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/media/verify"
	"github.com/google/go-cmp/cmp"
)

// samplesOf are looks at a process every five seconds; own is its memory in MB
// at a number of seconds.
func samplesOf(seconds int, own func(int) float64) (all []sample) {
	for at := 0; at < seconds; at += 5 {
		all = append(all, sample{at: time.Unix(int64(at), 0), own: int64(own(at) * 1e6), resident: 100e6, descriptors: 7, threads: 9})
	}
	return all
}

func TestGrowthIsAfterItWasWarm(t *testing.T) {
	warms := func(at int) float64 { return math.Min(50, float64(at)) } // seconds
	if g := growthOf("worker", samplesOf(1200, warms), time.Minute); g.OwnMB != [2]float64{50, 50} || g.Descriptors != [2]float64{7, 7} {
		t.Errorf("a process that warms up: %+v", g)
	}
	leaks := func(at int) float64 { return 50 + float64(at)/60 } // a megabyte a minute
	if g := growthOf("worker", samplesOf(1200, leaks), time.Minute); g.OwnMB[1]-g.OwnMB[0] < 14 || g.OwnMB[1]-g.OwnMB[0] > 18 {
		t.Errorf("a process that leaks: %+v", g)
	}
}

func TestOnlyProcessesThatLivedAreCompared(t *testing.T) {
	s := newSampler(nil)
	for role, part := range map[string][2]int{"agent": {0, 240}, "worker young": {30, 240}, "worker killed": {0, 30}} {
		s.of[farm.Process{Role: role}] = samplesOf(1200, func(int) float64 { return 1 })[part[0]:part[1]]
	}
	if g := s.growth(0); len(g) != 1 || g[0].Role != "agent" {
		t.Errorf("%+v", g)
	}
}

// A beep of 80 ms every second, 3 ms after the flash; the first has begun before.
func TestBeepsAreFoundAtTheirFlashes(t *testing.T) {
	pcm := make([]float32, 4*soundRate)
	for i := range pcm {
		if at := (i + soundRate/20) % soundRate; at < soundRate*80/1000 {
			pcm[i] = float32(math.Sin(2*math.Pi*1000*float64(i)/soundRate)*0.5 + 0.2)
		}
	}
	beeps := onsets(100, pcm)
	if len(beeps) != 4 || math.Abs(beeps[0]-100.95) > 0.001 {
		t.Fatalf("beeps at %v", beeps)
	}
	got := lags([]float64{100.947, 101.947, 200}, beeps)
	if len(got) != 2 || math.Abs(got[0]-3) > 0.5 || math.Abs(got[1]-3) > 0.5 {
		t.Errorf("lags %v ms", got)
	}
}

func TestStacksAreCounted(t *testing.T) {
	const text = `SIGQUIT: quit
PC=0x47

goroutine 1 gp=0xc0 m=nil [select]:
main.main()

goroutine 34 gp=0xc1 m=nil [IO wait]:
net/http.(*conn).serve()
created by net/http.(*Server).Serve in goroutine 7
	server.go:1

goroutine 35 gp=0xc1 m=nil [IO wait]:
a.b()
created by a.leak in goroutine 1

rax 0
`
	young := goroutinesIn(text)
	if diff := cmp.Diff(Goroutines{"": 1, "net/http.(*Server).Serve": 1, "a.leak": 1}, young); diff != "" || young.own() != 2 {
		t.Errorf("%d, (-want +got): %s", young.own(), diff)
	}
	old := Goroutines{"": 1, "net/http.(*Server).Serve": 9, "a.leak": 4}
	if diff := cmp.Diff([]string{"3 started by a.leak"}, old.more(young)); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func TestTheRecordSaysWhatWasLeft(t *testing.T) {
	s := &soak{around: harness.Begin(), found: found{
		Young: map[string]Goroutines{"worker": {"": 1}, "agent": {"a.b": 30}, "gala": {"": 1}}, Old: map[string]Goroutines{"worker": {"": 1}, "agent": {"a.b": 33}, "gala": {"": 1}},
		Before: []float64{21, 22}, After: []float64{43}, Growth: []Growth{{Role: "worker " + bystander, Minutes: 20, OwnMB: [2]float64{50, 51}, ResidentMB: [2]float64{90, 91}}},
		Watched: &verify.Watched{Renditions: []verify.WatchedRendition{{Gaps: 1}, {Never: 1}}}, Files: []string{"x-1"},
	}}
	text := string(s.record().Markdown())
	var broken []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "missed |") {
			broken = append(broken, strings.TrimSpace(strings.Split(line, "|")[1]))
		}
	}
	if diff := cmp.Diff([]string{"segments missing", "moved", "goroutines, old − young", "directories of runs that nobody heard the end of"}, broken); diff != "" {
		t.Errorf("(-want +got): %s\n%s", diff, text)
	}
	if !strings.Contains(text, "More goroutines of agent than when it was young: 3 started by a.b.") {
		t.Error(text)
	}
}
