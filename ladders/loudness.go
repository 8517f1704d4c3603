package ladders

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// Loudness is what a rung's programme is brought to, as EBU R128 measures it.
type Loudness struct {
	// Measure only: the sound stays as it is.
	Measure bool
	Target  Decibel // LUFS, integrated
	// TruePeak is the highest that a limiter lets pass, in dBTP.
	TruePeak Decibel
}

// defaultTruePeak is what EBU R128 allows.
const defaultTruePeak Decibel = -100

const (
	wantLoudness  = "-23 (LUFS), measure, or a mapping with target and true_peak"
	lowestTarget  = -40
	highestTarget = -8
)

func (v value) loudness() *Loudness {
	l := &Loudness{TruePeak: defaultTruePeak}
	if _, ok := v.node.(ast.MapNode); ok {
		got := v.mapping([]key{
			{"target", func(at value) { l.Target = at.decibel(lowestTarget, highestTarget, "LUFS") }},
			{"true_peak", func(at value) { l.TruePeak = at.decibel(-9, 0, "dBTP") }},
		})
		got.require(v, "target")
		return l
	}
	s, ok := v.scalar(wantLoudness)
	switch {
	case !ok:
	case s == "measure":
		return &Loudness{Measure: true}
	default:
		if d, err := ParseDecibel(s); err == nil && d >= lowestTarget*100 && d <= highestTarget*100 {
			l.Target = d
			return l
		}
		v.fail("%q is not allowed, want %s; targets go from %d to %d LUFS", clip(s), wantLoudness, lowestTarget, highestTarget)
	}
	return nil
}

// String is the loudness as a ladder file has it.
func (l *Loudness) String() string {
	if l.Measure {
		return "measure"
	}
	return fmt.Sprintf("{target: %s, true_peak: %s}", l.Target, l.TruePeak)
}

// For tells what a ladder asks of a kind of job that it cannot have.
func (l *Ladder) For(kind Kind) error {
	for _, r := range l.Audio {
		if kind == Live && r.Loudness != nil {
			return fmt.Errorf("%w: %s asks for loudness, which is measured over a whole programme before a sample of it is encoded, and a live source has none yet; write `gain: 3dB` for what the source is off, or leave loudness out", ErrNoMatch, r.Name)
		}
	}
	return nil
}
