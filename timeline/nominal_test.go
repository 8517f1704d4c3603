package timeline

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNominalRateOfClaims(t *testing.T) {
	for _, c := range []struct {
		avg, r, want Rate
		variable     bool
	}{
		{Rate{2997, 100}, Rate{2997, 100}, Rate{30000, 1001}, false},
		{Rate{29976, 1000}, Rate{30000, 1001}, Rate{30000, 1001}, false},
		{Rate{29833, 1000}, Rate{29833, 1000}, Rate{29833, 1000}, false},
		{Rate{24000, 1001}, Rate{24000, 1001}, Rate{24000, 1001}, false},
		{Rate{30, 1}, Rate{30, 1}, Rate{30, 1}, false},
		{Rate{25, 1}, Rate{50, 1}, Rate{25, 1}, false}, // fields
		{Rate{10505, 1000}, Rate{90000, 1}, Rate{10505, 1000}, true},
		{Rate{}, Rate{60, 1}, Rate{60, 1}, false},
		{Rate{}, Rate{90000, 1}, Rate{}, false},
		{Rate{25, 1}, Rate{}, Rate{25, 1}, false},
		{Rate{}, Rate{}, Rate{}, false},
		{Rate{1, 1}, Rate{1, 1}, Rate{1, 1}, false},
	} {
		if got, variable := NominalRate(c.avg, c.r, Timebase{}, nil); got != c.want || variable != c.variable {
			t.Errorf("avg %v, r %v: %v, variable %v; want %v", c.avg, c.r, got, variable, c.want)
		}
	}
}

func TestNominalRateOfConstantFrames(t *testing.T) {
	for _, rate := range append([]Rate{{24000, 1001}, {12, 1}, {15, 1}, {179, 6}}, usual...) {
		for name, base := range bases {
			for _, claims := range [][2]Rate{{rate, rate}, {rate, {90000, 1}}, {{}, rate}} {
				times := frames(rate, base, 120, 0, none)
				if got, variable := NominalRate(claims[0], claims[1], base, times); got != rate || variable {
					t.Errorf("%v on a clock of %s, claimed %v: %v, variable %v", rate, name, claims, got, variable)
				}
			}
		}
	}
}

func TestNominalRateWithoutClaims(t *testing.T) {
	for _, rate := range usual {
		times := frames(rate, Timebase{1, 90000}, 240, 0, none)
		if got, variable := NominalRate(Rate{}, Rate{}, Timebase{1, 90000}, times); got != rate || variable {
			t.Errorf("%v: %v, variable %v", rate, got, variable)
		}
	}
}

// A phone's 29.976 with its noise is 30000/1001; one frame in ten missing
// changes nothing.
func TestNominalRateOfNoiseAndLosses(t *testing.T) {
	base := Timebase{1, 600}
	times := frames(Rate{30000, 1001}, base, 62, 0, alternate(900))
	if got, variable := NominalRate(Rate{29976, 1000}, Rate{30000, 1001}, base, times); got != (Rate{30000, 1001}) || variable {
		t.Errorf("phone: %v, variable %v", got, variable)
	}
	var lossy []int64
	for i, ts := range frames(Rate{25, 1}, Timebase{1, 1000}, 200, 0, none) {
		if i%10 != 3 {
			lossy = append(lossy, ts)
		}
	}
	if got, variable := NominalRate(Rate{225, 10}, Rate{90000, 1}, Timebase{1, 1000}, lossy); got != (Rate{25, 1}) || variable {
		t.Errorf("lossy: %v, variable %v", got, variable)
	}
}

// A constant rate that nobody has heard of is taken by its frame, not by an
// average over a few seconds.
func TestNominalRateOfAnOddConstantRate(t *testing.T) {
	var times []int64
	at := int64(0)
	for i := range 167 {
		times = append(times, at)
		at += 3012
		if i == 50 || i == 51 {
			at += 9 * int64(1-2*(i%2))
		}
	}
	got, variable := NominalRate(Rate{2505000, 83831}, Rate{359, 12}, Timebase{1, 90000}, times)
	if got != (Rate{7500, 251}) || variable {
		t.Errorf("%v, variable %v", got, variable)
	}
}

// Variable sources get the rate at which most of their frames come.
func TestNominalRateOfVariableFrames(t *testing.T) {
	steps := []int64{33, 41, 33, 33, 71, 33, 90, 33, 52, 33, 33, 120}
	at, times := int64(0), []int64{0}
	for i := range 100 {
		at += steps[i%len(steps)]
		times = append(times, at)
	}
	if got, variable := NominalRate(Rate{20, 1}, Rate{90000, 1}, Timebase{1, 1000}, times); got != (Rate{30, 1}) || !variable {
		t.Errorf("phone in the dark: %v, variable %v", got, variable)
	}
}

func TestStandard(t *testing.T) {
	for in, want := range map[Rate]Rate{
		{2997, 100}: {30000, 1001}, {30, 1}: {30, 1}, {29985, 1000}: {29985, 1000}, {23976, 1000}: {24000, 1001},
		{25001, 1000}: {25, 1}, {1, 1000}: {1, 1000}, {90000, 1}: {90000, 1}, {119880, 1000}: {120000, 1001},
	} {
		if got := Standard(in); got != want {
			t.Errorf("%v: %v, want %v", in, got, want)
		}
	}
}

func TestNominalRateIsAlwaysUsable(t *testing.T) {
	claim := rapid.Custom(func(t *rapid.T) Rate {
		r, _ := NewRate(rapid.Int64Range(0, 1<<31-1).Draw(t, "num"), rapid.Int64Range(0, 1<<31-1).Draw(t, "den"))
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		base := Timebase{rapid.Int64Range(1, 1<<31-1).Draw(t, "num"), rapid.Int64Range(1, 1<<31-1).Draw(t, "den")}
		samples := rapid.SliceOfN(anyInt, 0, 40).Draw(t, "samples")
		rate, _ := NominalRate(claim.Draw(t, "avg"), claim.Draw(t, "r"), base, samples)
		if rate != (Rate{}) && !rate.Valid() {
			t.Errorf("rate %+v", rate)
		}
	})
}
