package verify

import (
	"context"
	"fmt"
	"path"
	"slices"
)

// Comparison says how two outputs of one grid stand to each other.
type Comparison struct {
	Other      string     `json:"other"`
	Renditions []Compared `json:"renditions"`
}

// Compared is one rendition, where both trees have it. The segments that both
// have are identical, interchangeable or different.
type Compared struct {
	Name string `json:"name"`
	// Identical to the byte.
	Identical int `json:"identical"`
	// Interchangeable: other bytes on the same grid, for the same decoder; a
	// player may take either.
	Interchangeable int `json:"interchangeable"`
	Different       int `json:"different"`
	// OnlyFirst and OnlySecond count what one of the two lacks of the time that
	// both cover.
	OnlyFirst  int `json:"only_first"`
	OnlySecond int `json:"only_second"`
	// Reasons count why segments are different; one may have several.
	Reasons map[string]int `json:"reasons,omitempty"`
}

// Common is how many segments both have.
func (c Compared) Common() int { return c.Identical + c.Interchangeable + c.Different }

// Verdict is the rendition's in a word or two.
func (c Compared) Verdict() string {
	switch {
	case c.Common() == 0:
		return "nothing in common"
	case c.Different > 0:
		return "not interchangeable"
	case c.Interchangeable > 0:
		return "interchangeable"
	}
	return "identical"
}

// Why two segments of one number are different.
const (
	otherName     = "another name"
	otherInit     = "another init segment"
	otherTimes    = "another boundary or timescale"
	otherCount    = "another number of frames"
	otherKeyPlace = "IDRs at other frames"
)

// compare reads the second tree and says whether the two are interchangeable:
// a player may take any segment from either.
func compare(ctx context.Context, b *book, t *tree, o Options) (*Comparison, error) {
	ids := []string{"against-names", "against-grid", "against-whole"}
	if o.Against == "" {
		b.skip("no second tree", ids...)
		return nil, nil
	}
	// The second tree is read for its summaries; what it breaks by itself is
	// for a run of its own.
	other, own, err := settled(ctx, o.Against)
	if err != nil {
		return nil, fmt.Errorf("second tree: %w", err)
	}
	if err := other.look(ctx, own, Options{Parallel: o.Parallel}); err != nil {
		return nil, fmt.Errorf("second tree: %w", err)
	}
	b.looked(ids...)
	out := &Comparison{Other: other.store.String()}
	for _, r := range t.renditions {
		q := other.named(r.name)
		if q == nil {
			b.broke("against-names", at(r.path), "%s has no such rendition", other.store)
			continue
		}
		out.Renditions = append(out.Renditions, r.compare(b, q, t.complete() && other.complete()))
	}
	for _, q := range other.renditions {
		if t.named(q.name) == nil {
			b.broke("against-names", at(q.path), "only %s has this rendition", other.store)
		}
	}
	out.tally(b)
	if len(t.texts)+len(other.texts) > 0 {
		b.note("subtitles were not compared: they are text, without boundaries of their own")
	}
	return out, nil
}

func (c *Comparison) tally(b *book) {
	same, all := 0, 0
	for _, r := range c.Renditions {
		same, all = same+r.Identical, all+r.Common()
	}
	if all == 0 {
		b.broke("against-names", at(""), "the two have no segment in common")
	}
	b.note("identical bytes: %d of %d common segments", same, all)
}

func (t *tree) named(name string) *rendition {
	i := slices.IndexFunc(t.renditions, func(r *rendition) bool { return r.name == name })
	if i < 0 {
		return nil
	}
	return t.renditions[i]
}

// compare one rendition; in full when both are at their end, else where the
// two windows overlap.
func (r *rendition) compare(b *book, q *rendition, full bool) Compared {
	c := Compared{Name: r.name, Reasons: map[string]int{}}
	for _, s := range r.segments {
		o := q.byNumber(s.number)
		if o == nil {
			c.OnlyFirst += lacks(b, s, q, full, "the second tree has no segment %d")
			continue
		}
		c.count(s, s.compare(b, o), o)
	}
	for _, o := range q.segments {
		if r.byNumber(o.number) == nil {
			c.OnlySecond += lacks(b, o, r, full, "only the second tree has segment %d")
		}
	}
	return c
}

func (c *Compared) count(s *segment, reasons []string, o *segment) {
	switch {
	case len(reasons) > 0:
		c.Different++
		for _, why := range reasons {
			c.Reasons[why]++
		}
	case s.sum == o.sum:
		c.Identical++
	default:
		c.Interchangeable++
	}
}

// lacks is 1 when a rendition should have a segment that it has not: when all
// is there in full, or when it has segments before and after it.
func lacks(b *book, s *segment, q *rendition, full bool, format string) int {
	switch n := len(q.segments); {
	case full:
		b.broke("against-names", at(s.path), format, s.number)
	case n > 0 && q.segments[0].number < s.number && s.number < q.segments[n-1].number:
		b.broke("against-whole", at(s.path), format, s.number)
	default:
		return 0
	}
	return 1
}

// compare says why the two are different; nothing when a player may take either.
func (s *segment) compare(b *book, o *segment) (reasons []string) {
	where := at(s.path)
	differs := func(rule, why, format string, args ...any) {
		b.broke(rule, where, format, args...)
		reasons = append(reasons, why)
	}
	if path.Base(s.path) != path.Base(o.path) {
		differs("against-names", otherName, "it is called %s there", o.path)
	}
	if path.Base(s.init.path) != path.Base(o.init.path) {
		differs("against-names", otherInit, "its init segment is %s, there %s", path.Base(s.init.path), path.Base(o.init.path))
	}
	if s.start != o.start || s.end != o.end || s.timescale() != o.timescale() {
		differs("against-grid", otherTimes, "%d–%d of 1/%d, there %d–%d of 1/%d", s.start, s.end, s.timescale(), o.start, o.end, o.timescale())
	}
	if s.frames != o.frames {
		differs("against-grid", otherCount, "%d frames, there %d", s.frames, o.frames)
	}
	if !slices.Equal(s.idrs, o.idrs) {
		differs("against-grid", otherKeyPlace, "IDRs at %v, there at %v", s.idrs, o.idrs)
	}
	return reasons
}
