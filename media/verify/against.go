package verify

import (
	"context"
	"fmt"
	"path"
	"slices"
)

// compare reads the second tree and says whether the two are interchangeable:
// a player may take any segment from either.
func compare(ctx context.Context, b *book, t *tree, o Options) error {
	ids := []string{"against-names", "against-grid"}
	if o.Against == "" {
		b.skip("no second tree", ids...)
		return nil
	}
	other, err := open(ctx, o.Against)
	if err != nil {
		return err
	}
	// The second tree is read for its summaries; what it breaks by itself is
	// for a run of its own.
	if err := other.look(ctx, newBook(), Options{Parallel: o.Parallel}); err != nil {
		return fmt.Errorf("second tree: %w", err)
	}
	b.looked(ids...)
	var tally struct{ same, all int }
	for _, r := range t.renditions {
		q := other.named(r.name)
		if q == nil {
			b.broke("against-names", at(r.path), "%s has no such rendition", other.store)
			continue
		}
		same, all := r.compare(b, q, t.complete() && other.complete())
		tally.same, tally.all = tally.same+same, tally.all+all
	}
	for _, q := range other.renditions {
		if t.named(q.name) == nil {
			b.broke("against-names", at(q.path), "only %s has this rendition", other.store)
		}
	}
	if tally.all == 0 {
		b.broke("against-names", at(""), "the two have no segment in common")
	}
	b.note("identical bytes: %d of %d common segments", tally.same, tally.all)
	return nil
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
func (r *rendition) compare(b *book, q *rendition, full bool) (same, all int) {
	for _, s := range r.segments {
		o := q.byNumber(s.number)
		if o == nil {
			if full {
				b.broke("against-names", at(s.path), "the second tree has no segment %d", s.number)
			}
			continue
		}
		all++
		if s.sum == o.sum {
			same++
		}
		s.compare(b, o)
	}
	if full {
		for _, o := range q.segments {
			if r.byNumber(o.number) == nil {
				b.broke("against-names", at(o.path), "only the second tree has segment %d", o.number)
			}
		}
	}
	return same, all
}

func (s *segment) compare(b *book, o *segment) {
	where := at(s.path)
	if path.Base(s.path) != path.Base(o.path) {
		b.broke("against-names", where, "it is called %s there", o.path)
	}
	if path.Base(s.init.path) != path.Base(o.init.path) {
		b.broke("against-names", where, "its init segment is %s, there %s", path.Base(s.init.path), path.Base(o.init.path))
	}
	if s.start != o.start || s.end != o.end || s.timescale() != o.timescale() {
		b.broke("against-grid", where, "%d–%d of 1/%d, there %d–%d of 1/%d", s.start, s.end, s.timescale(), o.start, o.end, o.timescale())
	}
	if s.frames != o.frames {
		b.broke("against-grid", where, "%d frames, there %d", s.frames, o.frames)
	}
	if !slices.Equal(s.idrs, o.idrs) {
		b.broke("against-grid", where, "IDRs at %v, there at %v", s.idrs, o.idrs)
	}
}
