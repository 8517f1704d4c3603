package cascade

import (
	"math"
	"testing"
)

func points(rates, qualities []float64) (out []Point) {
	for i := range rates {
		out = append(out, Point{rates[i], qualities[i]})
	}
	return out
}

// Curves that are published with the usual implementations (bjontegaard by FAU
// Erlangen, Bjontegaard_metric). The values are of another evaluation of the
// same cubics, in Bernstein form and summed over 400,000 steps; one cubic through
// all points (VCEG-M33) gives -4.420 and 31.397 % for the first and the last.
func TestBDRateOfPublishedCurves(t *testing.T) {
	for _, c := range []struct {
		name         string
		anchor, test []Point
		want         float64
	}{
		{
			"x265 presets",
			points([]float64{9487.76, 4593.60, 2486.44, 1358.24}, []float64{40.037, 38.615, 36.845, 34.851}),
			points([]float64{9787.80, 4469.00, 2451.52, 1356.24}, []float64{40.121, 38.651, 36.970, 34.987}),
			-4.417485351,
		},
		{
			"high rates",
			points([]float64{82472.76, 26875.24, 9487.76, 4593.6}, []float64{43.825, 41.404, 40.037, 38.615}),
			points([]float64{99896.96, 33952.04, 9787.8, 4469.0}, []float64{44.731, 41.875, 40.121, 38.651}),
			-4.472182003,
		},
		{
			"sample 1 of Bjontegaard_metric",
			points([]float64{686.76, 309.58, 157.11, 85.95}, []float64{40.28, 37.18, 34.24, 31.42}),
			points([]float64{893.34, 407.8, 204.93, 112.75}, []float64{40.39, 37.21, 34.17, 31.24}),
			31.379878202,
		},
	} {
		got, err := bdRate(c.anchor, c.test)
		if err != nil || math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: %.9f %%, %v, want %.9f %%", c.name, got, err, c.want)
		}
	}
}

func TestBDRateOfTheSameCurveAtOtherRates(t *testing.T) {
	a := points([]float64{100, 210, 390, 1000}, []float64{30, 33, 35, 41})
	b := points([]float64{125, 262.5, 487.5, 1250}, []float64{30, 33, 35, 41})
	if got, err := bdRate(a, b); err != nil || math.Abs(got-25) > 1e-9 {
		t.Errorf("%v %%, %v, want 25 %%", got, err)
	}
	if got, err := bdRate(b, a); err != nil || math.Abs(got+20) > 1e-9 {
		t.Errorf("%v %%, %v, want -20 %%", got, err)
	}
	if got, err := bdRate(a, a); err != nil || got != 0 {
		t.Errorf("%v %%, %v, want 0", got, err)
	}
}

func TestNoBDRateWithoutCurves(t *testing.T) {
	good := points([]float64{1, 2, 3, 4}, []float64{30, 31, 32, 33})
	for name, bad := range map[string][]Point{
		"two points":              good[:2],
		"quality that only sinks": points([]float64{1, 2, 3, 4}, []float64{33, 32, 31, 30}),
	} {
		if got, err := bdRate(good, bad); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	flat := append(good[:4:4], Point{5, 33}, Point{6, 32.9})
	if got, err := bdRate(good, flat); err != nil || got != 0 {
		t.Errorf("points that add nothing: %v, %v", got, err)
	}
}

func TestCurvesWithoutAQualityInCommon(t *testing.T) {
	low := points([]float64{1, 2, 3, 4}, []float64{30, 31, 32, 33})
	high := points([]float64{1, 2, 3, 4}, []float64{33, 34, 35, 36})
	if got, err := bdRate(low, high); err != nil || got != -beyond {
		t.Errorf("better at every rate: %v, %v", got, err)
	}
	if got, err := bdRate(high, low); err != nil || got != beyond {
		t.Errorf("worse at every rate: %v, %v", got, err)
	}
}
