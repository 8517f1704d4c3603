package dash_test

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/timeline"
)

// One test a clause of ISO/IEC 23009-1, and of DASH-IF IOP where it asks for more.

func all(text, pattern string) []string {
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[len(m)-1])
	}
	return out
}

func wantAll(t *testing.T, text, pattern string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, all(text, pattern)); diff != "" {
		t.Errorf("%s (-want +got):\n%s\n%s", pattern, diff, text)
	}
}

const periodID = `<Period id="([^"]*)"`

// shown is the manifest as Periods: from, init segments by representation.
func shown(text string) []string {
	var out []string
	for _, p := range strings.Split(text, "<Period ")[1:] {
		out = append(out, fmt.Sprintf("%s: %s", all(p, `^id="([^"]*)"`)[0], strings.Join(all(p, `initialization="\$RepresentationID\$/init-([a-z0-9]+)`), " ")))
	}
	return out
}

func TestISO23009_5_3_1_2_OnlyADynamicManifestHasAClock(t *testing.T) {
	live, ended := onAir(t), onAir(t)
	ended.Ended = true
	for _, name := range []string{"availabilityStartTime", "publishTime", "minimumUpdatePeriod", "timeShiftBufferDepth", "suggestedPresentationDelay", "UTCTiming"} {
		if !strings.Contains(encode(t, live), name) || strings.Contains(encode(t, ended), name) || strings.Contains(encode(t, clip(t)), name) {
			t.Errorf("%s: want it on air, and nowhere else", name)
		}
	}
}

// A start that is cut to the millisecond would promise a segment too early.
func TestISO23009_5_3_1_2_AvailabilityIsNeverEarly(t *testing.T) {
	m := onAir(t)
	m.Start = time.Unix(2, 1)
	wantAll(t, encode(t, m), `availabilityStartTime="([^"]*)"`, "1970-01-01T00:00:02.001Z")
}

// A live Period begins with a number that every rendition has.
func TestISO23009_5_3_2_PeriodBeginsWhereAllAre(t *testing.T) {
	wantAll(t, encode(t, onAir(t)), periodID, fmt.Sprintf("p%d", first+1))
}

func TestISO23009_5_3_2_NewInitSegmentIsANewPeriod(t *testing.T) {
	m := onAir(t)
	m.Representations[0].Runs = []dash.Run{run("init-a.mp4", "avc1.64001F", first, first+9), run("init-z.mp4", "avc1.64001F", first+9, first+20)}
	text := encode(t, m)
	if diff := cmp.Diff([]string{fmt.Sprintf("p%d: a b c", first+1), fmt.Sprintf("p%d: z b c", first+9)}, shown(text)); diff != "" {
		t.Error(diff)
	}
	// The timeline goes on: start and offset are one instant in both Periods.
	wantAll(t, text, `<Period [^>]*duration="([^"]*)"`, "PT16.016S")
	wantAll(t, text, `startNumber="(\d+)"`, "890000001", "890000001", "890000001", "890000009", "890000009", "890000009")
}

