package timeline

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Rate is an exact number of frames per second, in lowest terms: 30000/1001
// stays 30000/1001. The zero Rate is invalid.
type Rate struct{ Num, Den int64 }

// NewRate reduces num/den. It errs unless both are positive and, reduced, no
// larger than what containers carry (32 bits).
func NewRate(num, den int64) (Rate, error) {
	if num <= 0 || den <= 0 {
		return Rate{}, fmt.Errorf("frame rate %d/%d: %w", num, den, ErrBadRate)
	}
	g := gcd(num, den)
	if num/g > math.MaxInt32 || den/g > math.MaxInt32 {
		return Rate{}, fmt.Errorf("frame rate %d/%d: %w", num, den, ErrBadRate)
	}
	return Rate{num / g, den / g}, nil
}

// ParseRate reads "25", "30000/1001" or a decimal. The decimals by which people
// know the NTSC rates (23.976, 23.98, 29.97, 47.95, 59.94, 119.88) mean n*1000/1001.
func ParseRate(s string) (Rate, error) {
	s = strings.TrimSpace(s)
	if num, den, ok := strings.Cut(s, "/"); ok {
		n, err1 := strconv.ParseInt(num, 10, 64)
		d, err2 := strconv.ParseInt(den, 10, 64)
		if err1 != nil || err2 != nil {
			return Rate{}, fmt.Errorf("frame rate %q: %w", s, ErrBadRate)
		}
		return NewRate(n, d)
	}
	if r, ok := ntsc[s]; ok {
		return r, nil
	}
	// big.Rat would read exponents and bases, and take its time over 1e999999999.
	if len(s) > 32 || strings.ContainsAny(s, "eEpP_xX") {
		return Rate{}, fmt.Errorf("frame rate %q: %w", s, ErrBadRate)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.Num().IsInt64() || !r.Denom().IsInt64() {
		return Rate{}, fmt.Errorf("frame rate %q: %w", s, ErrBadRate)
	}
	return NewRate(r.Num().Int64(), r.Denom().Int64())
}

var ntsc = map[string]Rate{
	"23.976": {24000, 1001}, "23.98": {24000, 1001},
	"29.97": {30000, 1001}, "47.95": {48000, 1001}, "47.952": {48000, 1001},
	"59.94": {60000, 1001}, "119.88": {120000, 1001},
}

// Div is the rate of every k-th frame, k > 0.
func (r Rate) Div(k int64) Rate {
	g := gcd(r.Num, r.Den*k)
	return Rate{r.Num / g, r.Den * k / g}
}

// Valid tells a usable rate from the zero one.
func (r Rate) Valid() bool { return r.Num > 0 && r.Den > 0 }

// Cmp is -1, 0 or +1 as r is slower than, equal to or faster than o.
func (r Rate) Cmp(o Rate) int { return cmpProduct(r.Num, o.Den, o.Num, r.Den) }

// String is "25" or "30000/1001".
func (r Rate) String() string {
	if r.Den == 1 {
		return strconv.FormatInt(r.Num, 10)
	}
	return fmt.Sprintf("%d/%d", r.Num, r.Den)
}

// Timebase is the length of one source tick as a fraction of a second.
type Timebase struct{ Num, Den int64 }

// Valid tells a usable timebase from the zero one.
func (t Timebase) Valid() bool { return t.Num > 0 && t.Den > 0 }

// Rescale converts v ticks of base from into ticks of base to, rounded to the
// nearest tick, halves away from zero. A result that does not fit is held at
// the ends of int64.
func Rescale(v int64, from, to Timebase) int64 {
	return mulDivRound(v, from.Num, to.Den, from.Den, to.Num)
}
