package timeline

import (
	"math"
	"math/big"
	"math/bits"
)

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// floorDiv is ⌊a/b⌋, b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ceilDiv is ⌈a/b⌉, b > 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// subSat is a - b, held at the ends of int64: a hostile timestamp must not wrap
// around into a plausible one.
func subSat(a, b int64) int64 {
	d := a - b
	if (a >= b) == (d >= 0) {
		return d
	}
	return satLimit(a < b)
}

// addSat is a + b, held at the ends of int64.
func addSat(a, b int64) int64 {
	s := a + b
	if (s > a) == (b > 0) {
		return s
	}
	return satLimit(b < 0)
}

func satLimit(neg bool) int64 {
	if neg {
		return -math.MaxInt64
	}
	return math.MaxInt64
}

// ratio is num/den of unsigned 64-bit numbers, den > 0.
type ratio struct{ num, den uint64 }

// reduced is a·b/(c·d) with common factors cancelled; all positive. ok is
// false when a product still does not fit 64 bits.
func reduced(a, b, c, d int64) (r ratio, ok bool) {
	for _, p := range []*int64{&a, &b} {
		for _, q := range []*int64{&c, &d} {
			g := gcd(*p, *q)
			*p /= g
			*q /= g
		}
	}
	h1, n := bits.Mul64(uint64(a), uint64(b))
	h2, m := bits.Mul64(uint64(c), uint64(d))
	return ratio{n, m}, h1 == 0 && h2 == 0
}

// magnitude splits v into sign and absolute value, right for MinInt64 too.
func magnitude(v int64) (neg bool, abs uint64) {
	if v < 0 {
		return true, -uint64(v)
	}
	return false, uint64(v)
}

// divide is ⌊abs·r⌋ and whether the remainder is non-zero and at least half.
func (r ratio) divide(abs uint64) (q uint64, some, half, fits bool) {
	hi, lo := bits.Mul64(abs, r.num)
	if hi >= r.den {
		return 0, false, false, false
	}
	q, rem := bits.Div64(hi, lo, r.den)
	return q, rem != 0, rem >= r.den-rem, true
}

// signed puts the sign back, held at the ends of int64.
func signed(neg bool, q uint64) int64 {
	if q > math.MaxInt64 {
		return satLimit(neg)
	}
	if neg {
		return -int64(q)
	}
	return int64(q)
}

// mulDivFloor is ⌊v·b/c⌋, b and c > 0, with a 128-bit product; a result that
// does not fit is held at the ends of int64.
func mulDivFloor(v, b, c int64) int64 {
	neg, abs := magnitude(v)
	q, some, _, fits := ratio{uint64(b), uint64(c)}.divide(abs)
	if !fits {
		return satLimit(neg)
	}
	if neg && some {
		q++
	}
	return signed(neg, q)
}

// mulDivCeil is ⌈v·b/c⌉ under the rules of mulDivFloor.
func mulDivCeil(v, b, c int64) int64 {
	neg, abs := magnitude(v)
	q, some, _, fits := ratio{uint64(b), uint64(c)}.divide(abs)
	if !fits {
		return satLimit(neg)
	}
	if !neg && some {
		q++
	}
	return signed(neg, q)
}

// mulDivRound is v·a·b/(c·d) rounded to nearest, halves away from zero; all
// but v positive. A result that does not fit is held at the ends of int64.
func mulDivRound(v, a, b, c, d int64) int64 {
	r, ok := reduced(a, b, c, d)
	if !ok {
		return mulDivRoundBig(v, a, b, c, d)
	}
	neg, abs := magnitude(v)
	q, _, half, fits := r.divide(abs)
	if !fits {
		return satLimit(neg)
	}
	if half {
		q++
	}
	return signed(neg, q)
}

// mulDivRoundBig is mulDivRound for factors that no real file has; it exists
// so that an unreal one gives a number instead of a wrong number.
func mulDivRoundBig(v, a, b, c, d int64) int64 {
	mul := func(x, y int64) *big.Int { return new(big.Int).Mul(big.NewInt(x), big.NewInt(y)) }
	num, den := mul(a, b), mul(c, d)
	num.Mul(num, new(big.Int).Abs(big.NewInt(v)))
	num.Lsh(num, 1).Add(num, den) // ⌊(2·num + den) / 2·den⌋
	num.Quo(num, den.Lsh(den, 1))
	if !num.IsInt64() {
		return satLimit(v < 0)
	}
	if v < 0 {
		return -num.Int64()
	}
	return num.Int64()
}

// cmpProduct compares a·b with c·d, all non-negative.
func cmpProduct(a, b, c, d int64) int {
	h1, l1 := bits.Mul64(uint64(a), uint64(b))
	h2, l2 := bits.Mul64(uint64(c), uint64(d))
	switch {
	case h1 < h2, h1 == h2 && l1 < l2:
		return -1
	case h1 == h2 && l1 == l2:
		return 0
	}
	return 1
}
