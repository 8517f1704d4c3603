package pull

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// epoch is when the manifests of these tests begin to be available.
var epoch = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

func mpdOf(periods ...string) string {
	return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2026-11-22T20:00:00Z" minimumUpdatePeriod="PT2S">` + strings.Join(periods, "") + `</MPD>`
}

func periodOf(attributes, template string) string {
	return `<Period ` + attributes + `><AdaptationSet mimeType="video/mp4"><Representation id="v" bandwidth="900">` + template + `</Representation></AdaptationSet></Period>`
}

const byNumbers = `<SegmentTemplate timescale="90" duration="180" startNumber="7" initialization="i-$RepresentationID$.mp4" media="$Number%03d$-$Bandwidth$$$.m4s"/>`

func byTimes(s string) string {
	return `<SegmentTemplate timescale="10" presentationTimeOffset="100" initialization="i.mp4" media="$Time$.m4s"><SegmentTimeline>` + s + `</SegmentTimeline></SegmentTemplate>`
}

// look reads a manifest as if it had been fetched after a time on air.
func (m *manifest) look(t *testing.T, text string, after time.Duration) []string {
	t.Helper()
	doc, err := parseManifest(m.at, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	now := epoch.Add(after)
	m.doc, m.zero, m.refresh = doc, epoch, now.Add(2*time.Second)
	spans, err := m.spans(now)
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.take(spans, now)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if n.missed > 0 {
		names = append(names, fmt.Sprintf("missed %d", n.missed))
	}
	for _, s := range n.segments {
		names = append(names, path.Base(s.at))
	}
	return names
}

func newManifest(pick choice) *manifest {
	u := &url.URL{Scheme: "https", Host: "cdn.example", Path: "/a/live.mpd"}
	return &manifest{ask: u, at: u, pick: pick}
}

// glance is what should be new at a time.
type glance struct {
	after time.Duration
	text  string
	want  string
}

func wantLooks(t *testing.T, looks ...glance) {
	t.Helper()
	m := newManifest(choice{})
	for _, l := range looks {
		if got := strings.Join(m.look(t, l.text, l.after), " "); got != l.want {
			t.Errorf("after %v: %q, want %q", l.after, got, l.want)
		}
	}
}

func TestISO23009_5_3_9_5_3_NumbersAndDuration(t *testing.T) {
	doc := mpdOf(periodOf(`start="PT10S"`, byNumbers))
	wantLooks(t,
		glance{11 * time.Second, doc, ""},
		glance{12 * time.Second, doc, "007-900$.m4s"},
		glance{13999 * time.Millisecond, doc, ""},
		glance{20 * time.Second, doc, "008-900$.m4s 009-900$.m4s 010-900$.m4s 011-900$.m4s"})
	wantLooks(t, glance{time.Hour, doc, "1799-900$.m4s 1800-900$.m4s 1801-900$.m4s"})
}

func TestISO23009_5_3_9_6_Timeline(t *testing.T) {
	wantLooks(t,
		glance{7 * time.Second, mpdOf(periodOf(`start="PT0S"`, byTimes(`<S t="100" d="20" r="2"/><S d="10"/>`))), "120.m4s 140.m4s 160.m4s"},
		glance{9 * time.Second, mpdOf(periodOf(`start="PT0S"`, byTimes(`<S t="160" d="10"/><S t="170" d="20"/>`))), "170.m4s"},
		glance{20 * time.Second, mpdOf(periodOf(`start="PT0S"`, byTimes(`<S t="250" d="20"/><S d="20" r="1"/>`))), "missed 3 250.m4s 270.m4s 290.m4s"})
	// Without end: to the next entry, the Period's end, or what has passed.
	endless := `<S t="100" d="20" r="-1"/><S t="160" d="20" r="-1"/>`
	wantLooks(t,
		glance{9 * time.Second, mpdOf(periodOf(`start="PT0S"`, byTimes(endless))), "120.m4s 140.m4s 160.m4s"},
		glance{20 * time.Second, mpdOf(periodOf(`start="PT0S" duration="PT10S"`, byTimes(endless))), "180.m4s"})
}

// What is nearest to a representation counts; Periods follow each other, and a
// track is joined in the newest.
func TestISO23009_5_3_2_Periods(t *testing.T) {
	first := periodOf(`start="PT0S" duration="PT5S"`, byNumbers) // its last segment is short
	second := periodOf(`id="2"`, strings.Replace(byNumbers, `startNumber="7"`, `startNumber="50"`, 1))
	wantLooks(t,
		glance{4 * time.Second, mpdOf(first), "007-900$.m4s 008-900$.m4s"},
		glance{8 * time.Second, mpdOf(first, second), "009-900$.m4s 050-900$.m4s"},
		glance{9 * time.Second, mpdOf(first, second), "051-900$.m4s"})
	wantLooks(t, glance{7500 * time.Millisecond, mpdOf(first, second), "050-900$.m4s"})
}

func TestISO23009_5_6_BaseURLsAreRelativeToEachOther(t *testing.T) {
	text := `<MPD type="dynamic" availabilityStartTime="2026-11-22T20:00:00"><BaseURL>b/</BaseURL><Period start="PT0S"><BaseURL>/c/</BaseURL>` +
		`<SegmentTemplate timescale="1" duration="2" initialization="$RepresentationID$/i.mp4" media="x"/><AdaptationSet contentType="video"><BaseURL>d/</BaseURL>` +
		`<Representation id="r"><BaseURL>../e/</BaseURL><SegmentTemplate startNumber="0" media="$RepresentationID$/$Number$.m4s"/></Representation></AdaptationSet></Period></MPD>`
	m := newManifest(choice{})
	m.look(t, text, 2*time.Second)
	spans, err := m.spans(epoch.Add(2 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s, err := spans[0].segment(0, epoch, epoch)
	if err != nil || s.at != "https://cdn.example/c/e/r/0.m4s" || s.init.at != "https://cdn.example/c/e/r/i.mp4" {
		t.Errorf("%+v (%v)", s, err)
	}
}

// The largest picture of those that play, and one sound of each language.
func TestChoice(t *testing.T) {
	template := `<SegmentTemplate timescale="1" duration="2" initialization="i" media="$RepresentationID$-$Number$.m4s"/>`
	set := func(attributes, extra string, reps ...string) string {
		return `<AdaptationSet ` + attributes + `>` + extra + template + strings.Join(reps, "") + `</AdaptationSet>`
	}
	text := mpdOf(`<Period start="PT0S">`,
		set(`contentType="audio" lang="fi"`, `<Role schemeIdUri="urn:mpeg:dash:role:2011" value="commentary"/>`, `<Representation id="talk" bandwidth="99"/>`),
		set(`contentType="audio" lang="fi"`, `<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>`, `<Representation id="low" bandwidth="1"/>`, `<Representation id="high" bandwidth="2"/>`),
		set(`mimeType="audio/mp4" lang="sv"`, "", `<Representation id="sv" bandwidth="2"/>`),
		set(`mimeType="audio/webm" lang="en"`, "", `<Representation id="webm" bandwidth="2"/>`),
		set(`contentType="video" width="3840" height="2160"`, `<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="1"/>`, `<Representation id="trick" bandwidth="9"/>`),
		set(`contentType="video"`, "", `<Representation id="hd" bandwidth="5" width="1280" height="720"/>`, `<Representation id="sd" bandwidth="50" width="640" height="360"/>`),
		set(`contentType="text" lang="fi"`, "", `<Representation id="text" bandwidth="1"/>`), `</Period>`)
	doc, err := parseManifest(&url.URL{}, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all := choices(doc)
	if diff := cmp.Diff([]choice{{}, {true, "fi"}, {true, "sv"}}, all, cmp.AllowUnexported(choice{})); diff != "" {
		t.Fatal(diff)
	}
	for i, want := range []string{"hd-1.m4s", "high-1.m4s", "sv-1.m4s"} {
		if got := newManifest(all[i]).look(t, text, 2*time.Second); !slices.Equal(got, []string{want}) {
			t.Errorf("%+v: %v, want %s", all[i], got, want)
		}
	}
}

// live is a manifest of a site, whose first segment is there at once.
func liveManifest(s *site, template string) string {
	return fmt.Sprintf(`<MPD type="dynamic" availabilityStartTime="%s" minimumUpdatePeriod="PT1S">`, time.Now().Add(-time.Second).UTC().Format("2006-01-02T15:04:05.000Z")) +
		periodOf(`start="PT0S"`, template) + `</MPD>`
}

const seconds = `<SegmentTemplate timescale="1" duration="1" initialization="i.mp4" media="$Number$.m4s"/>`

// A server that is a little behind its manifest is asked again.
func TestFollowsALiveManifest(t *testing.T) {
	s := newSite(t, map[string]string{"/i.mp4": isoInit(t, 1000)})
	for n := 2; n < 60; n++ {
		s.put(fmt.Sprintf("/%d.m4s", n), isoSkip(fmt.Sprintf("<%d>", n)))
	}
	s.put("/live.mpd", liveManifest(s, seconds))
	k := open(t, s.URL+"/live.mpd", anything)[0]
	time.AfterFunc(300*time.Millisecond, func() { s.put("/1.m4s", isoSkip("<1>")) })
	expect(t, k, isoInit(t, 1000)+isoSkip("<1>")+isoSkip("<2>"))
	if zero, ok := k.Zero(); !ok || time.Since(zero) > 15*time.Second || k.missed != 0 {
		t.Errorf("time 0 was at %v, %d missed", zero, k.missed)
	}
	s.put("/live.mpd", strings.Replace(liveManifest(s, seconds), "dynamic", "static", 1))
	for _, err := k.Read(make([]byte, 1)); ; _, err = k.Read(make([]byte, 1)) {
		if err != nil {
			if err.Error() != "EOF" {
				t.Errorf("the end is %v", err)
			}
			return
		}
	}
}

func TestRefusedManifests(t *testing.T) {
	canary := newSite(t, map[string]string{"/i.mp4": "secret", "/1.m4s": "secret"})
	s := newSite(t, map[string]string{"/i.mp4": isoInit(t, 1000)})
	only := input.Rules{Patterns: []string{s.URL + "/*"}}
	whole := liveManifest(s, seconds)
	for name, c := range map[string]struct{ text, want string }{
		"encrypted":      {strings.Replace(whole, "<Representation", `<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011"/><Representation`, 1), "encrypted"},
		"another server": {strings.Replace(whole, "<Period", "<BaseURL>"+canary.URL+"/</BaseURL><Period", 1), "allowed sources"},
		"a file":         {strings.Replace(whole, "i.mp4", "file:///etc/passwd", 1), "allowed sources"},
		"one file":       {strings.Replace(whole, seconds, `<BaseURL>all.mp4</BaseURL><SegmentBase indexRange="0-9"/>`, 1), "SegmentTemplate"},
		"no clock":       {strings.Replace(whole, "availabilityStartTime", "publishTime", 1), "availabilityStartTime"},
		"its own sign":   {strings.Replace(whole, "$Number$", "$SubNumber$", 1), "$SubNumber$"},
		"no media":       {strings.Replace(whole, "video/mp4", "text/vtt", 1), "without pictures"},
		"no Period":      {`<MPD type="dynamic"></MPD>`, "no Period"},
		"no XML":         {`<MPD type="dynamic"`, "no DASH manifest"},
	} {
		s.put("/live.mpd", c.text)
		tracks, err := Open(t.Context(), s.URL+"/live.mpd", only)
		for _, k := range tracks {
			_, err = k.Read(make([]byte, 9))
			_ = k.Close()
		}
		if me, ok := errors.AsType[*media.Error](err); !ok || me.Retryable || me.Advice == "" || !strings.Contains(me.Error(), c.want) {
			t.Errorf("%s: %v, want a refusal that says %q", name, err, c.want)
		}
	}
	if len(canary.asked) > 0 {
		t.Errorf("the other server was asked for %v", canary.asked)
	}
	s.put("/live.mpd", strings.Replace(whole, "dynamic", "static", 1))
	if _, err := Open(t.Context(), s.URL+"/live.mpd", only); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a static manifest: %v", err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(mpdOf(periodOf(`start="PT0S"`, byNumbers)), int64(9))
	f.Add(mpdOf(periodOf(`start="PT0S"`, byTimes(`<S t="100" d="20" r="-1"/>`))), int64(1<<40))
	f.Fuzz(func(_ *testing.T, text string, after int64) {
		m := newManifest(choice{})
		doc, err := parseManifest(m.at, []byte(text))
		if err != nil {
			return
		}
		m.doc, m.zero = doc, epoch
		for _, m.pick = range choices(doc) {
			if spans, err := m.spans(epoch.Add(time.Duration(after))); err == nil {
				_, _ = m.take(spans, epoch)
			}
		}
	})
}
