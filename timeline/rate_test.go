package timeline

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{
		"25": {25, 1}, " 25 ": {25, 1}, "30000/1001": {30000, 1001}, "60/2": {30, 1}, "29.97": {30000, 1001},
		"23.976": {24000, 1001}, "23.98": {24000, 1001}, "59.94": {60000, 1001}, "119.88": {120000, 1001},
		"12.5": {25, 2}, "0.1": {1, 10}, "29.833": {29833, 1000},
	} {
		if got, err := ParseRate(in); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "-25", "25/0", "0/1", "-1/-1", "1e3", "1e999999999", "0x10", "25fps", "NaN", "Inf",
		"1/", "/1", "1/2/3", "9223372036854775807", "0.00000000000000000001", "1_000", "1p5"} {
		if got, err := ParseRate(in); !errors.Is(err, ErrBadRate) {
			t.Errorf("%q is %v, %v; want ErrBadRate", in, got, err)
		}
	}
}

// A rate read back from what it prints is the same rate: 30000/1001 stays exact.
func TestRateSurvivesPrinting(t *testing.T) {
	part := rapid.Int64Range(1, 1<<31-1)
	rapid.Check(t, func(t *rapid.T) {
		r, err := NewRate(part.Draw(t, "num"), part.Draw(t, "den"))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseRate(r.String()); err != nil || back != r {
			t.Errorf("%v came back as %v, %v", r, back, err)
		}
	})
}

func TestRateDivAndCmp(t *testing.T) {
	if got := (Rate{60000, 1001}).Div(2); got != (Rate{30000, 1001}) {
		t.Errorf("half of 59.94 is %v", got)
	}
	if got := (Rate{25, 1}).Div(2); got != (Rate{25, 2}) {
		t.Errorf("half of 25 is %v", got)
	}
	rates := []Rate{{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {30, 1}}
	for i, a := range rates {
		for j, b := range rates {
			if got, want := a.Cmp(b), max(-1, min(1, i-j)); got != want {
				t.Errorf("%v against %v: %d", a, b, got)
			}
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"25", "29.97", "30000/1001", "1e9", "", "-1/2", "0.000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err == nil && (!r.Valid() || gcd(r.Num, r.Den) != 1) {
			t.Errorf("%q gives %d/%d", s, r.Num, r.Den)
		}
	})
}