// A hole is promised by nobody: the rendition is left out while it lasts, and
// without any sound there is no Period.
func TestIOP_EarlyTerminatedPeriod(t *testing.T) {
	for name, c := range map[string]struct {
		rep  int
		want []string
	}{
		"one of two pictures": {1, []string{"p890000001: a b c", "p890000005: a c", "p890000007: a b c"}},
		"all sound":           {2, []string{"p890000001: a b c", "p890000007: a b c"}},
	} {
		m := onAir(t)
		r := &m.Representations[c.rep]
		whole := r.Runs[0]
		r.Runs = []dash.Run{run(whole.Init, whole.Codecs, whole.From, first+5), run(whole.Init, whole.Codecs, first+7, first+20)}
		text := encode(t, m)
		if diff := cmp.Diff(c.want, shown(text)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got := all(text, `<Period [^>]*p890000001"[^>]*duration="([^"]*)"`); len(got) != 1 || got[0] != "PT8.008S" {
			t.Errorf("%s: the first Period lasts %v", name, got)
		}
	}
}

// Text that is missing ends no pictures, and none of them waits for it.
func TestIOP_PeriodsWithoutText(t *testing.T) {
	for name, c := range map[string]struct {
		runs []dash.Run
		want []string
	}{
		"a hole": {[]dash.Run{run("init-sv.mp4", "wvtt", first, first+5), run("init-sv.mp4", "wvtt", first+7, first+20)},
			[]string{"p890000001: a b c sv fi en", "p890000005: a b c fi en", "p890000007: a b c sv fi en"}},
		"later":    {[]dash.Run{run("init-sv.mp4", "wvtt", first+3, first+20)}, []string{"p890000001: a b c fi en", "p890000003: a b c sv fi en"}},
		"not once": {nil, []string{"p890000001: a b c fi en"}},
	} {
		m := withText(t)
		m.Representations[3].Runs = c.runs
		if diff := cmp.Diff(c.want, shown(encode(t, m))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What comes a second later is promised a second later, and viewers stay where they
// are without text.
func TestISO23009_5_3_1_2_DelayOfText(t *testing.T) {
	text := encode(t, withText(t))
	wantAll(t, text, `availabilityStartTime="([^"]*)"`, "1970-01-01T00:00:03.138Z")
	wantAll(t, text, `suggestedPresentationDelay="([^"]*)"`, "PT5.006S")
	m := withText(t)
	m.Representations = m.Representations[:3]
	m.TextDelay = 10 * time.Second
	wantAll(t, encode(t, m), `suggestedPresentationDelay="([^"]*)"`, "PT2.002S")
}

func TestISO23009_5_3_3_SetsHoldWhatSwitchesSeamlessly(t *testing.T) {
	m := onAir(t)
	for _, codec := range []string{"hevc", "h264"} {
		r := pictures("x-"+codec, 320, 180, m.Grid.Rate, run("init-d.mp4", "x", first, first+20))
		r.Video.Codec = codec
		m.Representations = append(m.Representations, r)
	}
	rich := sound("surround", "en", true, run("init-e.mp4", "ec-3", first, first+20))
	rich.Audio.Codec, rich.Audio.Channels = "ec-3", 6
	m.Representations = append(m.Representations, rich, sound("low", "en", true, run("init-f.mp4", "mp4a.40.2", first, first+20)))
	var got []string
	for _, s := range strings.Split(encode(t, m), "<AdaptationSet ")[1:] {
		got = append(got, strings.Join(all(s, `<Representation id="([^"]*)"`), " "))
	}
	if diff := cmp.Diff([]string{"720p 360p x-h264", "stereo low", "x-hevc", "surround"}, got); diff != "" {
		t.Error(diff)
	}
}

// A clip's tracks end where they end; the presentation with the longest.
func TestISO23009_5_3_9_6_TimelinesOfUnequalTracks(t *testing.T) {
	m := clip(t)
	m.Representations[2].Runs[0].To, m.Representations[2].Runs[0].Times = 1, []int64{0, 282 * 1024}
	text := encode(t, m)
	wantAll(t, text, `mediaPresentationDuration="([^"]*)"`, "PT10.026S")
	if n := strings.Count(text, "<S "); n != 7 {
		t.Errorf("%d runs of segments, want two of three tracks and one of the short one:\n%s", n, text)
	}
}

// Another encoder took a clip over: in its second Period time goes on.
func TestISO23009_5_3_9_2_2_OffsetsOfAClip(t *testing.T) {
	m := clip(t)
	a := m.Representations[0].Runs[0]
	m.Representations[0].Runs = []dash.Run{{Init: "init-a.mp4", To: 1, Times: a.Times[:2]}, {Init: "init-z.mp4", From: 1, To: 2, Times: a.Times[1:]}}
	text := encode(t, m)
	if diff := cmp.Diff([]string{"p0: a a c c", "p1: z a c c"}, shown(text)); diff != "" {
		t.Error(diff)
	}
	// 6.006 s in 30000ths and in samples of 48 kHz.
	wantAll(t, text, `presentationTimeOffset="(\d+)"`, "180180", "180180", "288288", "288288")
	wantAll(t, text, `<S t="(\d+)"`, "0", "0", "0", "0", "180180", "180180", "288768", "288768")
}

func TestISO23091_ColourThatIsNotBT709IsTold(t *testing.T) {
	for transfer, want := range map[int]string{1: "", 16: "Essential", 18: "Supplemental"} {
		m := onAir(t)
		for i := range 2 {
			m.Representations[i].Video.Colour = dash.Colour{Primaries: 9, Transfer: transfer, Matrix: 9}
		}
		if want == "" {
			m.Representations[0].Video.Colour, m.Representations[1].Video.Colour = dash.Colour{Primaries: 1, Transfer: 1, Matrix: 2}, dash.Colour{Primaries: 1, Transfer: 1, Matrix: 2}
		}
		got := all(encode(t, m), `<(\w+)Property [^>]*TransferCharacteristics" value="(?:16|18)"`)
		if strings.Join(got, " ") != want {
			t.Errorf("transfer %d: %v, want %q", transfer, got, want)
		}
	}
}

// What is read back is what was declared, and one file is no run of segments.
func TestSCTE214_1_CaptionsAreReadBack(t *testing.T) {
	text := encode(t, subtitled(t))
	doc, err := mpd.MPDFromBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CC1", "CC3", "SERVICE1", "SERVICE12"}, dash.Captions(doc.Periods[0].AdaptationSets[0])); diff != "" {
		t.Error(diff)
	}
	if _, err := dash.Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

// The clock of one file is that of one Period: a clip of two has none of it.
func TestTextIsOfOnePeriod(t *testing.T) {
	m := subtitled(t)
	a := m.Representations[0].Runs[0]
	m.Representations[0].Runs = []dash.Run{{Init: "init-a.mp4", To: 1, Times: a.Times[:2]}, {Init: "init-z.mp4", From: 1, To: 2, Times: a.Times[1:]}}
	if text := encode(t, m); strings.Contains(text, "text/vtt") {
		t.Error(text)
	}
}

func TestShapeOfPixels(t *testing.T) {
	m := onAir(t)
	m.Representations[0].Video.SARNum, m.Representations[0].Video.SARDen = 64, 45
	wantAll(t, encode(t, m), ` sar="([^"]*)"`, "64:45", "1:1")
}

// A successor finds where the Periods began before its window did.
func TestHistory(t *testing.T) {
	m := onAir(t)
	m.Representations[0].Runs = []dash.Run{run("init-a.mp4", "avc1.64001F", first, first+9), run("init-z.mp4", "avc1.640020", first+9, first+20)}
	h, err := dash.Parse([]byte(encode(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if !h.Start.Equal(time.Unix(2, 138_000_000)) {
		t.Errorf("start %v", h.Start)
	}
	runs := []dash.Run{{Init: "init-a.mp4", From: first + 5, To: first + 9}, {Init: "init-z.mp4", From: first + 9, To: first + 20}, {Init: "init-new.mp4", From: first + 20, To: first + 21}}
	h.Extend("720p", runs)
	want := []dash.Run{run("init-a.mp4", "avc1.64001F", first+1, first+9), run("init-z.mp4", "avc1.640020", first+9, first+20), run("init-new.mp4", "", first+20, first+21)}
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Error(diff)
	}
	(*dash.History)(nil).Extend("720p", runs) // a tree without a manifest
	if h.Lacks("720p") || !h.Lacks("text-sv") || (*dash.History)(nil).Lacks("text-sv") {
		t.Error("what it lists is not known")
	}
	for _, bad := range []string{"", "<html>", `<MPD availabilityStartTime="now"/>`, `<MPD><Period><AdaptationSet><Representation id="x"/></AdaptationSet></Period></MPD>`} {
		if _, err := dash.Parse([]byte(bad)); !errors.Is(err, dash.ErrManifest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNothingToPromise(t *testing.T) {
	if _, err := (dash.Manifest{Grid: grid(t, 25, 1, time.Second, 1), Live: true}).Encode(); !errors.Is(err, dash.ErrEmpty) {
		t.Errorf("%v", err)
	}
	m := dash.Manifest{Grid: grid(t, 25, 1, time.Second, 1), Live: true, Representations: []dash.Representation{
		pictures("v", 64, 64, timeline.Rate{Num: 25, Den: 1}, run("init-a.mp4", "avc1", 1<<33, 1<<33+1))}}
	if _, err := m.Encode(); !errors.Is(err, dash.ErrRange) {
		t.Errorf("%v", err)
	}
}

// Events count from the Period's beginning, less an offset: the time on the grid, as
// the segments have it. What goes on in another Period is told in both; one that
// lasts has no duration.
func TestISO23009_5_10_2_LapsesAreEventsOfTheirPeriods(t *testing.T) {
	m := onAir(t)
	first, per := m.Representations[0].Runs[0].From, m.Grid.FramesPerSegment()
	for i := range m.Representations { // another init segment from the third segment on
		r := &m.Representations[i]
		if r.Video != nil {
			r.Runs = []dash.Run{{Init: "init-aa.mp4", Codecs: r.Runs[0].Codecs, From: first, To: first + 2}, {Init: "init-bb.mp4", Codecs: r.Runs[0].Codecs, From: first + 2, To: first + 9}}
		} else {
			r.Runs = []dash.Run{{Init: "init-cc.mp4", Codecs: r.Runs[0].Codecs, From: first, To: first + 9}}
		}
	}
	if strings.Contains(encode(t, m), "EventStream") {
		t.Error("events without a lapse")
	}
	at := m.Grid.FirstFrame(first)
	m.Lapses = []dash.Lapse{{From: at + per, To: at + 2*per + 7}, {From: at + 3*per, To: math.MaxInt64}}
	text := encode(t, m)
	tick := m.Grid.FrameTicks()
	wantAll(t, text, `<Event (presentationTime.*?)>`,
		fmt.Sprintf(`presentationTime="%d" duration="%d" id="%d"`, (at+per)*tick, per*tick, at+per),
		fmt.Sprintf(`presentationTime="%d" duration="%d" id="%d"`, (at+2*per)*tick, 7*tick, at+per),
		fmt.Sprintf(`presentationTime="%d" id="%d"`, (at+3*per)*tick, at+3*per))
	wantAll(t, text, `<EventStream (.*?)>`,
		fmt.Sprintf(`schemeIdUri="urn:com.gala:slate:2026" timescale="%d" presentationTimeOffset="%d"`, m.Grid.Timescale, at*tick),
		fmt.Sprintf(`schemeIdUri="urn:com.gala:slate:2026" timescale="%d" presentationTimeOffset="%d"`, m.Grid.Timescale, (at+2*per)*tick))
}
