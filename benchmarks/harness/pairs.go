package harness

import (
	"context"
	"fmt"
)

// Pair is one run of each program, one right after the other.
type Pair struct {
	A Usage `json:"a"`
	B Usage `json:"b"`
	// BFirst: the order is turned from pair to pair, so that a machine that
	// grows warmer or busier favours neither.
	BFirst bool `json:"b_first"`
}

// Interleave measures n pairs. tell, which may be nil, hears of each.
func Interleave(ctx context.Context, n int, a, b func(context.Context) (Usage, error), tell func(int, Pair)) ([]Pair, error) {
	var pairs []Pair
	for i := range n {
		p := Pair{BFirst: i%2 == 1}
		if err := p.run(ctx, a, b); err != nil {
			return pairs, fmt.Errorf("pair %d of %d: %w", i+1, n, err)
		}
		pairs = append(pairs, p)
		if tell != nil {
			tell(i, p)
		}
	}
	return pairs, nil
}

func (p *Pair) run(ctx context.Context, a, b func(context.Context) (Usage, error)) (err error) {
	if p.BFirst {
		if p.B, err = b(ctx); err != nil {
			return err
		}
	}
	if p.A, err = a(ctx); err != nil || p.BFirst {
		return err
	}
	p.B, err = b(ctx)
	return err
}

// Ratios are what A cost in units of B, pair by pair.
func Ratios(pairs []Pair, of func(Usage) float64) []float64 {
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		out[i] = of(p.A) / of(p.B)
	}
	return out
}
