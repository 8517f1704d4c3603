package ladders

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Decibel is hundredths of a decibel, of a LUFS or of a dBTP.
type Decibel int

// String is the number without a unit: -23 or 1.5.
func (d Decibel) String() string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := fmt.Sprintf("%s%d.%02d", sign, d/100, d%100)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

var decibels = regexp.MustCompile(`^([+-]?)([0-9]{1,3})(?:\.([0-9]{1,2}))? *(dB|dBTP|LUFS)?$`)

// ParseDecibel reads -23, "-1.5 dBTP" or 3dB.
func ParseDecibel(s string) (Decibel, error) {
	m := decibels.FindStringSubmatch(s)
	if m == nil {
		return 0, errQuantity
	}
	whole, _ := strconv.Atoi(m[2])
	part, _ := strconv.Atoi((m[3] + "00")[:2])
	d := Decibel(whole*100 + part)
	if m[1] == "-" {
		d = -d
	}
	return d, nil
}

// decibel reads a level in [low, high] in whole units.
func (v value) decibel(low, high int, unit string) Decibel {
	want := fmt.Sprintf("%d to %d %s", low, high, unit)
	s, ok := v.scalar(want)
	if !ok {
		return 0
	}
	d, err := ParseDecibel(s)
	if err != nil || d < Decibel(low*100) || d > Decibel(high*100) {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return 0
	}
	return d
}
