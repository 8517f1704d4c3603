package timeline

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var anyInt = rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000),
	rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64}))

var positive = rapid.OneOf(rapid.Int64Range(1, math.MaxInt64), rapid.Int64Range(1, 1_000_000))

// held is the wanted value as the arithmetic is to give it.
func held(v *big.Int) int64 {
	if v.IsInt64() && v.Int64() != math.MinInt64 {
		return v.Int64()
	}
	return satLimit(v.Sign() < 0)
}

func bigProduct(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }

func TestFloorAndCeilAgreeWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, b, c := anyInt.Draw(t, "v"), positive.Draw(t, "b"), positive.Draw(t, "c")
		floor, rem := new(big.Int).DivMod(bigProduct(v, b), big.NewInt(c), new(big.Int)) // Euclidean: c > 0
		ceil := new(big.Int).Set(floor)
		if rem.Sign() != 0 {
			ceil.Add(ceil, big.NewInt(1))
		}
		if got, want := mulDivFloor(v, b, c), held(floor); got != want {
			t.Errorf("⌊%d·%d/%d⌋ = %d, want %d", v, b, c, got, want)
		}
		if got, want := mulDivCeil(v, b, c), held(ceil); got != want {
			t.Errorf("⌈%d·%d/%d⌉ = %d, want %d", v, b, c, got, want)
		}
		if v != math.MinInt64 {
			if floorDiv(v, c) != mulDivFloor(v, 1, c) || ceilDiv(v, c) != mulDivCeil(v, 1, c) {
				t.Errorf("%d by %d: %d and %d", v, c, floorDiv(v, c), ceilDiv(v, c))
			}
		}
	})
}

func TestRoundAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyInt.Draw(t, "v")
		a, b, c, d := positive.Draw(t, "a"), positive.Draw(t, "b"), positive.Draw(t, "c"), positive.Draw(t, "d")
		q := new(big.Rat).SetFrac(new(big.Int).Mul(bigProduct(a, b), big.NewInt(v)), bigProduct(c, d))
		half := big.NewRat(1, 2)
		if q.Sign() < 0 {
			half.Neg(half)
		}
		q.Add(q, half)
		want := held(new(big.Int).Quo(q.Num(), q.Denom())) // towards zero: halves went away from it
		if got := mulDivRound(v, a, b, c, d); got != want {
			t.Errorf("%d·%d·%d/(%d·%d) = %d, want %d", v, a, b, c, d, got, want)
		}
	})
}

func TestSumsAreHeldAtTheEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyInt.Draw(t, "a"), anyInt.Draw(t, "b")
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		diff := new(big.Int).Sub(big.NewInt(a), big.NewInt(b))
		if got := addSat(a, b); got != held(sum) && got != math.MinInt64 {
			t.Errorf("%d + %d = %d", a, b, got)
		}
		if got := subSat(a, b); got != held(diff) && got != math.MinInt64 {
			t.Errorf("%d - %d = %d", a, b, got)
		}
	})
}

func TestCmpProduct(t *testing.T) {
	nonNegative := rapid.Int64Range(0, math.MaxInt64)
	rapid.Check(t, func(t *rapid.T) {
		a, b := nonNegative.Draw(t, "a"), nonNegative.Draw(t, "b")
		c, d := nonNegative.Draw(t, "c"), nonNegative.Draw(t, "d")
		if got, want := cmpProduct(a, b, c, d), bigProduct(a, b).Cmp(bigProduct(c, d)); got != want {
			t.Errorf("%d·%d against %d·%d: %d, want %d", a, b, c, d, got, want)
		}
	})
}
