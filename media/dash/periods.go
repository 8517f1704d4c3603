package dash

import (
	"math"
	"slices"
)

// open ends what goes on.
const open = math.MaxInt64

// period is segments [from, to) in which nothing changes but the number.
type period struct {
	from, to int64
	runs     []*Run // by representation, nil where it is missing
}

// periods cuts the job where an init segment changes, because the decoder's
// configuration is a Representation's and that is a Period's (§5.3.9.2.2), and
// where segments are missing: a Representation with a hole is left out of a
// Period of its own, and where no picture or no sound is left there is none,
// which players step over (DASH-IF IOP part 5, early terminated Periods). Nothing
// waits for subtitles.
func (m Manifest) periods() []period {
	var out []period
	cuts := m.cuts()
	for i, from := range cuts[:max(len(cuts)-1, 0)] {
		if p := m.period(from, cuts[i+1]); m.plays(p, len(out) == 0) {
			out = append(out, p)
		}
	}
	return out
}

// cuts are the numbers between which nothing changes, in order.
func (m Manifest) cuts() []int64 {
	var cuts []int64
	for _, r := range m.Representations {
		for i := range r.Runs {
			cuts = append(cuts, r.Runs[i].From, m.end(r, i))
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// end is where run i of r ends as far as Periods go. The last run of a job on
// air goes on, unless its rendition rests; that of a clip says its own end in its timeline, so that a track
// which is a segment shorter makes no Period.
func (m Manifest) end(r Representation, i int) int64 {
	if i == len(r.Runs)-1 && !(m.Live && m.Ended) && !r.Resting {
		return open
	}
	return r.Runs[i].To
}

func (m Manifest) period(from, to int64) period {
	p := period{from: from, to: to}
	for _, r := range m.Representations {
		p.runs = append(p.runs, m.covering(r, from))
	}
	return p
}

// covering is the run of r that has segment number, nil when none has.
func (m Manifest) covering(r Representation, number int64) *Run {
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.From <= number && number < m.end(r, i) && (m.Live || number < run.To) {
			return run
		}
	}
	return nil
}

// plays tells whether p is worth a Period: something of each kind that the job
// has; at the beginning of a live job, everything. A clip shows what there is.
func (m Manifest) plays(p period, first bool) bool {
	if !m.Live {
		return slices.ContainsFunc(p.runs, func(r *Run) bool { return r != nil })
	}
	if first && !m.whole(p) && m.completeLater() {
		return false
	}
	var have, want [2]bool
	for i, r := range m.Representations {
		if r.Text != nil {
			continue
		}
		kind := 0
		if r.Audio != nil {
			kind = 1
		}
		want[kind] = true
		have[kind] = have[kind] || p.runs[i] != nil
	}
	return have == want
}

// completeLater tells whether some segment is there in every rendition.
func (m Manifest) completeLater() bool {
	return slices.ContainsFunc(m.cuts(), func(number int64) bool {
		return number < open && m.whole(m.period(number, number))
	})
}

// whole: all pictures and sound are in it.
func (m Manifest) whole(p period) bool {
	for i, r := range m.Representations {
		if r.Text == nil && p.runs[i] == nil {
			return false
		}
	}
	return true
}
