package scale

import (
	"strings"
	"testing"
)

func TestFindingsAreMadeOfTheFigures(t *testing.T) {
	got := findings([]Result{
		{Case: "c", Filter: "libswscale bicubic", Cost: []float64{4, 2}, XPSNR: []float64{30, 40, 38}},
		{Case: "d", Filter: "libswscale bicubic", Cost: []float64{1}, XPSNR: []float64{1, 1, 1}},
		{Case: "c", Filter: "zimg lanczos", Cost: []float64{3, 5}, XPSNR: []float64{31, 41, 40}},
	})
	if len(got) != 1 || !strings.Contains(got[0], "+1.00 dB of luma and +1.50 dB of chroma beside libswscale bicubic, at 1.50 times") {
		t.Errorf("%q", got)
	}
}

func TestSizesFillTheChains(t *testing.T) {
	for _, c := range scalers() {
		if strings.Count(c.chain, "%s") != 1 {
			t.Errorf("%s: %s", c.name, c.chain)
		}
	}
}
