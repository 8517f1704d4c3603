package soak

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
)

const samplePace = 5 * time.Second

// sample is one look at one process.
type sample struct {
	at                   time.Time
	own                  int64 // anonymous memory, bytes
	resident             int64
	descriptors, threads int
}

// Growth is how one process that lived from the first sample to the last has
// changed: medians of the first samples after it was warm, and of the last ones.
type Growth struct {
	Role        string     `json:"role"`
	Minutes     float64    `json:"minutes"`
	OwnMB       [2]float64 `json:"own_mb"`
	ResidentMB  [2]float64 `json:"resident_mb"`
	Descriptors [2]float64 `json:"descriptors"`
	Threads     [2]float64 `json:"threads"`
}

// sampler follows the processes of a farm.
type sampler struct {
	farm *farm.Farm
	of   map[farm.Process][]sample
}

func newSampler(f *farm.Farm) *sampler {
	return &sampler{farm: f, of: map[farm.Process][]sample{}}
}

func (s *sampler) run(ctx context.Context) {
	for {
		for _, p := range s.farm.Processes() {
			s.of[p] = append(s.of[p], look(p.PID))
		}
		if !rest(ctx, samplePace) {
			return
		}
	}
}

func look(pid int) sample {
	m := harness.MemoryOf(pid)
	entries := func(dir string) int {
		all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, dir)) // ended meanwhile: none
		return len(all)
	}
	return sample{at: time.Now(), own: m.Anonymous, resident: m.Resident, descriptors: entries("fd"), threads: entries("task")}
}

// growth of those that were there all the time.
func (s *sampler) growth(warm time.Duration) (all []Growth) {
	var first, last time.Time
	for _, samples := range s.of {
		if at := samples[0].at; first.IsZero() || at.Before(first) {
			first = at
		}
		if at := samples[len(samples)-1].at; at.After(last) {
			last = at
		}
	}
	for p, samples := range s.of {
		if samples[0].at.Sub(first) < samplePace && last.Sub(samples[len(samples)-1].at) < samplePace {
			all = append(all, growthOf(p.Role, samples, warm))
		}
	}
	slices.SortFunc(all, func(a, b Growth) int { return cmp.Compare(a.Role, b.Role) })
	return all
}

// growthOf compares a sixth of the samples, from when the process was warm,
// with the last sixth.
func growthOf(role string, samples []sample, warm time.Duration) Growth {
	from := slices.IndexFunc(samples, func(s sample) bool { return s.at.Sub(samples[0].at) >= warm })
	samples = samples[max(from, 0):]
	n := max(1, len(samples)/6)
	early, late := samples[:n], samples[len(samples)-n:]
	both := func(of func(sample) float64) [2]float64 { return [2]float64{middle(early, of), middle(late, of)} }
	const mb = 1e6
	return Growth{
		Role: role, Minutes: samples[len(samples)-1].at.Sub(samples[0].at).Minutes(),
		OwnMB:       both(func(s sample) float64 { return float64(s.own) / mb }),
		ResidentMB:  both(func(s sample) float64 { return float64(s.resident) / mb }),
		Descriptors: both(func(s sample) float64 { return float64(s.descriptors) }),
		Threads:     both(func(s sample) float64 { return float64(s.threads) }),
	}
}

func middle(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
