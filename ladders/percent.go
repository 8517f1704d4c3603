package ladders

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Percent is in hundredths of one: 1250 is 12.5%.
type Percent int32

// Of is the share of n, to the nearest.
func (p Percent) Of(n int) int { return int((int64(n)*int64(p) + 5000) / 10000) }

func (p Percent) String() string {
	s := strconv.Itoa(int(p / 100))
	if part := p % 100; part != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%02d", part), "0")
	}
	return s + "%"
}

var percentPattern = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,2}))?%$`)

// percent reads a share from low to high, in whole per cent.
func (v value) percent(low, high int) Percent {
	want := fmt.Sprintf("%d%% to %d%%, written with the sign", low, high)
	s, ok := v.scalar(want)
	if !ok {
		return 0
	}
	m := percentPattern.FindStringSubmatch(s)
	if m == nil {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return 0
	}
	whole, _ := strconv.Atoi(m[1])
	part, _ := strconv.Atoi((m[2] + "00")[:2])
	p := Percent(whole*100 + part)
	if p < Percent(low*100) || p > Percent(high*100) {
		v.fail("%q is not allowed, want %s", s, want)
		return 0
	}
	return p
}
