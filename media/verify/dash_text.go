package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/webvtt"
)

// judgeDashCaptions: both faces of the pictures declare one list of channels.
func (t *tree) judgeDashCaptions(b *book) {
	if t.manifest == nil || t.master == nil {
		return
	}
	declared := t.declaredCaptions()
	captions.Sort(declared)
	for _, p := range t.manifest.doc.Periods {
		for _, set := range p.AdaptationSets {
			if set.ContentType != "video" {
				continue
			}
			said := dash.Captions(set)
			b.holds("dash-captions", slices.Equal(said, declared), at(manifestName), "it declares %v, the master playlist %v", said, declared)
		}
	}
}

// readTexts reads the one file of every set of text.
func (m *manifest) readTexts(ctx context.Context, s store) error {
	m.whole = map[string]object{}
	for _, p := range m.doc.Periods {
		for _, set := range p.AdaptationSets {
			name := textFile(set)
			if name == "" {
				continue
			}
			o, err := s.get(ctx, name)
			switch {
			case err == nil:
				m.whole[name] = o
			case !errors.Is(err, errNotThere):
				return fmt.Errorf("%w: %w", ErrCannotLook, err)
			}
		}
	}
	return nil
}

// textFile is what a set of text leads to, "" for any other.
func textFile(set *mpd.AdaptationSetType) string {
	if set.ContentType != "text" || len(set.Representations) != 1 || len(set.Representations[0].BaseURLs) != 1 {
		return ""
	}
	return path.Clean(string(set.Representations[0].BaseURLs[0].Value))
}

// judgeDashTexts holds the subtitles of the manifest against those of HLS: of a whole
// clip, or of a live job.
func (t *tree) judgeDashTexts(b *book) {
	switch {
	case t.manifest == nil || t.master == nil:
		return
	case len(t.texts)+len(t.manifest.texts) == 0:
		b.skip("no subtitles", "dash-text")
		return
	case t.live() || t.dated():
		t.judgeLiveTexts(b)
		return
	case !t.complete() || len(t.manifest.doc.Periods) != 1:
		b.skip("only a clip of one Period has its subtitles in the manifest", "dash-text")
		return
	}
	for _, r := range t.texts {
		t.judgeDashText(b, r)
	}
	b.holds("dash-text", len(t.manifest.texts) == len(t.texts), at(manifestName), "it has %d sets of text, the master playlist %d", len(t.manifest.texts), len(t.texts))
}

func (t *tree) judgeDashText(b *book, r *rendition) {
	i := slices.IndexFunc(t.manifest.texts, func(set *mpd.AdaptationSetType) bool { return path.Dir(textFile(set)) == r.name })
	if i < 0 {
		b.broke("dash-text", at(manifestName), "subtitles %s are not in it", r.name)
		return
	}
	set := t.manifest.texts[i]
	b.holds("dash-text", set.MimeType == "text/vtt" && set.Lang != "" && len(set.Roles) > 0, at(manifestName), "%s is %q in language %q with %d roles", r.name, set.MimeType, set.Lang, len(set.Roles))
	name := textFile(set)
	o, there := t.manifest.whole[name]
	if !there {
		b.broke("dash-text", at(name), "it is not there")
		return
	}
	cues, err := webvtt.ParseFile(o.body)
	b.holds("dash-text", err == nil, at(name), "%v", err)
	want := webvtt.Gather(r.cues)
	b.holds("dash-text", err != nil || slices.Equal(cues, want), at(name), "it has %d cues, the segments have %d, or others", len(cues), len(want))
}
