package ladders

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/galafarm/gala/timeline"
)

// FPS is the rule by which a rung takes its frame rate.
type FPS struct {
	// Fixed is a stated rate; then the rest is zero.
	Fixed timeline.Rate
	// Every takes each Every-th source frame at most (source/2).
	Every int64
	// Max is the highest rate allowed (source<=60); zero for none.
	Max timeline.Rate
}

var sourceRule = regexp.MustCompile(`^source(?:/([1-4]))?(?:<=([0-9./]+))?$`)

// ParseFPS reads "source", "source<=60", "source/2", "source/2<=30", "50" or "30000/1001".
func ParseFPS(s string) (FPS, error) {
	m := sourceRule.FindStringSubmatch(s)
	if m == nil {
		rate, err := ruleRate(s)
		return FPS{Fixed: rate}, err
	}
	rule := FPS{Every: 1}
	if m[1] != "" {
		rule.Every = int64(m[1][0] - '0')
	}
	var err error
	if m[2] != "" {
		rule.Max, err = ruleRate(m[2])
	}
	return rule, err
}

// Rates outside these are no use to viewers, or too fine for a 32-bit timescale.
const (
	minRuleRate = 5
	maxRuleRate = 300
	maxRateNum  = 1_000_000
)

func ruleRate(s string) (timeline.Rate, error) {
	r, err := timeline.ParseRate(s)
	if err != nil {
		return timeline.Rate{}, err
	}
	if r.Num > maxRateNum || r.Cmp(timeline.Rate{Num: minRuleRate, Den: 1}) < 0 || r.Cmp(timeline.Rate{Num: maxRuleRate, Den: 1}) > 0 {
		return timeline.Rate{}, fmt.Errorf("frame rate %s is not between %d and %d: %w", s, minRuleRate, maxRuleRate, timeline.ErrBadRate)
	}
	return r, nil
}

func (f FPS) String() string {
	if f.Fixed.Valid() {
		return f.Fixed.String()
	}
	s := "source"
	if f.Every > 1 {
		s += "/" + strconv.FormatInt(f.Every, 10)
	}
	if f.Max.Valid() {
		s += "<=" + f.Max.String()
	}
	return s
}

// divisor is the smallest whole number by which rate is divided to obey the
// rule. A rate up to 1 % above the limit passes: sources are sloppy, and half
// the frames is a high price for 60.02 fps.
func (f FPS) divisor(rate timeline.Rate) int64 {
	if f.Fixed.Valid() {
		return max(1, nearestRatio(rate, f.Fixed))
	}
	k := int64(1)
	if f.Max.Valid() {
		num, den := rate.Num*f.Max.Den*100, rate.Den*f.Max.Num*101
		k = max(1, (num+den-1)/den)
	}
	return (k + f.Every - 1) / f.Every * f.Every
}

// nearestRatio is a/b to the nearest whole number.
func nearestRatio(a, b timeline.Rate) int64 {
	num, den := a.Num*b.Den, a.Den*b.Num
	return (2*num + den) / (2 * den)
}
