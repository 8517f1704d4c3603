package verify

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// keep is how many findings of one rule are kept; the rest are counted.
const keep = 8

// book collects findings while renditions are looked at side by side.
type book struct {
	mu    sync.Mutex
	order []Rule
	rules map[string]*Result
	notes []string
	count struct {
		segments, frames int
		bytes            int64
	}
}

// newBook judges by these rules, and reports them in this order.
func newBook(rules []Rule) *book {
	b := &book{order: rules, rules: map[string]*Result{}}
	for _, r := range rules {
		b.rules[r.ID] = &Result{Rule: r, Status: NotApplicable, Reason: "nothing to look at"}
	}
	return b
}

// looked says that the rule was applied.
func (b *book) looked(ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if r := b.rules[id]; r.Status == NotApplicable {
			r.Status, r.Reason = Pass, ""
		}
	}
}

// skip gives the reason why a rule was not applied.
func (b *book) skip(reason string, ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if r := b.rules[id]; r.Status == NotApplicable {
			r.Reason = reason
		}
	}
}

// broke says that the rule is broken here.
func (b *book) broke(id string, where Place, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rules[id]
	r.Status, r.Reason = Fail, ""
	if r.Level == Should {
		r.Status = Warn
	}
	if r.Broken++; len(r.Findings) < keep {
		r.Findings = append(r.Findings, Finding{where, fmt.Sprintf(format, args...)})
	}
}

// holds is looked, and broke unless ok.
func (b *book) holds(id string, ok bool, where Place, format string, args ...any) {
	b.looked(id)
	if !ok {
		b.broke(id, where, format, args...)
	}
}

func (b *book) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func (b *book) counted(frames int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count.segments++
	b.count.frames += frames
	b.count.bytes += bytes
}

// report is in the order of the rules, findings by place, so that two runs over
// one tree read the same.
func (b *book) report(target string, renditions int) Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := Report{Target: target, Renditions: renditions, Notes: b.notes,
		Segments: b.count.segments, Frames: b.count.frames, Bytes: b.count.bytes}
	for _, rule := range b.order {
		r := *b.rules[rule.ID]
		r.Findings = slices.Clone(r.Findings)
		slices.SortStableFunc(r.Findings, func(x, y Finding) int { return strings.Compare(x.Where.Path, y.Where.Path) })
		out.Results = append(out.Results, r)
	}
	slices.Sort(out.Notes)
	return out
}
