package verify

import (
	"strings"
	"testing"

	"github.com/Eyevinn/dash-mpd/mpd"
)

func dashBreakages() []breakage {
	in := func(old, new string) func(*fixture, map[string][]byte) { return text(manifestName, old, new) }
	return []breakage{
		{rule: "dash", change: in("<MPD", "<NO")},
		{rule: "dash", change: in("SegmentTemplate", "Template")},
		{rule: "dash", change: in("<Period", "<Other")},
		{rule: "dash-type", change: in("static", "dynamic")},
		{rule: "dash-type", change: in("dynamic", "static"), base: onAir},
		{rule: "dash-type", change: in("UTCTiming", "Timing"), base: onAir},
		{rule: "dash-type", change: in("suggestedPresentationDelay", "other"), base: onAir},
		{rule: "dash-same", change: in(`<Representation id="lo"`, `<Representation id="low"`)},
		{rule: "dash-same", change: in(`codecs="avc1.`, `codecs="avc1.4D`)},
		{rule: "dash-same", change: in(`width="96"`, `width="960"`)},
		{rule: "dash-same", change: in(`frameRate="50"`, `frameRate="49"`)},
		{rule: "dash-sets", change: in(`segmentAlignment="true"`, `segmentAlignment="false"`)},
		{rule: "dash-sets", change: in(`lang="en"`, "")},
		{rule: "dash-sets", change: func(f *fixture, _ map[string][]byte) {
			f.text = func(p, s string) string {
				if p != manifestName {
					return s
				}
				return strings.Replace(s, `codecs="avc1.`, `codecs="hvc1.`, 1)
			}
		}},
		{rule: "dash-segments", change: in("init-", "other-")},
		{rule: "dash-segments", change: in("$Number$.m4s", "seg-$Number$.m4s")},
		{rule: "dash-segments", change: in(`r="1"`, `r="7"`)},
		{rule: "dash-segments", change: text("hi/media.m3u8", "900000002.m4s", "#EXT-X-GAP\n900000002.m4s"), base: onAir},
		{rule: "dash-times", change: in(`startNumber="900000000"`, `startNumber="900000001"`), base: onAir},
		{rule: "dash-times", change: in(`duration="100"`, `duration="101"`), base: onAir},
		{rule: "dash-times", change: in("presentationTimeOffset=\"9", "presentationTimeOffset=\"8"), base: onAir},
		{rule: "dash-times", change: in(`timescale="48000"`, `timescale="44100"`)},
		{rule: "dash-bandwidth", change: in(`bandwidth="`, `bandwidth="1`)},
		{rule: "dash-bandwidth", change: in(`<Representation id="hi" bandwidth="`, `<Representation id="hi" bandwidth="10" tag="`), base: onAir},
	}
}

// A rung that is left out at present stands in a Period that is over; in the one
// that is now it would be a promise that no playlist keeps.
func TestALeftOutRungIsInPeriodsThatAreOver(t *testing.T) {
	for past, want := range map[bool]Status{true: Pass, false: Fail} {
		b := newBook(Rules())
		tr := &tree{manifest: &manifest{promises: []promise{{rep: &mpd.RepresentationType{RepresentationBaseType: mpd.RepresentationBaseType{}}, past: past}}}}
		tr.judgeSame(b)
		if got := b.rules["dash-same"].Status; got != want {
			t.Errorf("in a Period that is over: %v; judged %v, want %v", past, got, want)
		}
	}
}
