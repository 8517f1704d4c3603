package packager_test

import (
	"strings"
	"testing"
)

// Channels that the probe did not see are declared when a clip ends, and in a
// live job with the next playlist.
func TestCaptionsMet(t *testing.T) {
	for _, live := range []bool{false, true} {
		video, audio := clip(t)
		s := newMemory()
		spec := twoSeconds(t)
		spec.Live = live
		spec.Renditions[0].Video.Captions = []string{"CC3"}
		p := open(t, spec, nil, s)
		feed(t, p, "v", video, pictures(0, 100, 25, 1))
		feed(t, p, "a", audio, sounds(0, 200))
		p.Captions([]string{"CC1", "CC3"})
		feed(t, p, "v", video, pictures(100, 200, 25, 1))
		feed(t, p, "a", audio, sounds(200, 400))
		if err := p.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := s.text("master.m3u8")
		for _, c := range []string{"CC1", "CC3"} {
			if n := strings.Count(m, `INSTREAM-ID="`+c+`"`); n != 1 {
				t.Errorf("live %v: %s is declared %d times\n%s", live, c, n, m)
			}
		}
		if mpd := s.text("manifest.mpd"); strings.Count(mpd, `<Accessibility schemeIdUri="urn:scte:dash:cc:cea-608:2015" value="CC1=und;CC3=und">`) != 1 {
			t.Errorf("live %v: the manifest\n%s", live, mpd)
		}
		if strings.Contains(m, "CLOSED-CAPTIONS=NONE") {
			t.Errorf("live %v: a variant has none\n%s", live, m)
		}
	}
}
