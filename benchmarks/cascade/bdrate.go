package cascade

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Point is one encode of a rate-quality curve.
type Point struct {
	Rate    float64 `json:"bits_per_second"`
	Quality float64 `json:"db"`
}

// beyond stands for curves that have no quality in common: the lowest rate of
// one is better than the highest of the other.
const beyond = 100

// bdRate is how many per cent more bits test takes than anchor for the same
// quality, on average over the qualities that both reach: Bjøntegaard's delta
// (VCEG-M33) with the piecewise cubic curves of JVET's common test conditions
// (JCTVC-L1100), rates by their logarithm.
func bdRate(anchor, test []Point) (float64, error) {
	a, err := newCurve(anchor)
	if err != nil {
		return 0, err
	}
	t, err := newCurve(test)
	if err != nil {
		return 0, err
	}
	low, high := max(a.x[0], t.x[0]), min(a.last(), t.last())
	switch {
	case t.x[0] >= a.last():
		return -beyond, nil
	case a.x[0] >= t.last():
		return beyond, nil
	}
	return 100 * (math.Exp((t.area(low, high)-a.area(low, high))/(high-low)) - 1), nil
}

// curve is a monotone piecewise cubic through its points (Fritsch and Butland):
// x is quality, y the logarithm of the rate, slope the derivative at each x.
type curve struct{ x, y, slope []float64 }

// newCurve leaves out points that cost more bits than another one and give no
// more quality: near the most that a size can show they lie within a rounding.
func newCurve(points []Point) (curve, error) {
	var c curve
	for _, p := range slices.SortedFunc(slices.Values(points), func(a, b Point) int { return cmp.Compare(a.Rate, b.Rate) }) {
		if len(c.x) == 0 || p.Quality > c.last() {
			c.x, c.y = append(c.x, p.Quality), append(c.y, math.Log(p.Rate))
		}
	}
	if len(c.x) < 3 {
		return c, errors.New("more bits do not give more quality: three points or more make a curve")
	}
	c.slopes()
	return c, nil
}

func (c *curve) last() float64 { return c.x[len(c.x)-1] }

// slopes are weighted harmonic means of the secants on both sides, one-sided at
// the ends.
func (c *curve) slopes() {
	n := len(c.x) - 1
	h, d := make([]float64, n), make([]float64, n)
	for i := range n {
		h[i] = c.x[i+1] - c.x[i]
		d[i] = (c.y[i+1] - c.y[i]) / h[i]
	}
	c.slope = make([]float64, n+1)
	c.slope[0] = endSlope(h[0], h[1], d[0], d[1])
	c.slope[n] = endSlope(h[n-1], h[n-2], d[n-1], d[n-2])
	for i := 1; i < n; i++ {
		w1, w2 := 2*h[i]+h[i-1], h[i]+2*h[i-1]
		c.slope[i] = (w1 + w2) / (w1/d[i-1] + w2/d[i])
	}
}

// endSlope is of three points, kept from turning the curve round.
func endSlope(h1, h2, d1, d2 float64) float64 {
	s := ((2*h1+h2)*d1 - h1*d2) / (h1 + h2)
	if s*d1 < 0 {
		return 0
	}
	return s
}

// area below the curve from low to high.
func (c curve) area(low, high float64) (sum float64) {
	for i := range len(c.x) - 1 {
		from, to := max(low, c.x[i]), min(high, c.x[i+1])
		if from < to {
			sum += c.primitive(i, to-c.x[i]) - c.primitive(i, from-c.x[i])
		}
	}
	return sum
}

// primitive is the area of piece i from its beginning to u beyond it.
func (c curve) primitive(i int, u float64) float64 {
	h := c.x[i+1] - c.x[i]
	d := (c.y[i+1] - c.y[i]) / h
	square := (3*d - 2*c.slope[i] - c.slope[i+1]) / h
	cube := (c.slope[i] + c.slope[i+1] - 2*d) / (h * h)
	return u * (c.y[i] + u*(c.slope[i]/2+u*(square/3+u*cube/4)))
}
