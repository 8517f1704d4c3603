package verify

import (
	"cmp"
	"slices"

	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/cmaf"
)

// seeCaptions notes the caption channels in a segment's pictures.
func (r *rendition) seeCaptions(format string, samples []cmaf.ParsedSample) {
	codec := map[string]string{"avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1"}[format]
	shown := slices.Clone(samples)
	slices.SortFunc(shown, func(a, b cmaf.ParsedSample) int { return cmp.Compare(a.Presentation, b.Presentation) })
	for _, s := range shown {
		r.captions.See(captions.Extract(codec, s.Data))
	}
}

// judgeCaptions: what is declared is in the pictures of every rendition, and
// the other way round.
func (t *tree) judgeCaptions(b *book) {
	videos := t.videos()
	if len(videos) == 0 {
		b.skip("no video", "captions", "captions-group")
		return
	}
	if t.master == nil {
		return
	}
	declared := t.declaredCaptions()
	t.judgeCaptionGroups(b, len(declared) > 0)
	b.looked("captions")
	expected := declared
	if t.onAir() || !t.complete() { // nothing may have been said in this window
		expected = met(videos)
	}
	for _, r := range videos {
		found := r.captions.List()
		for _, c := range expected {
			b.holds("captions", slices.Contains(found, c), at(r.path), "%s is declared, or elsewhere, and not in its pictures", c)
		}
		for _, c := range found {
			b.holds("captions", slices.Contains(declared, c), at(r.path), "%s is in its pictures and not declared", c)
		}
	}
}

// met are the channels that any of the renditions carries.
func met(videos []*rendition) (out []string) {
	for _, r := range videos {
		out = append(out, r.captions.List()...)
	}
	captions.Sort(out)
	return slices.Compact(out)
}

func (t *tree) declaredCaptions() (out []string) {
	for _, a := range t.master.GetAllAlternatives() {
		if a.Type == "CLOSED-CAPTIONS" && !slices.Contains(out, a.InstreamId) {
			out = append(out, a.InstreamId)
		}
	}
	return out
}

// judgeCaptionGroups: every variant names a group that is there, or all say NONE.
func (t *tree) judgeCaptionGroups(b *book, declared bool) {
	groups := map[string]bool{}
	for _, a := range t.master.GetAllAlternatives() {
		if a.Type == "CLOSED-CAPTIONS" {
			groups[a.GroupId] = true
		}
	}
	for _, v := range t.master.Variants {
		if v.Iframe {
			continue
		}
		none := v.Captions == "NONE" || v.Captions == ""
		b.holds("captions-group", declared && groups[v.Captions] || !declared && none, at(t.masterPath), "%s says CLOSED-CAPTIONS=%q", v.URI, v.Captions)
	}
}
