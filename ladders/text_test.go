package ladders

import (
	"slices"
	"strings"
	"testing"
)

func TestSubtitleTracks(t *testing.T) {
	src := Source{Audio: []SourceAudio{{Channels: 2, Language: "en"}}, Text: []SourceText{
		{Language: "eng"}, {Language: "eng", Title: "SDH", Impaired: true}, {Language: "ger", Forced: true}, {},
	}}
	for _, c := range []struct {
		key  string
		kind Kind
		want []string
		note string
	}{
		{"", VOD, []string{"text-en", "text-en-2", "text-de", "text-und"}, ""},
		{"subtitles: all", VOD, []string{"text-en", "text-en-2", "text-de", "text-und"}, ""},
		{"subtitles: none", VOD, nil, ""},
		{"subtitles: [de, fr]", VOD, []string{"text-de"}, ""},
		{"subtitles: [fr]", VOD, nil, "no subtitles in the languages [fr]"},
		{"", Live, []string{"text-en", "text-en-2", "text-de", "text-und"}, ""},
	} {
		l, err := Parse("l.yaml", []byte("name: x\naudio: [{name: a, codec: aac, bitrate: 96k}]\n"+c.key))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("l.yaml", l.Marshal())
		if err != nil || again.Subtitles.String() != l.Subtitles.String() {
			t.Errorf("%q comes back as %v, %v", c.key, again, err)
		}
		got, err := Resolve(l, src, c.kind)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range got.Renditions {
			if r.Text != nil {
				names = append(names, r.Name)
			}
		}
		if !slices.Equal(names, c.want) || !strings.Contains(strings.Join(got.Notes, " "), c.note) {
			t.Errorf("%q: %v, notes %q, want %v", c.key, names, got.Notes, c.want)
		}
	}
	if _, err := Parse("l.yaml", []byte("name: x\naudio: [{name: a, codec: aac, bitrate: 96k}]\nsubtitles: some")); err == nil || !strings.Contains(err.Error(), "all, none") {
		t.Errorf("a wrong word: %v", err)
	}
}
