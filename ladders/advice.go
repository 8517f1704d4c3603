package ladders

import (
	"fmt"
	"slices"
	"time"

	"github.com/galafarm/gala/timeline"
)

// advice is where l departs from Apple's HLS authoring specification, by the
// number of the rule. A ladder may have its reasons.
func (l *Ladder) advice() []string {
	var out []string
	for _, kind := range []Kind{Live, VOD} {
		if gop, _ := l.gops(kind); gop != 2*time.Second {
			out = append(out, fmt.Sprintf("%s GOPs last %s; IDR frames should come every 2s (1.13)", kind, gop))
		}
	}
	if s := l.Segment.VOD; s != 6*time.Second {
		out = append(out, fmt.Sprintf("vod segments last %s; 6s is nominal (7.5)", s))
	}
	for _, r := range l.Video {
		out = append(out, r.advice()...)
	}
	return append(out, l.topAdvice()...)
}

func (r VideoRung) advice() []string {
	var out []string
	sixty := timeline.Rate{Num: 60, Den: 1}
	if rate := r.FPS.limit(); !rate.Valid() || rate.Cmp(sixty) > 0 {
		out = append(out, fmt.Sprintf("%s may exceed 60 frames a second; write source<=60 (1.3)", r.Name))
	}
	if r.Maxrate > 2*r.Bitrate {
		out = append(out, fmt.Sprintf("%s has a maxrate above twice its bitrate (1.30)", r.Name))
	}
	return out
}

// limit is the highest rate that the rule gives, invalid for none.
func (f FPS) limit() timeline.Rate {
	if f.Fixed.Valid() {
		return f.Fixed
	}
	return f.Max
}

// topAdvice: players should have a choice without a change of size.
func (l *Ladder) topAdvice() []string {
	if len(l.Video) == 0 {
		return nil
	}
	top := slices.MaxFunc(l.Video, func(a, b VideoRung) int { return a.area() - b.area() })
	if slices.ContainsFunc(l.Video, func(r VideoRung) bool { return r.Name != top.Name && r.area() == top.area() }) {
		return nil
	}
	return []string{fmt.Sprintf("%s is the only rung at the largest size; two are better (9.10)", top.Name)}
}

// area orders boxes by size.
func (r VideoRung) area() int {
	switch {
	case r.Width == 0:
		return r.Height * r.Height * 16 / 9
	case r.Height == 0:
		return r.Width * r.Width * 9 / 16
	}
	return r.Width * r.Height
}
