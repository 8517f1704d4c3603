package ladders

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rules(all []Finding) string {
	var s string
	for _, f := range all {
		s += f.Rule + " "
	}
	return s
}

func TestCheckBandwidth(t *testing.T) {
	declared := Bandwidth{Peak: 2000, Average: 1500}
	for _, c := range []struct {
		name     string
		kind     Kind
		measured Bandwidth
		want     string
	}{
		{"exact", VOD, declared, ""},
		{"at the upper bounds", VOD, Bandwidth{2200, 1650}, ""},
		{"above them", VOD, Bandwidth{2201, 1651}, "1.26 1.27 "},
		{"at the lower bounds", VOD, Bandwidth{1800, 1350}, ""},
		{"below them", VOD, Bandwidth{1799, 1349}, "1.26 1.27 "},
		{"peak above twice the average", VOD, Bandwidth{2000, 999}, "1.26 1.30 "},
		{"live may be below", Live, Bandwidth{10, 10}, ""},
		{"live bounds", Live, Bandwidth{2500, 1650}, ""},
		{"live above", Live, Bandwidth{2501, 1651}, "1.28 1.29 "},
	} {
		if got := rules(CheckBandwidth(c.kind, declared, c.measured)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	got := CheckBandwidth(Live, declared, Bandwidth{2501, 0})
	want := []Finding{{"1.29", "measured peak of 2501 bit/s is above 125 % of BANDWIDTH, 2000 bit/s"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMeasure(t *testing.T) {
	const scale = 50
	second := func(bytes ...int64) []SegmentSize {
		var out []SegmentSize
		for _, b := range bytes {
			out = append(out, SegmentSize{b, scale})
		}
		return out
	}
	for _, c := range []struct {
		name   string
		sizes  []SegmentSize
		target int64
		want   Bandwidth
	}{
		{"nothing", nil, 2, Bandwidth{}},
		{"even", second(100, 100, 100), 1, Bandwidth{800, 800}},
		{"one large", second(100, 400, 100), 1, Bandwidth{3200, 1600}},
		// runs shorter than half the target do not count: pairs at least
		{"short segments", second(100, 400, 100, 100), 4, Bandwidth{2000, 1400}},
		{"longer than the target by half", []SegmentSize{{300, 3 * scale}, {100, scale}}, 2, Bandwidth{800, 800}},
		{"too short to have a peak", second(100), 6, Bandwidth{800, 800}},
		{"days", []SegmentSize{{math.MaxInt64 / 16, math.MaxInt64 / 64}}, 2, Bandwidth{1600, 1600}},
	} {
		if got := Measure(c.sizes, scale, c.target); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// The worst that a buffer of bufsize lets through stays within Apple's 125 %
// of what is declared, for every preset and both segment lengths.
func TestDeclaredBandwidthHoldsTheWorstSegment(t *testing.T) {
	for _, l := range Presets() {
		for _, kind := range []Kind{Live, VOD} {
			r := resolve(t, l, sources()[0].source, kind)
			for _, x := range r.Renditions {
				if v := x.Video; v != nil {
					worst := v.Maxrate + v.Bufsize*r.Grid.Timescale/r.Grid.SegmentTicks()
					if 4*worst > 5*x.Bandwidth {
						t.Errorf("%s %s %s: %d may exceed 125 %% of %d", l.Name, x.Name, kind, worst, x.Bandwidth)
					}
				}
			}
		}
	}
}
