package harness

import (
	"math"
	"slices"
)

// Distribution describes a sample by its order statistics. Mean is kept for
// totals; it is never what a bar is held against.
type Distribution struct {
	N    int     `json:"n"`
	Min  float64 `json:"min"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// Describe is the distribution of a sample; the zero one of an empty sample.
func Describe(sample []float64) Distribution {
	if len(sample) == 0 {
		return Distribution{}
	}
	s := slices.Sorted(slices.Values(sample))
	sum := 0.0
	for _, x := range s {
		sum += x
	}
	return Distribution{
		N: len(s), Min: s[0], P50: median(s), P90: quantile(s, 0.90), P99: quantile(s, 0.99),
		Max: s[len(s)-1], Mean: sum / float64(len(s)),
	}
}

// of is the statistic that a bar is held against.
func (d Distribution) of(name string) float64 {
	return map[string]float64{"p50": d.P50, "p99": d.P99, "max": d.Max}[name]
}

// quantile is by nearest rank: a value that was measured. Of fewer than a
// hundred values the p99 is therefore the largest.
func quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
