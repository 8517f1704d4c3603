package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

const manifestName = "manifest.mpd"

// manifest is the DASH manifest of the tree: what its Representations promise.
type manifest struct {
	doc      *mpd.MPD
	promises []promise
	texts    []*mpd.AdaptationSetType
	images   []*mpd.AdaptationSetType
	whole    map[string]object // the file of each of them, by path
}

// readManifest is nil where the tree has none, as a live job's in its first seconds.
func (t *tree) readManifest(ctx context.Context, b *book) (*manifest, error) {
	o, err := t.store.get(ctx, manifestName)
	if errors.Is(err, errNotThere) {
		b.skip("no "+manifestName, dashIDs()...)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrCannotLook, err)
	}
	b.looked("dash")
	doc, err := parseManifest(o.body)
	if err != nil {
		b.broke("dash", at(manifestName), "%v", err)
		return nil, nil
	}
	m := &manifest{doc: doc}
	return m, m.readTexts(ctx, t.store)
}

// parseManifest outlives the library's own panics on a stranger's file.
func parseManifest(body []byte) (doc *mpd.MPD, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return mpd.MPDFromBytes(body)
}

// judgeManifest compares the manifest with what the playlists led to.
func (t *tree) judgeManifest(b *book) {
	m := t.manifest
	if m == nil || t.master == nil {
		return
	}
	b.holds("dash", len(m.doc.Periods) > 0, at(manifestName), "it has no Period")
	b.holds("dash", m.doc.Profiles != "", at(manifestName), "it has no profiles")
	for i, p := range m.doc.Periods {
		for _, set := range p.AdaptationSets {
			switch set.ContentType {
			case "text":
				m.texts = append(m.texts, set)
				continue
			case "image":
				m.images = append(m.images, set)
				continue
			}
			judgeSet(b, set)
			for _, r := range set.Representations {
				for _, base := range m.bases() {
					m.add(b, t, promise{rep: r, set: set, tmpl: r.GetSegmentTemplate(), base: base, start: since(p.Start), length: m.lengthOf(i), past: i+1 < len(m.doc.Periods)})
				}
			}
		}
	}
	t.judgeManifestKind(b)
	t.judgeSame(b)
	for _, p := range m.promises {
		p.judge(b, t)
	}
}

// bases are the folders that hold what it promises: above the replicas of a
// redundant job one for each, else the tree itself.
func (m *manifest) bases() []string {
	bases := make([]string, 0, 1)
	for _, u := range m.doc.BaseURL {
		bases = append(bases, string(u.Value))
	}
	if len(bases) == 0 {
		bases = append(bases, "")
	}
	return bases
}

func since(d *mpd.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// lengthOf a Period: its own, or what the presentation leaves it (§5.3.2.1).
func (m *manifest) lengthOf(i int) time.Duration {
	p := m.doc.Periods[i]
	switch {
	case p.Duration != nil:
		return since(p.Duration)
	case i+1 < len(m.doc.Periods):
		return since(m.doc.Periods[i+1].Start) - since(p.Start)
	case m.doc.MediaPresentationDuration != nil:
		return since(m.doc.MediaPresentationDuration) - since(p.Start)
	}
	return 0
}

// add keeps a promise that can be checked.
func (m *manifest) add(b *book, t *tree, p promise) {
	whole := p.tmpl != nil && p.tmpl.StartNumber != nil && (p.tmpl.Duration != nil && *p.tmpl.Duration > 0 || p.tmpl.SegmentTimeline != nil)
	b.holds("dash", whole, at(manifestName), "%s has no template with numbers and times", p.rep.Id)
	if !whole {
		return
	}
	p.r = t.named(path.Join(p.base, p.rep.Id))
	m.promises = append(m.promises, p)
}

func judgeSet(b *book, set *mpd.AdaptationSetType) {
	where, kind := at(manifestName), string(set.ContentType)
	b.holds("dash-sets", set.SegmentAlignment && set.StartWithSAP == 1, where, "set of %s: segmentAlignment %v, startWithSAP %d", kind, set.SegmentAlignment, set.StartWithSAP)
	b.holds("dash-sets", kind != "audio" || set.Lang != "", where, "a set of sound without a language")
	families := map[string]bool{}
	for _, r := range set.Representations {
		family, _, _ := strings.Cut(r.GetCodecs(), ".")
		families[family] = true
	}
	b.holds("dash-sets", len(families) == 1, where, "a set of %s has %d codec families", kind, len(families))
}

// judgeManifestKind: what is on air says when to ask for what, and what is over
// says so, as the playlists do.
func (t *tree) judgeManifestKind(b *book) {
	doc, where := t.manifest.doc, at(manifestName)
	dynamic := doc.GetType() == mpd.DYNAMIC_TYPE
	b.holds("dash-type", dynamic == !t.complete(), where, "it is %s; the playlists are at their end: %v", doc.GetType(), t.complete())
	if dynamic {
		for name, ok := range map[string]bool{
			"availabilityStartTime": doc.AvailabilityStartTime != "", "publishTime": doc.PublishTime != "", "minimumUpdatePeriod": doc.MinimumUpdatePeriod != nil,
			"suggestedPresentationDelay": doc.SuggestedPresentationDelay != nil, "timeShiftBufferDepth": doc.TimeShiftBufferDepth != nil, "UTCTiming": len(doc.UTCTimings) > 0,
		} {
			b.holds("dash-type", ok, where, "it has no %s", name)
		}
		return
	}
	last := len(doc.Periods) - 1
	b.holds("dash-type", last < 0 || t.manifest.lengthOf(last) > 0, where, "its last Period has no end")
}

// judgeSame: HLS and DASH show the same renditions. One that a live job leaves out
// at present stands in Periods that are over, and in no list of variants.
func (t *tree) judgeSame(b *book) {
	for _, r := range t.renditions {
		listed := slices.ContainsFunc(t.manifest.promises, func(p promise) bool { return p.r == r })
		b.holds("dash-same", listed || len(r.segments) == 0, at(manifestName), "rendition %s is not in it", r.name)
	}
	for _, p := range t.manifest.promises {
		b.holds("dash-same", p.r != nil || p.past, at(manifestName), "%s is in no playlist", p.rep.Id)
	}
}
