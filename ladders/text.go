package ladders

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// textRate is what subtitles may take: a fast reader's 25 characters a second,
// with markup and times.
const textRate = 1000

// text adds a rendition for every text track that the ladder wants.
func (r *resolver) text() {
	chosen := r.textTracks()
	taken := map[string]bool{}
	for _, have := range r.out.Renditions {
		taken[strings.ToLower(have.Name)] = true
	}
	for _, track := range chosen {
		src := r.source.Text[track]
		t := Text{Language: canonicalLanguage(src.Language), Forced: src.Forced, Impaired: src.Impaired, Track: track}
		t.Label = cmp.Or(src.Title, textLabel(t))
		r.out.Renditions = append(r.out.Renditions, Rendition{
			Name: unique("text-"+strings.ToLower(t.Language), taken), Text: &t, Bandwidth: textRate, AverageBandwidth: textRate,
		})
	}
}

// textLabel: teletext has no titles, and viewers choose between two of a language.
func textLabel(t Text) string {
	label := languageLabel(t.Language)
	if label != "" && t.Impaired {
		label += " (SDH)"
	}
	return label
}

// textTracks are the indexes of the tracks that the ladder wants.
func (r *resolver) textTracks() []int {
	want := r.ladder.Subtitles
	if want.None {
		return nil
	}
	var out []int
	for i, t := range r.source.Text {
		tag := canonicalLanguage(t.Language)
		if want.Only == nil || slices.ContainsFunc(want.Only, func(w string) bool { return sameLanguage(w, tag) }) {
			out = append(out, i)
		}
	}
	if len(out) == 0 && len(r.source.Text) > 0 {
		r.note(fmt.Sprintf("the source has no subtitles in the languages %s", want))
	}
	return out
}
