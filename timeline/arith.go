package timeline

import "math/bits"

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
func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// mulDivFloor is ⌊a·b/c⌋ with a 128-bit product, b >= 0, c > 0. The result must fit.
func mulDivFloor(a, b, c int64) int64 {
	neg := a < 0
	ua := uint64(a)
	if neg {
		ua = uint64(-a)
	}
	hi, lo := bits.Mul64(ua, uint64(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	if !neg {
		return int64(q)
	}
	if r != 0 {
		q++
	}
	return -int64(q)
}

// mulDivRound is v·a·b/(c·d) rounded to nearest, halves away from zero; all
// but v positive. Factors are cancelled first so that the products stay small.
func mulDivRound(v, a, b, c, d int64) int64 {
	num, den := reduceProducts(a, b, c, d)
	neg := v < 0
	uv := uint64(v)
	if neg {
		uv = uint64(-v)
	}
	hi, lo := bits.Mul64(uv, uint64(num))
	q, r := bits.Div64(hi, lo, uint64(den))
	if r >= uint64(den)-r {
		q++
	}
	if neg {
		return -int64(q)
	}
	return int64(q)
}

// reduceProducts is a·b/(c·d) in lowest terms.
func reduceProducts(a, b, c, d int64) (num, den int64) {
	for _, p := range []*int64{&a, &b} {
		for _, q := range []*int64{&c, &d} {
			g := gcd(*p, *q)
			*p /= g
			*q /= g
		}
	}
	return a * b, c * d
}

// cmpProduct compares a·b with c·d, all non-negative.
func cmpProduct(a, b, c, d int64) int {
	h1, l1 := bits.Mul64(uint64(a), uint64(b))
	h2, l2 := bits.Mul64(uint64(c), uint64(d))
	switch {
	case h1 != h2 && h1 < h2, h1 == h2 && l1 < l2:
		return -1
	case h1 == h2 && l1 == l2:
		return 0
	}
	return 1
}
